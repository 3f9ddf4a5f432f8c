#include "target/manager.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/words.h"
#include "http/options.h"
#include "target/manager_credentials.h"

enum {
	WORDS_LENGTH = 300, /* bytes of Tomcat's own words in a message */
};

struct answer {
	struct buffer body;
	long status;
	char words[CURL_ERROR_SIZE]; /* libcurl's */
};

/* CURLOPT_WRITEFUNCTION: another number than it was given ends the transfer. */
static size_t body_take(char *data, size_t size, size_t count, void *context)
{
	struct buffer *body = context;
	return buffer_add(body, data, size * count) < 0 ? 0 : size * count;
}

/* Whom we talk to: the manager itself, and no one that it or an environment points to. */
static CURLcode options_of_trust(CURL *easy, const char *url,
				 const struct manager_credentials *credentials)
{
	struct http_trust trust = {.plain = string_starts(url, "http:"), .direct = true};
	CURLcode code = http_set_trust(easy, &trust);

	HTTP_SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
	HTTP_SET(CURLOPT_USERNAME, credentials->user);
	HTTP_SET(CURLOPT_PASSWORD, credentials->password);
	return code;
}

static CURLcode options_of_request(CURL *easy, const char *url, int64_t timeout_ms,
				   struct answer *answer)
{
	CURLcode code = http_set_time(easy, timeout_ms, timeout_ms);

	HTTP_SET(CURLOPT_URL, url);
	HTTP_SET(CURLOPT_HTTPGET, 1L);
	HTTP_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	HTTP_SET(CURLOPT_USERAGENT, "origin-ca-agent");
	HTTP_SET(CURLOPT_WRITEFUNCTION, body_take);
	HTTP_SET(CURLOPT_WRITEDATA, &answer->body);
	HTTP_SET(CURLOPT_ERRORBUFFER, answer->words);
	return code;
}

static int not_a_manager(int result, struct error *error)
{
	error_remedy(error, "check manager_url: it is the manager's own address, like "
			    "http://127.0.0.1:8080/manager");
	return result;
}

static int exchange_error(const char *url, CURLcode code, const struct answer *answer,
			  struct error *error)
{
	if (answer->body.failed)
		return not_a_manager(
			error_set(error, ERROR_DEPLOY, -EPROTO,
				  "Tomcat's manager %s: the answer is larger than %d bytes", url,
				  MANAGER_BODY_LIMIT),
			error);
	const char *said = answer->words[0] ? answer->words : curl_easy_strerror(code);
	CLEANUP(freep) char *words = words_clean(said, strlen(said), WORDS_LENGTH);
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		error_set(error, ERROR_DEPLOY, -ECONNREFUSED, "Tomcat's manager %s: %s", url,
			  words);
		return error_remedy(error, "check that Tomcat runs, and that a Connector listens "
					   "at the address of manager_url");
	case CURLE_OPERATION_TIMEDOUT:
		error_set(error, ERROR_DEPLOY, -ETIMEDOUT, "Tomcat's manager %s: %s", url, words);
		return error_remedy(error, "check what listens at manager_url, or give it more "
					   "time with `reload_timeout =`");
	case CURLE_COULDNT_RESOLVE_HOST:
		error_set(error, ERROR_DEPLOY, -EHOSTUNREACH, "Tomcat's manager %s: %s", url,
			  words);
		return error_remedy(error, "check the host in manager_url");
	case CURLE_PEER_FAILED_VERIFICATION:
		error_set(error, ERROR_CONFIGURATION, -EPROTO, "Tomcat's manager %s: %s", url,
			  words);
		return error_remedy(error, "name a plain Connector on a loopback address in "
					   "manager_url: http://127.0.0.1:8080/manager");
	case CURLE_OUT_OF_MEMORY:
		return error_set(error, ERROR_LOCAL, -ENOMEM, "Tomcat's manager %s: %s", url,
				 words);
	default:
		error_set(error, ERROR_DEPLOY, -EPROTO, "Tomcat's manager %s: %s", url, words);
		return not_a_manager(-EPROTO, error);
	}
}

/* Replaces the entities that Tomcat's ErrorReportValve writes, in place. */
static void entities_decode(char *text)
{
	static const struct {
		const char *entity;
		char byte;
	} entities[] = {
		{"&#47;", '/'}, {"&#39;", '\''}, {"&quot;", '"'},
		{"&lt;", '<'},	{"&gt;", '>'},	 {"&amp;", '&'},
	};
	char *to = text;
	for (const char *from = text; *from;) {
		size_t i = 0;
		while (i < ARRAY_SIZE(entities) && !string_starts(from, entities[i].entity))
			i++;
		if (i < ARRAY_SIZE(entities)) {
			*to++ = entities[i].byte;
			from += strlen(entities[i].entity);
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* What stands between `start` and the next tag or line end; NULL when that is nothing. */
static char *words_behind(const char *body, const char *start)
{
	const char *at = strstr(body, start);
	if (!at)
		return NULL;
	at += strlen(start);
	at += strspn(at, " \t\r\n");
	char *words = words_clean(at, strcspn(at, "<\r\n"), WORDS_LENGTH);
	entities_decode(words);
	if (words[0] != '\0')
		return words;
	free(words);
	return NULL;
}

/* Of a page of Tomcat's: what was the cause, else what happened. NULL when it does not say. */
static char *page_words(const char *body)
{
	static const char *const starts[] = {
		"<b>Root Cause</b></p><pre>",
		"<b>Exception</b></p><pre>",
		"<b>Message</b>",
	};
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		char *words = words_behind(body, starts[i]);
		if (words)
			return words;
	}
	return NULL;
}

/* An answer that is no "OK -" with status 200. */
static int status_error(const char *url, const struct answer *answer, struct error *error)
{
	CLEANUP(freep) char *said = page_words(buffer_text(&answer->body));
	switch (answer->status) {
	case 401:
		error_set(error, ERROR_AUTHORIZATION, -EACCES,
			  "Tomcat's manager %s: HTTP 401, it does not know this user and password",
			  url);
		return error_remedy(
			error,
			"check manager_credentials_file against tomcat-users.xml, where the user "
			"needs the role manager-script; after five failures Tomcat locks a user "
			"out "
			"for five minutes");
	case 403:
		error_set(error, ERROR_AUTHORIZATION, -EACCES,
			  "Tomcat's manager %s: HTTP 403, the user may not", url);
		return error_remedy(
			error, "give the user the role manager-script in tomcat-users.xml; "
			       "the manager's context.xml may also allow other addresses only");
	case 404:
		error_set(error, ERROR_CONFIGURATION, -ENOENT,
			  "Tomcat's manager %s: HTTP 404, there is no manager", url);
		return error_remedy(error, "install and deploy Tomcat's manager (Debian: "
					   "tomcat10-admin), or put its path into manager_url");
	case 500:
		error_set(error, ERROR_DEPLOY, -EBADMSG,
			  "Tomcat's manager %s: HTTP 500, refused: %s", url,
			  said ? said : "it does not say why");
		return error_remedy(error, "a keystore in server.xml, not one of the agent's, "
					   "cannot be used (`keytool -list -keystore FILE` "
					   "finds it; Tomcat does not say which); until then "
					   "Tomcat goes on with what it had");
	default:
		break;
	}
	error_set(error, ERROR_DEPLOY, -EPROTO,
		  "Tomcat's manager %s: unexpected HTTP status %ld%s%s", url, answer->status,
		  said ? ": " : "", said ? said : "");
	if (answer->status >= 300 && answer->status < 400)
		return error_remedy(error, "redirections are not followed: manager_url must be the "
					   "manager's own address, like "
					   "http://127.0.0.1:8080/manager");
	return not_a_manager(-EPROTO, error);
}

static int answer_check(const char *url, const struct answer *answer, struct error *error)
{
	const char *body = buffer_text(&answer->body);
	if (answer->status != 200)
		return status_error(url, answer, error);
	if (string_starts(body, "OK -"))
		return 0;
	CLEANUP(freep) char *first = words_clean(body, strcspn(body, "\r\n"), WORDS_LENGTH);
	if (string_starts(body, "FAIL -")) {
		error_set(error, ERROR_DEPLOY, -EBADMSG, "Tomcat's manager %s: refused: %s", url,
			  first);
		return error_remedy(error, "Tomcat's log says why");
	}
	error_set(error, ERROR_DEPLOY, -EPROTO,
		  "Tomcat's manager %s: this is no answer of a manager: \"%s\"", url, first);
	return not_a_manager(-EPROTO, error);
}

static int exchange(CURL *easy, const char *url, const struct manager_credentials *credentials,
		    int64_t timeout_ms, struct error *error)
{
	struct answer answer = {.body = BUFFER(MANAGER_BODY_LIMIT)};
	CURLcode code = options_of_trust(easy, url, credentials);
	if (code == CURLE_OK)
		code = options_of_request(easy, url, timeout_ms, &answer);
	if (code != CURLE_OK)
		return error_set(error, ERROR_LOCAL, -ENOTSUP,
				 "libcurl does not take an option that is needed: %s",
				 curl_easy_strerror(code));
	code = http_perform(easy);
	int result;
	if (code != CURLE_OK) {
		result = exchange_error(url, code, &answer, error);
	} else {
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.status);
		result = answer_check(url, &answer, error);
	}
	buffer_free(&answer.body);
	return result;
}

int manager_ssl_reload(const struct config_target *target, int64_t timeout_ms, struct error *error)
{
	int result = http_start(error);
	if (result < 0)
		return result;
	/* libcurl takes 0 for no limit at all. */
	if (timeout_ms <= 0)
		return error_set(error, ERROR_DEPLOY, -ETIMEDOUT,
				 "Tomcat's manager of target %s: no time is left to ask it",
				 target->name);

	struct manager_credentials credentials = {0};
	result = manager_credentials_read(target, &credentials, error);
	if (result < 0)
		return result;
	CLEANUP(freep) char *url = string_format("%s/text/sslReload", target->manager_url);
	CURL *easy = curl_easy_init();
	if (easy)
		result = exchange(easy, url, &credentials, timeout_ms, error);
	else
		result = error_errno(error, -ENOMEM, "cannot prepare libcurl");
	curl_easy_cleanup(easy);
	manager_credentials_free(&credentials);
	return result;
}
