#include "cloudflare/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "base/paths.h"
#include "cloudflare/answer.h"
#include "cloudflare/endpoint.h"
#include "cloudflare/envelope.h"
#include "cloudflare/fault.h"

enum {
	CONNECT_TIMEOUT_MS = 10 * 1000,
	SLOW_SECONDS = 30, /* without one byte: the other side is gone, whatever `timeout` says */
	IDLE_SECONDS = 60, /* a connection that was idle for longer is not used again */
};

struct handle {
	CURL *easy;
	struct handle *next; /* in the pool */
};

struct transport {
	char *endpoint; /* without a final slash */
	struct endpoint kind;
	char *ca_file;		  /* NULL: the system's */
	const char *ca_directory; /* where ca_file is NULL; NULL: libcurl's bundle */
	char *proxy;		  /* NULL: the environment's */
	char *user_agent;
	struct curl_slist *headers;	 /* of a request without body */
	struct curl_slist *body_headers; /* of a request with one */
	CURLSH *share;
	pthread_mutex_t share_locks[CURL_LOCK_DATA_LAST];
	pthread_mutex_t pool_lock;
	struct handle *idle; /* last used first: its connection is the freshest */
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;

static void global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* CURLSHOPT_LOCKFUNC. */
static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access, void *context)
{
	(void)easy;
	(void)access;
	struct transport *transport = context;
	pthread_mutex_lock(&transport->share_locks[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *context)
{
	(void)easy;
	struct transport *transport = context;
	pthread_mutex_unlock(&transport->share_locks[data]);
}

static bool share_make(struct transport *transport)
{
	transport->share = curl_share_init();
	CURLSH *share = transport->share;
	return share && curl_share_setopt(share, CURLSHOPT_USERDATA, transport) == CURLSHE_OK &&
	       curl_share_setopt(share, CURLSHOPT_LOCKFUNC, share_lock) == CURLSHE_OK &&
	       curl_share_setopt(share, CURLSHOPT_UNLOCKFUNC, share_unlock) == CURLSHE_OK &&
	       curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
	       curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK;
}

static bool header_add(struct curl_slist **list, const char *header)
{
	struct curl_slist *longer = curl_slist_append(*list, header);
	if (longer)
		*list = longer;
	return longer != NULL;
}

static bool headers_make(struct transport *transport, const char *token)
{
	if (!token)
		return true;
	char *authorization = string_format("Authorization: Bearer %s", token);
	bool good = header_add(&transport->headers, authorization) &&
		    header_add(&transport->headers, "Accept: application/json") &&
		    header_add(&transport->body_headers, authorization) &&
		    header_add(&transport->body_headers, "Accept: application/json") &&
		    header_add(&transport->body_headers, "Content-Type: application/json") &&
		    /* No second round trip for a body of some kilobytes. */
		    header_add(&transport->body_headers, "Expect:");
	secret_free(authorization);
	return good;
}

static void headers_free(struct curl_slist *list)
{
	for (struct curl_slist *item = list; item; item = item->next)
		explicit_bzero(item->data, strlen(item->data));
	curl_slist_free_all(list);
}

int transport_new(const struct config_api *api, const char *token, struct transport **ret_transport,
		  struct error *error)
{
	pthread_once(&global_once, global_init);
	if (global_result != CURLE_OK)
		return error_set(error, ERROR_LOCAL, -ENOMEM, "libcurl does not start: %s",
				 curl_easy_strerror(global_result));

	struct endpoint kind = {0};
	int result = endpoint_check(api, &kind, error);
	if (result < 0)
		return result;

	struct transport *transport = memory_alloc(1, sizeof(*transport));
	for (size_t i = 0; i < ARRAY_SIZE(transport->share_locks); i++)
		pthread_mutex_init(&transport->share_locks[i], NULL);
	pthread_mutex_init(&transport->pool_lock, NULL);
	transport->kind = kind;
	size_t length = strlen(api->endpoint);
	while (length > 0 && api->endpoint[length - 1] == '/')
		length--;
	transport->endpoint = string_copy_n(api->endpoint, length);
	transport->ca_file = string_copy(api->ca_file);
	transport->ca_directory = api->ca_file || kind.plain ? NULL : trust_directory();
	transport->proxy = string_copy(api->proxy);
	transport->user_agent = string_format("origin-ca-agent/%s", path_version);
	if (!headers_make(transport, token) || !share_make(transport)) {
		transport_free(transport);
		return error_errno(error, -ENOMEM, "cannot prepare libcurl");
	}
	*ret_transport = transport;
	return 0;
}

void transport_free(struct transport *transport)
{
	if (!transport)
		return;
	while (transport->idle) {
		struct handle *handle = transport->idle;
		transport->idle = handle->next;
		curl_easy_cleanup(handle->easy);
		free(handle);
	}
	curl_share_cleanup(transport->share);
	headers_free(transport->headers);
	headers_free(transport->body_headers);
	for (size_t i = 0; i < ARRAY_SIZE(transport->share_locks); i++)
		pthread_mutex_destroy(&transport->share_locks[i]);
	pthread_mutex_destroy(&transport->pool_lock);
	free(transport->endpoint);
	free(transport->ca_file);
	free(transport->proxy);
	free(transport->user_agent);
	free(transport);
}

static struct handle *handle_get(struct transport *transport)
{
	pthread_mutex_lock(&transport->pool_lock);
	struct handle *handle = transport->idle;
	if (handle)
		transport->idle = handle->next;
	pthread_mutex_unlock(&transport->pool_lock);
	if (handle)
		return handle;

	CURL *easy = curl_easy_init();
	if (!easy)
		return NULL;
	if (curl_easy_setopt(easy, CURLOPT_SHARE, transport->share) != CURLE_OK) {
		curl_easy_cleanup(easy);
		return NULL;
	}
	handle = memory_alloc(1, sizeof(*handle));
	handle->easy = easy;
	return handle;
}

static void handle_put(struct transport *transport, struct handle *handle)
{
	/* Keeps connection and share, forgets what points to this call's stack. */
	curl_easy_reset(handle->easy);
	pthread_mutex_lock(&transport->pool_lock);
	handle->next = transport->idle;
	transport->idle = handle;
	pthread_mutex_unlock(&transport->pool_lock);
}

/* Stops at the first option that libcurl does not take: none of these may be missing. */
#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (code == CURLE_OK)                                                              \
			code = curl_easy_setopt(easy, option, value);                              \
	} while (0)

/* Whom we believe, and what we never do. */
static CURLcode options_of_trust(CURL *easy, const struct transport *transport)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_PROTOCOLS_STR, transport->kind.plain ? "http" : "https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, transport->kind.plain ? "http" : "https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	if (transport->ca_file || transport->ca_directory) {
		/* NULL takes the built-in bundle out of play, which would be read as well. */
		SET(CURLOPT_CAINFO, transport->ca_file);
		SET(CURLOPT_CAPATH, transport->ca_directory);
		SET(CURLOPT_PROXY_CAINFO, transport->ca_file);
		SET(CURLOPT_PROXY_CAPATH, transport->ca_directory);
	}
	/* A loopback endpoint is not reached through the environment's proxy. */
	if (transport->proxy)
		SET(CURLOPT_PROXY, transport->proxy);
	else if (transport->kind.loopback)
		SET(CURLOPT_PROXY, "");
	/* The proxy does not get our headers, nor its answers to CONNECT our ear. */
	SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	return code;
}

static CURLcode options_of_time(CURL *easy, int64_t timeout_ms)
{
	CURLcode code = CURLE_OK;
	int64_t connect = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, (long)SLOW_SECONDS);
	SET(CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS);
	SET(CURLOPT_MAXCONNECTS, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else a resolver that hangs would be waited for past the timeout. */
	SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	return code;
}

static CURLcode options_of_request(CURL *easy, const struct transport *transport,
				   const char *method, const char *url, const char *body)
{
	CURLcode code = CURLE_OK;

	SET(CURLOPT_URL, url);
	/* One connection carries one request at a time here: HTTP/2 would only add a layer. */
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, transport->user_agent);
	if (body || strcmp(method, "POST") == 0) {
		SET(CURLOPT_POSTFIELDS, body ? body : "");
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? strlen(body) : 0));
		SET(CURLOPT_HTTPHEADER, transport->body_headers);
	} else {
		SET(CURLOPT_HTTPGET, 1L);
		SET(CURLOPT_HTTPHEADER, transport->headers);
	}
	SET(CURLOPT_CUSTOMREQUEST, method);
	return code;
}

#undef SET

/* What is left of a request when it failed: did it come to the API, and what came back. */
static int fate_decide(const struct fault *fault, const struct exchange *exchange,
		       struct error *error)
{
	int status = exchange->http_status;

	if (fault->code == CURLE_OK)
		return 0;
	if (fault->sent && status > 400 && status < 500)
		return 0;
	return fault_error(fault, error);
}

void exchange_free(struct exchange *exchange)
{
	buffer_free(&exchange->body);
}

int transport_perform(struct transport *transport, const char *method, const char *path,
		      const char *body, int64_t timeout_ms, struct exchange *ret_exchange,
		      struct error *error)
{
	*ret_exchange = (struct exchange){.body = BUFFER(0)};
	struct handle *handle = handle_get(transport);
	if (!handle)
		return error_errno(error, -ENOMEM, "cannot prepare libcurl");

	CLEANUP(freep) char *url = string_format("%s%s", transport->endpoint, path);
	CURL *easy = handle->easy;
	struct answer answer;
	CURLcode code = options_of_trust(easy, transport);
	if (code == CURLE_OK)
		code = options_of_time(easy, timeout_ms);
	if (code == CURLE_OK)
		code = options_of_request(easy, transport, method, url, body);
	if (code == CURLE_OK)
		code = answer_attach(&answer, easy, method_repeatable(method));
	if (code != CURLE_OK) {
		handle_put(transport, handle);
		return error_set(error, ERROR_LOCAL, -ENOTSUP,
				 "libcurl does not take an option that is needed: %s",
				 curl_easy_strerror(code));
	}
	struct fault fault = {.method = method, .path = path};
	answer_perform(&answer, easy, &fault);
	*ret_exchange = answer.exchange;
	handle_put(transport, handle);
	return fate_decide(&fault, ret_exchange, error);
}
