/*
 * transfer.h - one HTTP exchange with the API through libcurl, and what is known of its fate.
 *
 * A transport keeps easy handles in a pool, each with its own persistent connection: libcurl does
 * not support sharing connections between threads that run at once (CURLSHOPT_SHARE(3)). Names
 * that were resolved and TLS sessions are shared.
 */
#ifndef ORIGIN_CA_CLOUDFLARE_TRANSFER_H
#define ORIGIN_CA_CLOUDFLARE_TRANSFER_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/model.h"

struct transport;

/* `token` NULL: for files that need none, asked for below `api->endpoint`. */
int transport_new(const struct config_api *api, const char *token, struct transport **ret_transport,
		  struct error *error);
void transport_free(struct transport *transport);

/* An HTTP answer. Free with exchange_free(). */
struct exchange {
	int http_status; /* 0: none came */
	struct buffer body;
	char cf_ray[48];
	int64_t retry_after; /* seconds, -1: none */
	int64_t retry_at;    /* the same where it was a date, 0: it was none */
	int64_t remaining;   /* Ratelimit's r, -1: none */
	int64_t reset;	     /* Ratelimit's t, -1: none */
	int64_t date;	     /* Date, 0: none */
};
void exchange_free(struct exchange *exchange);

/*
 * Sends the request once and reads the answer. `body` is JSON text or NULL; `timeout_ms` bounds
 * all of it. Returns 0 when a whole answer came (of whatever status), or when only the status of a
 * 4xx came whole: that alone says that nothing was done. 400 is the exception, as the API hides
 * internal errors behind it.
 *
 * Else the classified error; outcome_unknown is set when a method that is not repeatable may have
 * reached the API. `ret_exchange` is always set.
 */
int transport_perform(struct transport *transport, const char *method, const char *path,
		      const char *body, int64_t timeout_ms, struct exchange *ret_exchange,
		      struct error *error);

DEFINE_CLEANUP(struct transport *, transport_free)

#endif
