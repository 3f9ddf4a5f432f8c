#include "cloudflare/pace.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/stop.h"

enum {
	LOOK_AGAIN_MS = 500 /* while waiting */
};

void pace_init(struct pace *pace, int64_t deadline_ms)
{
	*pace = (struct pace){
		.remaining = -1,
		.deadline_ms = deadline_ms,
		.first_ms = 1000,
	};
	pthread_mutex_init(&pace->lock, NULL);
}

void pace_destroy(struct pace *pace)
{
	pthread_mutex_destroy(&pace->lock);
}

static const char *skip_space(const char *text)
{
	return text + strspn(text, " \t");
}

/* A number of 1 to 10 digits. */
static int number_read(const char **text, int64_t *ret_number)
{
	size_t length = strspn(*text, "0123456789");
	if (length < 1 || length > 10)
		return -EINVAL;
	int64_t number = 0;
	for (size_t i = 0; i < length; i++)
		number = number * 10 + ((*text)[i] - '0');
	*ret_number = number;
	*text += length;
	return 0;
}

/* `"name";r=1;t=2` of a list; parameters that we do not know are passed over. */
static int policy_read(const char **text, int64_t *ret_remaining, int64_t *ret_seconds)
{
	*ret_remaining = -1;
	*ret_seconds = -1;
	if (**text != '"')
		return -EINVAL;
	const char *at = strchr(*text + 1, '"');
	if (!at)
		return -EINVAL;
	at++;
	while (*at == ';') {
		at = skip_space(at + 1);
		size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_-.*");
		if (length < 1 || at[length] != '=')
			return -EINVAL;
		const char *name = at;
		at += length + 1;
		if (length == 1 && (*name == 'r' || *name == 't')) {
			if (number_read(&at, *name == 'r' ? ret_remaining : ret_seconds) < 0)
				return -EINVAL;
		} else {
			at += strcspn(at, ";, \t");
		}
	}
	*text = at;
	return *ret_remaining < 0 ? -EINVAL : 0;
}

int ratelimit_parse(const char *value, int64_t *ret_remaining, int64_t *ret_seconds)
{
	int64_t fewest = -1;
	int64_t fewest_seconds = -1;
	const char *at = skip_space(value);

	for (;;) {
		int64_t remaining = -1;
		int64_t seconds = -1;
		if (policy_read(&at, &remaining, &seconds) < 0)
			return -EINVAL;
		if (fewest < 0 || remaining < fewest) {
			fewest = remaining;
			fewest_seconds = seconds;
		}
		at = skip_space(at);
		if (*at == '\0')
			break;
		if (*at != ',')
			return -EINVAL;
		at = skip_space(at + 1);
	}
	*ret_remaining = fewest;
	*ret_seconds = fewest_seconds;
	return 0;
}

static int64_t limited(int64_t seconds)
{
	return seconds < PACE_SECONDS_LIMIT ? seconds : PACE_SECONDS_LIMIT;
}

void pace_note(struct pace *pace, int64_t remaining, int64_t reset_seconds,
	       int64_t retry_after_seconds, bool refused, int64_t wait_ms)
{
	int64_t now = clock_monotonic_ms();
	int64_t wait = 0;

	if (remaining == 0 && reset_seconds > 0)
		wait = limited(reset_seconds) * 1000;
	if (refused) {
		if (retry_after_seconds >= 0)
			wait = limited(retry_after_seconds) * 1000;
		else if (wait == 0)
			wait = wait_ms;
	}
	pthread_mutex_lock(&pace->lock);
	if (remaining >= 0)
		pace->remaining = remaining;
	if (wait > 0 && now + wait > pace->not_before_ms)
		pace->not_before_ms = now + wait;
	pthread_mutex_unlock(&pace->lock);
}

int64_t pace_backoff_ms(const struct pace *pace, unsigned tries)
{
	return (int64_t)random_below((uint64_t)pace->first_ms << (tries < 16 ? tries : 16));
}

bool pace_wait(struct pace *pace, int64_t until_ms, int64_t *ret_asked)
{
	*ret_asked = 0;
	for (;;) {
		pthread_mutex_lock(&pace->lock);
		int64_t not_before = pace->not_before_ms;
		pthread_mutex_unlock(&pace->lock);

		int64_t now = clock_monotonic_ms();
		int64_t until = until_ms > not_before ? until_ms : not_before;
		if (until <= now)
			return true;
		if (stop_requested() || until - now > PACE_WAIT_LIMIT * INT64_C(1000) ||
		    (pace->deadline_ms && until >= pace->deadline_ms)) {
			*ret_asked = not_before > now ? (not_before - now + 999) / 1000 : 0;
			return false;
		}
		/* Another thread may be told to wait longer meanwhile, or to stop: look again. */
		clock_sleep_ms(until - now < LOOK_AGAIN_MS ? until - now : LOOK_AGAIN_MS);
	}
}

int64_t pace_remaining(struct pace *pace)
{
	pthread_mutex_lock(&pace->lock);
	int64_t remaining = pace->remaining;
	pthread_mutex_unlock(&pace->lock);
	return remaining;
}

int64_t pace_budget_ms(const struct pace *pace, int64_t most)
{
	if (!pace->deadline_ms)
		return most;
	int64_t left = pace->deadline_ms - clock_monotonic_ms();
	return left < most ? left : most;
}
