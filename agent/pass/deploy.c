#include "pass/deploy.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pass/commit.h"
#include "pass/group.h"
#include "pass/job.h"
#include "pass/plan.h"
#include "pass/reload.h"
#include "pass/schedule.h"
#include "pass/served.h"
#include "pass/siblings.h"
#include "pass/trust.h"
#include "target/kind.h"

void deploy_placeholder(struct pass *pass, struct pass_job *job)
{
	if (job->state.newest || job->target_count == 0)
		return;

	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	int result = store_certificate_open(&pass->store, job->certificate->name, true, &directory,
					    &error);
	if (result == 0)
		result = job_placeholder(pass, job, directory, &error);
	for (size_t i = 0; result == 0 && i < job->target_count; i++) {
		struct pass_target_job *target_job = &job->targets[i];
		if (target_job->reasons & REDEPLOY_MISSING && !target_job->error.code)
			result = commit_snippet(pass, job, target_job, FILE_SYNC, &error);
	}
	/* Without it a server that is not running yet cannot start; issuing goes on all the same.
	 */
	if (result < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

enum {
	RESTART_PAUSE = CLOCK_HOUR
};

/* Who failed the last time and has siblings that would have to follow it back goes first. */
enum turn {
	TURN_FIRST,
	TURN_SECOND,
};

/* The jobs of one target that have something to deploy there. */
static void group_fill(struct pass *pass, size_t index, enum turn turn, struct group *group)
{
	*group = (struct group){.pass = pass, .index = index};
	group->items = memory_alloc(pass->job_count, sizeof(*group->items));
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		for (size_t j = 0; j < job->target_count; j++) {
			struct pass_target_job *target_job = &job->targets[j];
			/* With `derive`, what a snippet would name is not there: job->error says
			 * why. */
			if (target_job->index != index || !target_job->reasons ||
			    !job->state.newest || target_job->waiting || target_job->error.code ||
			    target_job->verified ||
			    job->derive & (REDEPLOY_DAMAGED | REDEPLOY_FORMATS) ||
			    siblings_ask_first(job, target_job) != (turn == TURN_FIRST))
				continue;
			if (trust_client_ca_missing(pass, job->certificate, &target_job->error) < 0)
				continue;
			if (turn == TURN_SECOND && siblings_hold(pass, job, target_job))
				continue;
			group->items[group->count++] = (struct group_item){job, target_job};
		}
	}
}

static void record_failure(struct pass *pass, struct pass_job *job,
			   struct pass_target_job *target_job)
{
	struct state_target *state = state_target_get(&job->state, target_job->target->name);
	int64_t next = schedule_retry(&target_job->error, state->attempt.count + 1,
				      siblings_emergency_at(pass, job, target_job), pass->jitter,
				      pass->now);
	/* Forth and back are two restarts, which visitors notice. */
	if (target_job->target->reload == RELOAD_RESTART && state->verified_generation &&
	    next < pass->now + RESTART_PAUSE)
		next = pass->now + RESTART_PAUSE;
	/* It may only have been too slow for somebody who stopped the agent. */
	if (stop_requested())
		next = pass->now;
	CLEANUP(freep) char *fingerprint = plan_target_fingerprint(pass, job);
	state_attempt_fail(&state->attempt, &target_job->error, pass->now, next, fingerprint);
	state_event_add_of(&job->state, pass->now, target_job->refused ? "rolled-back" : "failed",
			   target_job->target->name, "%s: %s", target_job->target->name,
			   target_job->error.message)
		->generation = job->state.newest;
	job->state.counts.failures[target_job->error.class]++;
	job->dirty = true;
}

/* What the agent's stopping holds back is no event. */
static void record_held(const struct pass *pass, struct pass_job *job,
			const struct pass_target_job *target_job)
{
	if (target_job->error.class == ERROR_TRANSIENT)
		return;
	state_event_add_of(&job->state, pass->now, "held", target_job->target->name, "%s",
			   target_job->error.message)
		->generation = job->state.newest;
}

static void settle(struct pass *pass, struct pass_job *job, bool alone)
{
	for (size_t i = 0; i < job->target_count; i++) {
		struct pass_target_job *target_job = &job->targets[i];
		if (siblings_none(target_job) != alone)
			continue;
		/* An earlier pass may not have been able to, or not have lived to. */
		if (pass->options.full && target_job->verified && target_job->reasons == 0)
			commit_forget(pass, job, target_job);
		/* What is only waiting was recorded when it failed. */
		if (target_job->reasons == 0 || target_job->waiting)
			continue;
		if (target_job->verified)
			commit_settle(pass, job, target_job);
		else if (target_job->held) /* it waits with its sibling, or for the next pass */
			record_held(pass, job, target_job);
		else if (target_job->error.code)
			record_failure(pass, job, target_job);
	}
}

/* Readers of `live/NAME` are on this host: those that go alone count only where there are no
 * others. */
static bool counts(const struct pass_job *job, const struct pass_target_job *target_job)
{
	bool all_alone = true;
	for (size_t i = 0; i < job->target_count; i++)
		all_alone &= siblings_none(&job->targets[i]);
	return all_alone || !siblings_none(target_job);
}

/* Which generation all targets were verified with; `live/NAME` and pruning follow it. */
static void activate(struct pass *pass, struct pass_job *job)
{
	struct state *state = &job->state;
	bool everywhere = state->newest > 0;
	for (size_t i = 0; i < job->target_count; i++)
		everywhere &= job->targets[i].verified || !counts(job, &job->targets[i]);
	if (everywhere && state->active != state->newest) {
		state->active = state->newest;
		job->dirty = true;
	}
	unsigned live = state->active ? state->active : state->newest;
	/* One that never takes it must not let the others' readers run out of time. */
	bool somewhere = false;
	for (size_t i = 0; i < job->target_count; i++)
		somewhere |= job->targets[i].verified && counts(job, &job->targets[i]);
	if (somewhere && live != state->newest && siblings_urgent(pass, job, NULL))
		live = state->newest;
	struct error error = {0};
	if (live && !job->settled &&
	    store_live_set(&pass->store, job->certificate->name, live, &error) < 0 &&
	    !job->error.code)
		job->error = error;
}

/* Removes what no snippet, link or way back names any more. */
static void prune(struct pass *pass, struct pass_job *job)
{
	struct state *state = &job->state;
	if (!job->dirty || state->active == 0 || state->active != state->newest)
		return;

	/* First what says that it is not needed any more. */
	job_save(pass, job);
	CLEANUP(freep)
	unsigned *in_use = memory_alloc(state->target_count * 2 + 2, sizeof(*in_use));
	size_t count = 0;
	in_use[count++] = state->active;
	in_use[count++] = state->newest;
	for (size_t i = 0; i < state->target_count; i++) {
		in_use[count++] = state->targets[i].generation;
		in_use[count++] = state->targets[i].verified_generation;
	}
	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	if (store_certificate_open(&pass->store, job->certificate->name, false, &directory,
				   &error) < 0 ||
	    generation_prune(directory, job->where, pass->config->agent.keep_generations, in_use,
			     count, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

/* Told to stop before anything of the group was put in place. */
static void put_off(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		stop_error(&group->items[i].target_job->error, "nothing is deployed");
		group->items[i].target_job->held = true;
	}
}

/* All targets that go together, or all that go alone. */
static void deploy_targets(struct pass *pass, bool alone)
{
	for (enum turn turn = TURN_FIRST; turn <= TURN_SECOND; turn++)
		for (size_t i = 0; i < pass->config->target_count; i++) {
			struct group group;
			if ((target_kind(pass->config->targets[i]->type)->alone) != alone)
				continue;
			group_fill(pass, i, turn, &group);
			if (stop_requested())
				put_off(&group);
			else
				group_deploy(&group);
			free(group.items);
		}
	for (size_t i = 0; i < pass->config->target_count && !alone; i++)
		siblings_go_back(pass, i);
	if (!alone)
		reload_pay_all(pass);
	for (size_t i = 0; i < pass->job_count; i++)
		settle(pass, &pass->jobs[i], alone);
}

static bool some_alone(const struct pass *pass)
{
	bool some = false;
	for (size_t i = 0; i < pass->config->target_count; i++)
		some |= target_kind(pass->config->targets[i]->type)->alone;
	return some;
}

/* After all else, which is written down before: what takes its time there, or never answers, must
 * not cost the servers of this host anything. */
static void deploy_alone(struct pass *pass)
{
	if (!some_alone(pass))
		return;
	for (size_t i = 0; i < pass->job_count; i++)
		job_save(pass, &pass->jobs[i]);
	served_look(pass, true);
	deploy_targets(pass, true);
}

void deploy_all(struct pass *pass)
{
	deploy_targets(pass, false);
	deploy_alone(pass);
	bool dirty = false;
	for (size_t i = 0; i < pass->job_count; i++) {
		activate(pass, &pass->jobs[i]);
		dirty |= pass->jobs[i].dirty;
	}
	/* What nothing names any more is removed only when that is durable. */
	struct error error = {0};
	if (dirty && store_live_sync(&pass->store, &error) < 0) {
		log_failure(LOG_LEVEL_ERROR, &error);
		return;
	}
	for (size_t i = 0; i < pass->job_count; i++)
		prune(pass, &pass->jobs[i]);
}
