#include "pass/group_look.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pass/awaited.h"
#include "pass/commit.h"
#include "pass/verify.h"
#include "target/kind.h"
#include "target/server_config.h"

enum {
	POLL_FIRST_MS = 20, /* between two rounds of handshakes, doubling ... */
	POLL_MOST_MS = 500, /* ... to this */
	UNNAMED_MS = 2000,  /* for a server that includes nothing of ours */
};

/* One look at all items of a group. */
struct look {
	const struct group *group;
	const struct config_target *target;
	struct probe *probe;
	struct verify *verifies; /* an item each */
	int64_t began;
	int64_t deadline;
	bool read; /* the server's configuration, or there is no need to */
};

/* One round of handshakes, for those that do not hold yet. Returns how many are left. */
static size_t round_of(struct look *look)
{
	size_t missing = 0;
	bool mute = false; /* who hangs for one name hangs for all */
	for (size_t i = 0; i < look->group->count; i++) {
		struct verify *verify = &look->verifies[i];
		if (verify_holds(verify))
			continue;
		if (mute) {
			missing++;
			continue;
		}
		/* However many there are, each is asked at least once. */
		int64_t now = clock_monotonic_ms();
		verify_look(verify, look->probe,
			    look->deadline > now + 1000 ? look->deadline : now + 1000);
		missing += !verify_holds(verify);
		mute = verify->error.code == -ETIMEDOUT;
	}
	return missing;
}

/* Nothing of ours is in the server's configuration, and nothing that is missing was ever shown. */
static bool is_in_vain(struct look *look)
{
	const char *const *configuration = target_kind(look->target->type)->configuration;
	if (look->read || clock_monotonic_ms() < look->began + UNNAMED_MS)
		return false;
	look->read = true;
	for (size_t i = 0; i < look->group->count; i++) {
		const struct state_target *state =
			state_target_find(&look->group->items[i].job->state, look->target->name);
		if (!verify_holds(&look->verifies[i]) && state && state->verified_generation)
			return false;
	}
	return configuration && server_config_names(configuration, look->target->snippet_dir) == 0;
}

static void conclude(struct look *look, int64_t timeout_ms)
{
	for (size_t i = 0; i < look->group->count; i++) {
		const struct group_item *item = &look->group->items[i];
		struct pass_target_job *target_job = item->target_job;
		struct verify *verify = &look->verifies[i];
		target_job->verified = verify_holds(verify);
		target_job->looked_ms = timeout_ms;
		if (!target_job->verified) {
			CLEANUP(freep) char *path = commit_path(item->job, target_job);
			verify_explain(verify, path, &target_job->error);
			if (stop_cut_off(look->deadline))
				stop_error(&target_job->error,
					   "the server was not asked for as long as it may take");
		}
		verify_end(verify);
	}
}

/* Rounds of handshakes until every item holds, the time is over, or there is nothing to wait for.
 */
static void look_for(struct group *group, struct probe *probe, int64_t timeout_ms)
{
	int64_t now = clock_monotonic_ms();
	int64_t until = group->pass->deadline_ms;
	struct look look = {
		.group = group,
		.target = group->pass->config->targets[group->index],
		.probe = probe,
		.verifies = memory_alloc(group->count, sizeof(*look.verifies)),
		.began = now,
		.deadline = now + timeout_ms < until ? now + timeout_ms : until,
	};
	for (size_t i = 0; i < group->count; i++)
		verify_begin(&look.verifies[i], group->pass, group->items[i].job,
			     group->items[i].target_job);
	size_t missing = 0;
	int64_t pause = POLL_FIRST_MS;
	while ((missing = round_of(&look)) > 0 &&
	       clock_monotonic_ms() + pause < stop_cut(look.deadline) && !is_in_vain(&look)) {
		log_progress("%s: %zu of %zu certificates served", look.target->name,
			     group->count - missing, group->count);
		clock_sleep_ms(pause);
		pause = pause * 2 < POLL_MOST_MS ? pause * 2 : POLL_MOST_MS;
	}
	conclude(&look, timeout_ms);
	free(look.verifies);
	log_progress("%s", "");
}

void group_look(struct group *group, bool patient)
{
	struct pass_target *shared = &group->pass->targets[group->index];
	const struct config_target *target = shared->target;
	CLEANUP(probe_freep) struct probe *probe = NULL;
	struct error error = {0};
	if (!target->probe_host) {
		for (size_t i = 0; i < group->count; i++)
			group->items[i].target_job->verified = true;
		return;
	}
	if (group->count == 0)
		return;
	if (probe_new(&probe, &error) < 0) {
		for (size_t i = 0; i < group->count; i++) {
			group->items[i].target_job->error = error;
			group->items[i].target_job->refused = false;
		}
		return;
	}
	look_for(group, probe, patient ? awaited_patience_ms(group) : 0);
	const struct error *seen = &group->items[0].target_job->error;
	if (target_kind(target->type)->slow &&
	    (seen->code == -ETIMEDOUT || seen->code == -ECONNREFUSED))
		shared->mute = true;
}
