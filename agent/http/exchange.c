#include "http/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/paths.h"
#include "base/stop.h"
#include "base/words.h"
#include "http/header.h"
#include "http/options.h"

enum {
	HEADERS_LIMIT = 64 << 10, /* bytes of all headers of an answer */
	RETRY_AFTER_MOST = 86400,
};

struct transfer {
	struct http_answer answer;
	size_t header_bytes;
	bool too_large;
	bool sent; /* the connection stood, and the request was about to be sent */
	char words[CURL_ERROR_SIZE]; /* libcurl's */
};

void http_answer_free(struct http_answer *answer)
{
	buffer_wipe(&answer->body); /* may hold credentials (instance metadata) */
}

/* CURLOPT_PREREQFUNCTION: asked again, libcurl would repeat what may have been carried out. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int before_sending(void *context, char *peer, char *local, int peer_port, int local_port)
{
	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	struct transfer *transfer = context;
	bool again = transfer->sent;
	transfer->sent = true;
	return again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* CURLOPT_XFERINFOFUNCTION: told to stop, nobody waits for an answer; the next pass looks. */
static int on_progress(void *context, curl_off_t to_come, curl_off_t came, curl_off_t to_send,
		       curl_off_t sent)
{
	(void)context;
	(void)to_come;
	(void)came;
	(void)to_send;
	(void)sent;
	return stop_answer_over();
}

/* CURLOPT_WRITEFUNCTION. */
static size_t body_take(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	if (buffer_add(&transfer->answer.body, data, size * count) < 0) {
		transfer->too_large = true;
		return 0;
	}
	return size * count;
}

/* CURLOPT_HEADERFUNCTION: one whole line a call. */
static size_t header_take(char *data, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t length = size * count;
	char value[256];

	transfer->header_bytes += length;
	if (transfer->header_bytes > HEADERS_LIMIT) {
		transfer->too_large = true;
		return 0;
	}
	if (http_header_value(data, length, "Content-Type", value, sizeof(value)))
		transfer->answer.json = strstr(value, "json") != NULL;
	else if (http_header_value(data, length, "Date", value, sizeof(value)))
		snprintf(transfer->answer.date, sizeof(transfer->answer.date), "%.39s", value);
	else if (http_header_value(data, length, "Retry-After", value, sizeof(value))) {
		long seconds = strtol(value, NULL, 10);
		if (seconds > 0)
			transfer->answer.retry_after =
				seconds < RETRY_AFTER_MOST ? seconds : RETRY_AFTER_MOST;
	}
	return length;
}

/* An empty "Expect:" is not needed below a megabyte, and libcurl 7.88 would sign it unsent. */
static bool headers_make(const struct http_request *request, struct curl_slist **list)
{
	size_t count = request->headers ? request->headers->count : 0;
	for (size_t i = 0; i < count; i++) {
		struct curl_slist *longer = curl_slist_append(*list, request->headers->items[i]);
		if (!longer)
			return false;
		*list = longer;
	}
	return true;
}

static CURLcode options_set(CURL *easy, const struct http_request *request,
			    struct transfer *transfer, struct curl_slist *headers)
{
	bool plain = string_starts(request->url, "http:");
	struct http_trust trust = {
		.plain = plain,
		.direct = request->direct,
		.ca_file = request->ca_file,
		.ca_directory = request->ca_file || plain ? NULL : http_trust_directory(),
	};
	CURLcode code = http_set_trust(easy, &trust);
	if (code == CURLE_OK)
		code = http_set_time(easy, request->timeout_ms, HTTP_CONNECT_MS);
	HTTP_SET(CURLOPT_URL, request->url);
	HTTP_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	HTTP_SET(CURLOPT_FRESH_CONNECT, 1L);
	HTTP_SET(CURLOPT_HTTPHEADER, headers);
	if (request->body) {
		HTTP_SET(CURLOPT_POSTFIELDS, request->body);
		HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
	} else {
		HTTP_SET(CURLOPT_HTTPGET, 1L);
	}
	HTTP_SET(CURLOPT_CUSTOMREQUEST, request->method);
	if (request->aws_scope) {
		HTTP_SET(CURLOPT_AWS_SIGV4, request->aws_scope);
		HTTP_SET(CURLOPT_USERNAME, request->access_key);
		HTTP_SET(CURLOPT_PASSWORD, request->secret_key);
	}
	HTTP_SET(CURLOPT_PREREQFUNCTION, before_sending);
	HTTP_SET(CURLOPT_PREREQDATA, transfer);
	HTTP_SET(CURLOPT_WRITEFUNCTION, body_take);
	HTTP_SET(CURLOPT_WRITEDATA, transfer);
	HTTP_SET(CURLOPT_HEADERFUNCTION, header_take);
	HTTP_SET(CURLOPT_HEADERDATA, transfer);
	HTTP_SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	HTTP_SET(CURLOPT_NOPROGRESS, 0L);
	HTTP_SET(CURLOPT_ERRORBUFFER, transfer->words);
	return code;
}

static int result_of(CURLcode code, bool sent)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	default:
		return sent ? -ECONNRESET : -EIO;
	}
}

static int transfer_error(const struct http_request *request, const struct transfer *transfer,
			  CURLcode code, struct error *error)
{
	const char *said = transfer->words[0] ? transfer->words : curl_easy_strerror(code);
	CLEANUP(freep) char *words = words_clean(said, strlen(said), 300);
	/* A certificate that is refused is refused before anything was sent. */
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
		error_set(error, ERROR_CONFIGURATION, -EPROTO, "%s: %s", request->what, words);
		return error_remedy(error,
				    "check the host name and this host's clock; where its "
				    "certificate is self-signed or of a CA of your own, name that "
				    "certificate's file in %s",
				    request->ca_file_key ? request->ca_file_key : "ca_file");
	}
	if (code == CURLE_OUT_OF_MEMORY)
		return error_set(error, ERROR_LOCAL, -ENOMEM, "%s: %s", request->what, words);
	if (transfer->too_large)
		error_set(error, ERROR_TRANSIENT, -EMSGSIZE,
			  "%s: the answer is larger than %zu bytes", request->what,
			  transfer->answer.body.limit);
	else
		error_set(error, ERROR_TRANSIENT, result_of(code, transfer->sent), "%s: %s",
			  request->what, words);
	error->outcome_unknown = transfer->sent;
	if (!transfer->sent)
		error_remedy(error, "check that it runs and that this host may reach it (name, "
				    "firewall, proxy)");
	return error->code;
}

int http_exchange(const struct http_request *request, struct http_answer *ret_answer,
		  struct error *error)
{
	struct transfer transfer = {
		.answer.body = BUFFER(request->body_limit ? request->body_limit : HTTP_BODY_LIMIT)};
	struct curl_slist *headers = NULL;
	*ret_answer = (struct http_answer){.body = BUFFER(0)};
	int result = http_start(error);
	if (result < 0)
		return result;
	/* libcurl takes 0 for no limit at all. */
	if (request->timeout_ms <= 0)
		return error_set(error, ERROR_TRANSIENT, -ETIMEDOUT, "%s: no time is left to ask",
				 request->what);
	CURL *easy = curl_easy_init();
	if (!easy || !headers_make(request, &headers)) {
		curl_easy_cleanup(easy);
		return error_errno(error, -ENOMEM, "cannot prepare libcurl");
	}
	CURLcode code = options_set(easy, request, &transfer, headers);
	CLEANUP(freep) char *agent = string_format("origin-ca-agent/%s", path_version);
	HTTP_SET(CURLOPT_USERAGENT, agent);
	if (code != CURLE_OK) {
		result = error_set(error, ERROR_LOCAL, -ENOTSUP,
				   "libcurl does not take an option that is needed: %s",
				   curl_easy_strerror(code));
	} else {
		code = http_perform(easy);
		long status = 0;
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		transfer.answer.status = (int)status;
		if (code != CURLE_OK)
			result = transfer_error(request, &transfer, code, error);
	}
	curl_easy_cleanup(easy);
	http_headers_free(headers);
	*ret_answer = transfer.answer;
	return result;
}

void http_form_add(struct buffer *form, const char *name, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	if (form->length)
		buffer_add_text(form, "&");
	buffer_add_format(form, "%s=", name);
	while (*value) {
		size_t length = strspn(value, plain);
		buffer_add(form, value, length);
		value += length;
		if (*value)
			buffer_add_format(form, "%%%02X", (unsigned char)*value++);
	}
}
