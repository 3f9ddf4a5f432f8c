/* limit.h - so many requests in so many seconds, then none for as long (API.md, "Limits"). */
#ifndef ORIGIN_CA_SANDBOX_LIMIT_H
#define ORIGIN_CA_SANDBOX_LIMIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	LIMIT_REQUESTS = 1200, /* as Cloudflare, per user over all tokens */
	LIMIT_SECONDS = 300
};

struct limit {
	pthread_mutex_t lock;
	int64_t requests; /* a window; 0: unlimited */
	int64_t seconds;  /* of a window */
	int64_t used;
	int64_t window_ends;   /* clock_monotonic_ms() */
	int64_t blocked_until; /* as above */
};

/* For the headers of an answer. */
struct limit_state {
	int64_t remaining;
	int64_t reset; /* seconds until there are more again, at least 1 */
};

void limit_init(struct limit *limit, int64_t requests, int64_t seconds);
void limit_free(struct limit *limit);

/* Counts one request; false when it must be answered with 429. */
bool limit_take(struct limit *limit, struct limit_state *ret_state);

/* The state without counting. */
void limit_look(struct limit *limit, struct limit_state *ret_state);

#endif
