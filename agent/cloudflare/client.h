/*
 * client.h - one account's connection to Cloudflare's API v4: HTTP, envelope, error classes.
 *
 * A client keeps its connections and its rate-limit state; it may be used by several threads at
 * once (each call takes an easy handle of its own from a pool; connections, TLS sessions and DNS
 * are shared). Facts: cloudflare/API.md. TLS verification cannot be switched off. https only;
 * plain http only where the endpoint's host is a loopback address. Redirects are not followed.
 */
#ifndef ORIGIN_CA_CLOUDFLARE_CLIENT_H
#define ORIGIN_CA_CLOUDFLARE_CLIENT_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "base/json.h"
#include "config/model.h"

enum {
	CLIENT_BODY_LIMIT = 8 << 20, /* bytes of an answer */
	CLIENT_TRIES = 4,	     /* of one call within a pass */
};

struct client;

/*
 * Reads the token (token_read() below) and prepares libcurl; connects to nothing yet.
 * `deadline_ms` (clock_monotonic_ms(); 0: none) bounds all calls and their waits together.
 */
int client_new(const struct config_api *api, int64_t deadline_ms, struct client **ret_client,
	       struct error *error);
void client_free(struct client *client);

/*
 * The API token of `api`: its token_file, else $CREDENTIALS_DIRECTORY/api-token (systemd), else
 * /etc/origin-ca-agent/api-token. White space at the end is cut off. Refused, each with a remedy:
 * absent, empty, more than 4096 bytes, more than one line, readable or writable by others (mode &
 * 077, unless it comes from the credentials directory or is root-owned with group read only: mode &
 * 037), an Origin CA key ("v1.0-", ended 2026-09-30), a Global API key ("cfk_"). Free with
 * secret_free().
 */
int token_read(const struct config_api *api, char **ret_token, struct error *error);

/*
 * One call. `path` starts with a slash and is appended to the endpoint ("/certificates?page=1");
 * `body` may be NULL. On success `ret_answer` is the whole envelope (cJSON_Delete() it).
 *
 * What is retried here: with full jitter from 1 s doubling, at most CLIENT_TRIES times and never
 * past the deadline: connection failures, transient errors and rate limits; Retry-After and
 * `Ratelimit: ...;r=0;t=N` are obeyed when they end before the deadline, else the call fails at
 * once with error->retry_after set. What is NOT retried here: a POST whose outcome is unknown
 * (the request was sent and no complete, parseable answer came; a 5xx without an error code of
 * Cloudflare's): class transient with error->outcome_unknown set, and the caller must look whether
 * it was carried out. GET and DELETE are repeatable.
 *
 * Errors: class by `errors[].code`, then by HTTP status, as the table of cloudflare/API.md;
 * message "METHOD PATH: CODE MESSAGE (HTTP STATUS, CF-Ray RAY)" (what is not known left out), all
 * errors of the list and their error_chain; never the token, never the request's body; remedy
 * where the table knows one.
 */
int client_call(struct client *client, const char *method, const char *path, const cJSON *body,
		cJSON **ret_answer, struct error *error);

/* The Cloudflare error code that decided the last error made by client_call(), from its error;
 * kept beside it so that callers can tell 1014, 1101 ... 0: none. */
struct client_status {
	int http_status; /* 0: no answer */
	int code;	 /* errors[].code that decided */
};

/* As client_call(), and says which status and code decided. `ret_status` is always set. */
int client_call_status(struct client *client, const char *method, const char *path,
		       const cJSON *body, cJSON **ret_answer, struct client_status *ret_status,
		       struct error *error);

/* Requests that the rate limit still allows as the last answer said, -1 unknown. */
int64_t client_remaining(const struct client *client);

/* Server time minus ours by the last Date header, seconds; false when none was seen. */
bool client_clock_offset(const struct client *client, int64_t *ret_seconds);

/* The account's name for messages: "[api]" or "[api NAME]". */
const char *client_label(const struct client *client);

/* Parses one answer as client_call() does; for tests and the fuzzer. `headers_retry_after` -1:
 * none. Returns 0 and the envelope, or the classified error. */
int envelope_parse(const char *body, size_t length, int http_status, const char *method,
		   const char *path, const char *cf_ray, int64_t headers_retry_after,
		   cJSON **ret_answer, int *ret_code, struct error *error);

DEFINE_CLEANUP(struct client *, client_free)

#endif
