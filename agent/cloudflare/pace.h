/*
 * pace.h - when the next request may go out: the API's rate limit, backoff, and the deadline.
 *
 * Shared by the threads of a client: when one of them was told to wait, all of them wait.
 * Moments are clock_monotonic_ms().
 */
#ifndef ORIGIN_CA_CLOUDFLARE_PACE_H
#define ORIGIN_CA_CLOUDFLARE_PACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	/* A wait that is longer than Cloudflare's window of five minutes by far is not waited for
	 * inside a call, even without a deadline. */
	PACE_WAIT_LIMIT = 15 * 60,
	/* What we believe of Retry-After and of a Ratelimit header. */
	PACE_SECONDS_LIMIT = 24 * 60 * 60,
};

struct pace {
	pthread_mutex_t lock;
	int64_t not_before_ms; /* no request of this client before */
	int64_t remaining;     /* as the last answer said, -1 unknown */
	int64_t deadline_ms;   /* 0: none */
	int64_t first_ms;      /* upper end of the first backoff; doubles */
};

void pace_init(struct pace *pace, int64_t deadline_ms);
void pace_destroy(struct pace *pace);

/*
 * Reads a Ratelimit header: `"default";r=1199;t=300`, or a list of such (draft-ietf-httpapi-
 * ratelimit-headers); of a list, the one with the fewest requests left. -EINVAL unless all of it
 * has that form. `ret_seconds` is -1 where there is no t.
 */
int ratelimit_parse(const char *value, int64_t *ret_remaining, int64_t *ret_seconds);

/* What an answer said. -1: nothing. `refused`: it was a 429, `wait_ms` the backoff if it said no
 * more than that. */
void pace_note(struct pace *pace, int64_t remaining, int64_t reset_seconds,
	       int64_t retry_after_seconds, bool refused, int64_t wait_ms);

/* Full jitter: 0 to first_ms * 2^tries. */
int64_t pace_backoff_ms(const struct pace *pace, unsigned tries);

/*
 * Waits until `until_ms` and until the API allows the next request, whichever is later. Returns
 * false without waiting when that is not before the deadline or too far away. `ret_asked` is then
 * how many seconds the API still asks us to wait (0: it does not, only the backoff did not fit).
 */
bool pace_wait(struct pace *pace, int64_t until_ms, int64_t *ret_asked);

int64_t pace_remaining(struct pace *pace);

/* Milliseconds to the deadline, at most `most`; 0 or less when it has passed. */
int64_t pace_budget_ms(const struct pace *pace, int64_t most);

#endif
