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
#include "http/options.h"

enum {
	CONNECT_TIMEOUT_MS = 10 * 1000,
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

int transport_new(const struct config_api *api, const char *token, struct transport **ret_transport,
		  struct error *error)
{
	struct endpoint kind = {0};
	int result = http_start(error);
	if (result == 0)
		result = endpoint_check(api, &kind, error);
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
	transport->ca_directory = api->ca_file || kind.plain ? NULL : http_trust_directory();
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
	http_headers_free(transport->headers);
	http_headers_free(transport->body_headers);
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

static CURLcode options_of_trust(CURL *easy, const struct transport *transport)
{
	struct http_trust trust = {
		.plain = transport->kind.plain,
		/* A loopback endpoint is not reached through the environment's proxy. */
		.direct = transport->kind.loopback,
		.ca_file = transport->ca_file,
		.ca_directory = transport->ca_directory,
		.proxy = transport->proxy,
	};
	return http_set_trust(easy, &trust);
}

static CURLcode options_of_time(CURL *easy, int64_t timeout_ms)
{
	CURLcode code = http_set_time(easy, timeout_ms, CONNECT_TIMEOUT_MS);

	HTTP_SET(CURLOPT_MAXAGE_CONN, (long)IDLE_SECONDS);
	HTTP_SET(CURLOPT_MAXCONNECTS, 1L);
	HTTP_SET(CURLOPT_TCP_KEEPALIVE, 1L);
	return code;
}

static CURLcode options_of_request(CURL *easy, const struct transport *transport,
				   const char *method, const char *url, const char *body)
{
	CURLcode code = CURLE_OK;

	HTTP_SET(CURLOPT_URL, url);
	/* One connection carries one request at a time here: HTTP/2 would only add a layer. */
	HTTP_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	HTTP_SET(CURLOPT_USERAGENT, transport->user_agent);
	if (body || strcmp(method, "POST") == 0) {
		HTTP_SET(CURLOPT_POSTFIELDS, body ? body : "");
		HTTP_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? strlen(body) : 0));
		HTTP_SET(CURLOPT_HTTPHEADER, transport->body_headers);
	} else {
		HTTP_SET(CURLOPT_HTTPGET, 1L);
		HTTP_SET(CURLOPT_HTTPHEADER, transport->headers);
	}
	HTTP_SET(CURLOPT_CUSTOMREQUEST, method);
	return code;
}

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
