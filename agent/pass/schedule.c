#include "pass/schedule.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"

enum {
	RETRY_FIRST = 30,
	RETRY_MOST = 6 * 3600,
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

int64_t schedule_retry(const struct error *error, unsigned count, bool emergency, int64_t now)
{
	int64_t delay = RETRY_MOST;

	switch (error->class) {
	case ERROR_TRANSIENT:
	case ERROR_DEPLOY: {
		int64_t most = RETRY_FIRST;
		for (unsigned i = 1; i < count && most < RETRY_MOST; i++)
			most *= 2;
		if (most > RETRY_MOST)
			most = RETRY_MOST;
		delay = RETRY_FIRST + (int64_t)random_below((uint64_t)most);
		break;
	}
	case ERROR_LOCAL:
		delay = RETRY_LOCAL;
		break;
	case ERROR_CONFIGURATION:
	case ERROR_AUTHORIZATION:
	case ERROR_BUG:
	case ERROR_NONE:
		break;
	}
	if (emergency && delay > RETRY_EMERGENCY)
		delay = RETRY_EMERGENCY;
	int64_t asked =
		error->retry_after < RETRY_AFTER_MOST ? error->retry_after : RETRY_AFTER_MOST;
	if (delay < asked)
		delay = asked;
	return now + delay;
}

int64_t schedule_budget(const struct state *state, int64_t now)
{
	/* The moment when the oldest of the newest SCHEDULE_BUDGET leaves the window. */
	int64_t newest[SCHEDULE_BUDGET] = {0};
	for (size_t i = 0; i < state->issue_count; i++) {
		int64_t at = state->issues[i];
		/* A moment ahead of us was noted by a clock that was wrong. */
		if (at > now)
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
