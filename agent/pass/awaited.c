#include "pass/awaited.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "config/duration.h"
#include "pass/job.h"
#include "target/kind.h"

enum {
	AGAIN_FIRST = 10, /* seconds from one look to the next, growing with what has passed ... */
	AGAIN_MOST = 5 * 60, /* ... to this */
};

static bool is_slow(const struct config_target *target)
{
	return target_kind(target->type)->slow;
}

int64_t awaited_patience_ms(const struct group *group)
{
	const struct pass_target *target = &group->pass->targets[group->index];
	return is_slow(target->target) && (target->mute || target->slow)
		       ? 0
		       : target_look_ms(target->target,
					group->items[0].job->certificate->hostnames.count);
}

static struct state_target *state_of(const struct group_item *item)
{
	return state_target_get(&item->job->state, item->target_job->target->name);
}

void awaited_begin(struct group *group)
{
	const struct pass_target *target = &group->pass->targets[group->index];
	int64_t now = clock_now();
	if (!is_slow(target->target) || !target->target->probe_host)
		return;
	for (size_t i = 0; i < group->count; i++) {
		const struct group_item *item = &group->items[i];
		struct state_target *state = state_of(item);
		/* One that was noted by a clock that is ahead of us would never be over. */
		if (state->awaited_generation == item->job->state.newest &&
		    state->awaited_since <= now && !item->target_job->deployed)
			continue;
		state->awaited_generation = item->job->state.newest;
		state->awaited_since = now;
		state->awaited_next = now + AGAIN_FIRST;
		item->job->dirty = true;
		job_save(group->pass, item->job);
	}
}

/* Twice as long as it has lasted, within bounds, and never past its end. */
static int64_t next_of(const struct state_target *state, const struct config_target *target,
		       int64_t now)
{
	int64_t lasted = now - state->awaited_since;
	int64_t end = state->awaited_since + target->probe_timeout;
	int64_t next = now + (lasted < AGAIN_FIRST  ? AGAIN_FIRST
			      : lasted > AGAIN_MOST ? AGAIN_MOST
						    : lasted);
	return next < end ? next : end;
}

bool awaited_goes_on(const struct group *group, struct group_item *item)
{
	struct pass_target *target = &group->pass->targets[group->index];
	const struct config_target *config = target->target;
	if (!is_slow(config) || !config->probe_host || item->target_job->verified)
		return false;
	struct state_target *state = state_of(item);
	int64_t now = clock_now();
	/* In whole seconds a look of all its time may seem a little shorter than that. */
	bool looked_throughout = item->target_job->looked_ms >= config->probe_timeout * 1000;
	if (state->awaited_generation != item->job->state.newest || looked_throughout ||
	    now < state->awaited_since || now >= state->awaited_since + config->probe_timeout)
		return false;
	state->awaited_next = next_of(state, config, now);
	item->job->dirty = true;
	item->target_job->awaited = true;
	error_clear(&item->target_job->error);
	target->slow = true;
	CLEANUP(freep) char *text = awaited_text(group->pass, item->job, item->target_job);
	log_info("%s: %s: %s", item->job->certificate->name, config->name, text);
	return true;
}

void awaited_end(struct state_target *state)
{
	state->awaited_generation = 0;
	state->awaited_since = state->awaited_next = 0;
}

int64_t awaited_due(const struct state_target *state, unsigned generation)
{
	return state && generation && state->awaited_generation == generation ? state->awaited_next
									      : 0;
}

char *awaited_text(const struct pass *pass, const struct pass_job *job,
		   const struct pass_target_job *target_job)
{
	const struct config_target *target = target_job->target;
	const struct state_target *state = state_target_find(&job->state, target->name);
	char lasts[DURATION_TEXT_SIZE];
	char since[CLOCK_TEXT_SIZE];
	char until[CLOCK_TEXT_SIZE];
	if (!awaited_due(state, job->state.newest) || !target->probe_host)
		return NULL;
	int64_t lasted = pass->now - state->awaited_since;
	return string_format(
		"generation %u is delivered, and waits since %s (%s) for its platform to take it "
		"up: %s:%u does not show it yet; it has until %s (probe_timeout)",
		job->state.newest, clock_format(state->awaited_since, since),
		duration_format(lasted > 0 ? lasted : 0, lasts), target->probe_host,
		target->probe_port,
		clock_format(state->awaited_since + target->probe_timeout, until));
}

void awaited_json(const struct pass_job *job, const struct pass_target_job *target_job,
		  cJSON *object)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	if (!awaited_due(state, job->state.newest))
		return;
	json_add_time(object, "awaited_since", state->awaited_since);
	json_add_time(object, "awaited_until",
		      state->awaited_since + target_job->target->probe_timeout);
}
