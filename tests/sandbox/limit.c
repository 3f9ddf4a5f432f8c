#include "limit.h"

#include "base/clock.h"

void limit_init(struct limit *limit, int64_t requests, int64_t seconds)
{
	*limit = (struct limit){.requests = requests, .seconds = seconds};
	pthread_mutex_init(&limit->lock, NULL);
}

void limit_free(struct limit *limit)
{
	pthread_mutex_destroy(&limit->lock);
}

static int64_t seconds_until(int64_t moment, int64_t now)
{
	return moment > now ? (moment - now + 999) / 1000 : 1;
}

static void describe(const struct limit *limit, int64_t now, struct limit_state *state)
{
	if (limit->requests == 0) {
		*state = (struct limit_state){LIMIT_REQUESTS, LIMIT_SECONDS};
		return;
	}
	bool blocked = now < limit->blocked_until;
	state->remaining = blocked ? 0 : limit->requests - limit->used;
	state->reset = seconds_until(blocked ? limit->blocked_until : limit->window_ends, now);
}

static void window_turn(struct limit *limit, int64_t now)
{
	if (now >= limit->window_ends && now >= limit->blocked_until) {
		limit->used = 0;
		limit->window_ends = now + limit->seconds * 1000;
	}
}

bool limit_take(struct limit *limit, struct limit_state *ret_state)
{
	int64_t now = clock_monotonic_ms();
	pthread_mutex_lock(&limit->lock);
	window_turn(limit, now);
	bool allowed = limit->requests == 0;
	if (!allowed && now >= limit->blocked_until) {
		allowed = limit->used < limit->requests;
		if (allowed)
			limit->used++;
		else
			limit->blocked_until = now + limit->seconds * 1000;
	}
	describe(limit, now, ret_state);
	pthread_mutex_unlock(&limit->lock);
	return allowed;
}

void limit_look(struct limit *limit, struct limit_state *ret_state)
{
	int64_t now = clock_monotonic_ms();
	pthread_mutex_lock(&limit->lock);
	window_turn(limit, now);
	describe(limit, now, ret_state);
	pthread_mutex_unlock(&limit->lock);
}
