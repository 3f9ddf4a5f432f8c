#include "pass/schedule.h"

#include <errno.h>

#include "base/clock.h"
#include "base/file.h"

enum {
	RETRY_FIRST = 30,
	RETRY_MOST = 6 * 3600,
	RETRY_BUG_MOST = 24 * 3600,
	RETRY_LOCAL = 5 * 60,
	RETRY_EMERGENCY = 3600,
	RETRY_AFTER_MOST = 24 * 3600, /* whatever the other side asks for */
	BUDGET_WINDOW = 24 * 3600,
	EMERGENCY_SHARE = 20, /* of the lifetime: the rule of DESIGN 9 */
	SPLAY_SHARE = 10,     /* of the renewal window */
};

/* FNV-1a: any stable spread does; nothing secret depends on it. */
static uint64_t spread(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static uint64_t host_hash(void)
{
	struct buffer id = BUFFER(256);
	if (file_read("/etc/machine-id", &id, NULL) < 0)
		buffer_add_text(&id, "no machine id");
	uint64_t hash = spread(UINT64_C(14695981039346656037), buffer_text(&id));
	buffer_free(&id);
	return hash;
}

static int64_t splay_of(const struct config *config, const struct config_certificate *certificate,
			int64_t window)
{
	static _Atomic uint64_t host; /* read once; the value never changes while we run */
	if (!host)
		host = host_hash() | 1;
	int64_t most = config->agent.splay >= 0 ? config->agent.splay : window / SPLAY_SHARE;
	if (most > window / 2)
		most = window / 2; /* a splay must not eat the time that is left to renew in */
	if (most <= 0)
		return 0;
	/* The low bits of FNV are its best; the middle ones decide here. */
	return (int64_t)((spread(host, certificate->name) >> 11) % (uint64_t)most);
}

struct renewal schedule_renewal(const struct config *config,
				const struct config_certificate *certificate,
				const struct leaf_facts *facts)
{
	int64_t lifetime = facts->not_after - facts->not_before;
	if (lifetime < 0)
		lifetime = 0;
	int64_t before = certificate->renew_before.seconds;
	if (before <= 0)
		before = lifetime / 100 * certificate->renew_before.percent;
	/* A certificate shorter than its own renewal window would be renewed at every pass. */
	if (before > lifetime / 10 * 9)
		before = lifetime / 10 * 9;

	int64_t window = facts->not_after - before;
	return (struct renewal){
		.window = window,
		.moment = window + splay_of(config, certificate, before),
		.emergency = facts->not_after - lifetime / EMERGENCY_SHARE,
	};
}

/* first, 2 first, 4 first ... at most `most`. */
static int64_t doubled(int64_t first, unsigned count, int64_t most)
{
	int64_t delay = first;
	for (unsigned i = 1; i < count && delay < most; i++)
		delay *= 2;
	return delay < most ? delay : most;
}

static int64_t delay_of(enum error_class class, unsigned count, uint32_t jitter)
{
	switch (class) {
	case ERROR_TRANSIENT:
	case ERROR_DEPLOY: {
		int64_t most = doubled(RETRY_FIRST, count, RETRY_MOST - RETRY_FIRST);
		return RETRY_FIRST + (int64_t)(((uint64_t)most * jitter) >> 32);
	}
	case ERROR_LOCAL:
		return RETRY_LOCAL;
	case ERROR_BUG:
		return doubled(RETRY_MOST, count, RETRY_BUG_MOST);
	case ERROR_CONFIGURATION:
	case ERROR_AUTHORIZATION:
	case ERROR_NONE:
		break;
	}
	return RETRY_MOST;
}

int64_t schedule_retry(const struct error *error, unsigned count, int64_t emergency,
		       uint32_t jitter, int64_t now)
{
	int64_t delay = delay_of(error->class, count, jitter);
	int64_t asked =
		error->retry_after < RETRY_AFTER_MOST ? error->retry_after : RETRY_AFTER_MOST;
	int64_t most = emergency > now + RETRY_EMERGENCY ? emergency - now : RETRY_EMERGENCY;
	if (error->code == -EDQUOT)
		most = RETRY_AFTER_MOST;
	/* Nobody goes dark for want of the first certificate: there the other side is heard. */
	if (emergency == 0 && most < asked)
		most = asked;
	if (delay < asked)
		delay = asked;
	return now + (delay < most ? delay : most);
}

int64_t schedule_budget(const struct state *state, int64_t now)
{
	/* The moment when the oldest of the newest SCHEDULE_BUDGET leaves the window. */
	int64_t newest[SCHEDULE_BUDGET] = {0};
	for (size_t i = 0; i < state->issue_count; i++) {
		int64_t at = state->issues[i];
		if (at > now + BUDGET_WINDOW)
			continue;
		for (size_t j = 0; j < SCHEDULE_BUDGET; j++)
			if (at > newest[j]) {
				int64_t smaller = newest[j];
				newest[j] = at;
				at = smaller;
			}
	}
	int64_t allowed = newest[SCHEDULE_BUDGET - 1] + BUDGET_WINDOW;
	return newest[SCHEDULE_BUDGET - 1] && allowed > now ? allowed : 0;
}
