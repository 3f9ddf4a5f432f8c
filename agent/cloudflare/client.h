/*
 * client.h - one account's connection to Cloudflare's API v4: HTTP, envelope, error classes.
 *
 * A client keeps its connections and its rate-limit state; it may be used by several threads at
 * once (each call takes an easy handle with a connection of its own from a pool; TLS sessions and
 * DNS are shared). Facts: cloudflare/API.md. TLS verification cannot be switched off. https only;
 * plain http only where the endpoint's host is a loopback address. Redirects are not followed.
 */
#ifndef ORIGIN_CA_CLOUDFLARE_CLIENT_H
#define ORIGIN_CA_CLOUDFLARE_CLIENT_H

#include <cjson/cJSON.h>

#include "base/error.h"
#include "base/json.h"
#include "cloudflare/token.h"
#include "config/model.h"

enum {
	CLIENT_BODY_LIMIT = 8 << 20, /* bytes of an answer */
	CLIENT_TRIES = 4,	     /* of one call within a pass */
};

struct client;

/*
 * Reads the token (token.h) and prepares libcurl; connects to nothing yet.
 * `deadline_ms` (clock_monotonic_ms(); 0: none) bounds all calls and their waits together.
 */
int client_new(const struct config_api *api, int64_t deadline_ms, struct client **ret_client,
	       struct error *error);
/* As above with a token that need not be in a file yet; `path` is what remedies call its place. */
int client_new_with(const struct config_api *api, const char *token, const char *path,
		    int64_t deadline_ms, struct client **ret_client, struct error *error);
void client_free(struct client *client);

/*
 * One call. `path` starts with a slash and is appended to the endpoint ("/certificates?page=1");
 * `body` may be NULL. On success `ret_answer` is the whole envelope (cJSON_Delete() it).
 *
 * What is retried here: with full jitter from 1 s doubling, at most CLIENT_TRIES times and never
 * past the deadline: connection failures, transient errors and rate limits; Retry-After and
 * `Ratelimit: ...;r=0;t=N` are obeyed when they end before the deadline, else the call fails at
 * once with error->retry_after set. What is NOT retried here: a POST whose outcome is unknown
 * (the request was sent and no complete, parseable answer came; a 5xx without an error code that
 * we know; 1100): class transient with error->outcome_unknown set, and the caller must look whether
 * it was carried out. GET and DELETE are repeatable. A request that is not is only sent when a
 * second is left before the deadline.
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

/*
 * Has the API tell its time, for client_clock_offset(), unless an answer already did: GET /ips,
 * which is small and needs no permission. Any answer will do, an error of whatever kind, too; 0
 * also when it bears no date. Negative, as of client_call(), when nobody answers.
 */
int client_clock_ask(struct client *client, struct error *error);

/* The account's name for messages: "[api]" or "[api NAME]". */
const char *client_label(const struct client *client);

/* Is the token an account's ("cfat_") and not a user's? */
bool client_token_is_accounts(const struct client *client);

/* For tests and benchmarks: the upper end of the first backoff, in milliseconds (default 1000). */
void client_backoff(struct client *client, int64_t first_ms);

DEFINE_CLEANUP(struct client *, client_free)

#endif
