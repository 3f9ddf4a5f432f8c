#include "target/cpanel_api.h"

#include <errno.h>
#include <string.h>

#include "base/words.h"
#include "http/exchange.h"

enum {
	WORDS_LENGTH = 400, /* bytes of cPanel's own words in a message */
};

int cpanel_api_open(const struct remote_order *order, struct cpanel_api *ret_api,
		    struct error *error)
{
	const struct config_remote *remote = &order->target->remote;
	struct cpanel_api api = {.order = order};
	int result =
		remote_secret_read(remote->token_file, "cPanel's API token", &api.token, error);
	if (result < 0)
		return result;
	const char *host = strstr(remote->url, "://");
	api.what = string_format("cPanel at %s", host ? host + 3 : remote->url);
	string_list_take(&api.headers,
			 string_format("Authorization: cpanel %s:%s", remote->user, api.token));
	string_list_add(&api.headers, "Accept: application/json");
	string_list_add(&api.headers, "Content-Type: application/x-www-form-urlencoded");
	*ret_api = api;
	return 0;
}

void cpanel_api_close(struct cpanel_api *api)
{
	if (api->headers.count)
		explicit_bzero(api->headers.items[0], strlen(api->headers.items[0]));
	string_list_free(&api->headers);
	secret_free(api->token);
	free(api->what);
	*api = (struct cpanel_api){0};
}

/* Their words, fit for ours; never the token or a key, should they repeat what they were given. */
static char *said(const struct cpanel_api *api, const char *text)
{
	if (strstr(text, api->token) || strstr(text, "PRIVATE KEY"))
		return string_copy("(its message repeats a secret and is not shown)");
	return words_clean(text, strlen(text), WORDS_LENGTH);
}

static int token_refused(const struct cpanel_api *api, const char *function, const char *how,
			 struct error *error)
{
	const struct config_remote *remote = &api->order->target->remote;
	error_set(error, ERROR_AUTHORIZATION, -EACCES,
		  "%s: %s: %s: the token in %s is not accepted for user %s", api->what, function,
		  how, remote->token_file, remote->user);
	return error_remedy(error,
			    "make a token in cPanel > Security > Manage API Tokens of that account "
			    "(it may have expired, or belong to another account), and write it to "
			    "%s",
			    remote->token_file);
}

/* An answer that is no 200. */
static int status_error(const struct cpanel_api *api, const char *function,
			const struct http_answer *answer, struct error *error)
{
	int status = answer->status;
	if (status == 401)
		return token_refused(api, function, "HTTP 401", error);
	if (status == 403) {
		error_set(error, ERROR_AUTHORIZATION, -EACCES,
			  "%s: %s: HTTP 403, user %s may not do that", api->what, function,
			  api->order->target->remote.user);
		return error_remedy(error, "the hosting provider must give the account the feature "
					   "\"SSL Installer\" (SSL/TLS); or a firewall of cPanel's "
					   "(cPHulk) has shut this host out");
	}
	if (status == 429 || status >= 500) {
		error_set(error, ERROR_TRANSIENT, -EAGAIN, "%s: %s: HTTP %d", api->what, function,
			  status);
		error->retry_after = answer->retry_after;
		/* Some proxy or worker gave up: what was asked for may have been done. */
		error->outcome_unknown = status >= 500;
		return -EAGAIN;
	}
	error_set(error, ERROR_CONFIGURATION, -EPROTO, "%s: %s: unexpected HTTP status %d",
		  api->what, function, status);
	return error_remedy(error,
			    "`url` of [target %s] must be cPanel's own address, like "
			    "https://host.example.net:2083%s",
			    api->order->target->name,
			    status >= 300 && status < 400 ? "; redirections are not followed" : "");
}

/* 200, and not JSON. */
static int not_json(const struct cpanel_api *api, const char *function,
		    const struct http_answer *answer, struct error *error)
{
	const char *body = buffer_text(&answer->body);
	if (answer->json) {
		error_set(error, ERROR_TRANSIENT, -EBADMSG, "%s: %s: the answer is broken JSON",
			  api->what, function);
		error->outcome_unknown = true;
		return -EBADMSG;
	}
	/* cPanel shows its login page, with status 200, to whom it does not know. */
	if (strcasestr(body, "<html") && strcasestr(body, "login"))
		return token_refused(api, function, "a login page instead of JSON", error);
	CLEANUP(freep) char *first = words_clean(body, strcspn(body, "\r\n"), 80);
	error_set(error, ERROR_CONFIGURATION, -EPROTO,
		  "%s: %s: this is no answer of cPanel: \"%s\"", api->what, function, first);
	return error_remedy(error,
			    "`url` of [target %s] must be cPanel's own address, like "
			    "https://host.example.net:2083 (2087 is WHM's, 2096 is webmail's)",
			    api->order->target->name);
}

static void words_of(const cJSON *answer, const char *name, struct buffer *words)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, name);
	const cJSON *item;
	if (cJSON_IsString(list))
		buffer_add_format(words, "%s%s", words->length ? "; " : "", list->valuestring);
	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item))
			buffer_add_format(words, "%s%s", words->length ? "; " : "",
					  item->valuestring);
}

/* What cPanel's refusals mean; looked for in its English words, which have no codes. */
static const struct {
	const char *one, *other; /* both must be there */
	enum error_class class;
	int code;
	const char *remedy;
} meanings[] = {
	{"key", "match", ERROR_DEPLOY, -EKEYREJECTED,
	 "cPanel compares key and certificate; the agent has done so, too, before it sent them: "
	 "look "
	 "whether something between the two changes what is sent"},
	{"own", "domain", ERROR_CONFIGURATION, -EINVAL,
	 "the domain must be one of the account's (cPanel > Domains): correct `domains`, or leave "
	 "it "
	 "out to have all that the certificate covers"},
	{"domain", "not", ERROR_CONFIGURATION, -EINVAL,
	 "the domain must be one of the account's (cPanel > Domains): correct `domains`, or leave "
	 "it "
	 "out to have all that the certificate covers"},
	{"feature", "", ERROR_AUTHORIZATION, -EACCES,
	 "the hosting provider must give the account the feature \"SSL Installer\" (SSL/TLS)"},
	{"permission", "", ERROR_AUTHORIZATION, -EACCES,
	 "the hosting provider must give the account the feature \"SSL Installer\" (SSL/TLS)"},
	{"token", "", ERROR_AUTHORIZATION, -EACCES,
	 "make a token in cPanel > Security > Manage API Tokens of that account"},
};

static int refused(const struct cpanel_api *api, const char *function, const cJSON *answer,
		   struct error *error)
{
	struct buffer words = BUFFER(CPANEL_BODY_LIMIT);
	words_of(answer, "errors", &words);
	if (words.length == 0)
		words_of(answer, "messages", &words);
	const char *text = words.length ? buffer_text(&words) : "it does not say why";
	CLEANUP(freep) char *clean = said(api, text);
	size_t i = 0;
	while (i < ARRAY_SIZE(meanings) &&
	       !(strcasestr(text, meanings[i].one) && strcasestr(text, meanings[i].other)))
		i++;
	bool known = i < ARRAY_SIZE(meanings);
	error_set(error, known ? meanings[i].class : ERROR_DEPLOY,
		  known ? meanings[i].code : -EBADMSG, "%s: %s: refused: %s", api->what, function,
		  clean);
	error_remedy(
		error, "%s",
		known ? meanings[i].remedy
		      : "cPanel > Security > SSL/TLS > Manage SSL sites shows what is installed");
	buffer_free(&words);
	return error->code;
}

/* The command line's form of an answer has all of it in `result`. */
static const cJSON *inner(const cJSON *answer)
{
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(answer, "result");
	return cJSON_IsObject(result) ? result : answer;
}

int cpanel_call(const struct cpanel_api *api, const char *function, const struct buffer *form,
		cJSON **ret_answer, const cJSON **ret_data, struct error *error)
{
	const struct config_target *target = api->order->target;
	CLEANUP(freep) char *url = string_format("%s/execute/%s", target->remote.url, function);
	CLEANUP(freep) char *what = string_format("%s: %s", api->what, function);
	CLEANUP(freep) char *key = string_format("`ca_file` of [target %s]", target->name);
	struct http_request request = {
		.what = what,
		.method = "POST",
		.url = url,
		.headers = &api->headers,
		.body = form ? buffer_text(form) : "",
		.body_length = form ? form->length : 0,
		.ca_file = target->remote.ca_file,
		.ca_file_key = key,
		.body_limit = CPANEL_BODY_LIMIT,
	};
	struct http_answer answer = {0};
	int result = remote_time_left(api->order, &request.timeout_ms, error);
	if (result < 0)
		return result;
	result = http_exchange(&request, &answer, error);
	cJSON *json = NULL;
	if (result == 0 && answer.status != 200)
		result = status_error(api, function, &answer, error);
	if (result == 0) {
		json = json_parse(buffer_text(&answer.body), answer.body.length);
		if (!cJSON_IsObject(json))
			result = not_json(api, function, &answer, error);
		else if (json_integer(inner(json), "status", 0) != 1)
			result = refused(api, function, inner(json), error);
	}
	http_answer_free(&answer);
	if (result < 0) {
		cJSON_Delete(json);
		return result;
	}
	*ret_answer = json;
	*ret_data = cJSON_GetObjectItemCaseSensitive(inner(json), "data");
	return 0;
}
