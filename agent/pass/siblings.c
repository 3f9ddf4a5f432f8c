#include "pass/siblings.h"

#include <errno.h>

#include "pass/schedule.h"
#include "store/generation.h"
#include "target/kind.h"

/* Held up before it was touched: what somebody else did to it is put right all the same. */
enum {
	DRIFT = REDEPLOY_MISSING | REDEPLOY_DIFFERS | REDEPLOY_KEYSTORE | REDEPLOY_SERVED,
};

/* When the leaf of a generation must be replaced whatever it costs; 0 when that is not known. */
static int64_t emergency_of(const struct pass *pass, const struct pass_job *job,
			    unsigned generation)
{
	CLEANUP(closep) int directory = -1;
	struct generation_meta meta = {0};
	int64_t moment = 0;
	if (store_certificate_open(&pass->store, job->certificate->name, false, &directory, NULL) ==
		    0 &&
	    generation_read(directory, job->where, generation, &meta, NULL) == 0)
		moment = schedule_renewal(pass->config, job->certificate, &meta.facts).emergency;
	generation_meta_free(&meta);
	return moment;
}

bool siblings_none(const struct pass_target_job *target_job)
{
	return target_kind(target_job->target->type)->alone;
}

int64_t siblings_emergency_at(const struct pass *pass, const struct pass_job *job,
			      const struct pass_target_job *target_job)
{
	bool alone = target_job && siblings_none(target_job);
	int64_t first = SCHEDULE_NEVER;
	for (size_t i = 0; i < job->target_count; i++) {
		if (alone ? &job->targets[i] != target_job : siblings_none(&job->targets[i]))
			continue;
		const struct state_target *state =
			state_target_find(&job->state, job->targets[i].target->name);
		unsigned served = state ? state->verified_generation : 0;
		if (served == 0)
			return 0;
		if (served == job->state.newest)
			continue;
		int64_t moment = emergency_of(pass, job, served);
		if (moment < first)
			first = moment;
	}
	return first;
}

bool siblings_urgent(const struct pass *pass, const struct pass_job *job,
		     const struct pass_target_job *target_job)
{
	return pass->now >= siblings_emergency_at(pass, job, target_job);
}

const struct pass_target_job *siblings_blocker(const struct pass *pass, const struct pass_job *job)
{
	const struct pass_target_job *blocker = NULL;
	for (size_t i = 0; i < job->target_count && job->target_count > 1; i++) {
		const struct pass_target_job *target_job = &job->targets[i];
		bool failed = target_job->error.code && target_job->error.code != -ESHUTDOWN &&
			      !target_job->held;
		bool waits = target_job->waiting && siblings_ask_first(job, target_job);
		if ((failed || waits) && target_job->target->reload != RELOAD_NONE &&
		    !siblings_none(target_job))
			blocker = target_job;
	}
	return blocker && !siblings_urgent(pass, job, NULL) ? blocker : NULL;
}

bool siblings_ask_first(const struct pass_job *job, const struct pass_target_job *target_job)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	return job->target_count > 1 && !siblings_none(target_job) && state &&
	       state->attempt.count > 0;
}

/* On the way from one generation to another, with something to go back to. */
static bool moves(const struct pass_job *job, const struct pass_target_job *target_job)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	return state && state->verified_generation &&
	       state->verified_generation != job->state.newest &&
	       target_job->target->reload != RELOAD_NONE && !siblings_none(target_job);
}

static void tell(const struct pass_job *job, struct pass_target_job *target_job,
		 const struct pass_target_job *blocker, const char *what)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	error_set(&target_job->error, ERROR_DEPLOY, -ECANCELED,
		  "%s %s generation %u, because target %s did not take generation %u",
		  target_job->target->name, what, state->verified_generation, blocker->target->name,
		  job->state.newest);
	error_remedy(&target_job->error, "see what target %s says", blocker->target->name);
	target_job->held = true;
}

bool siblings_hold(const struct pass *pass, struct pass_job *job,
		   struct pass_target_job *target_job)
{
	const struct pass_target_job *blocker = siblings_blocker(pass, job);
	if (!blocker || !moves(job, target_job))
		return false;
	tell(job, target_job, blocker, "keeps");
	return true;
}

void siblings_wait(const struct pass *pass, struct pass_job *job)
{
	bool waiting = false;
	for (size_t i = 0; i < job->target_count; i++)
		waiting |= job->targets[i].waiting && !siblings_none(&job->targets[i]);
	if (!waiting || siblings_urgent(pass, job, NULL))
		return;
	for (size_t i = 0; i < job->target_count; i++)
		if (moves(job, &job->targets[i]) && !(job->targets[i].reasons & DRIFT))
			job->targets[i].waiting = true;
}

void siblings_go_back(struct pass *pass, size_t index)
{
	struct group group = {.pass = pass, .index = index};
	group.items = memory_alloc(pass->job_count, sizeof(*group.items));
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		const struct pass_target_job *blocker = siblings_blocker(pass, job);
		for (size_t j = 0; blocker && j < job->target_count; j++) {
			struct pass_target_job *target_job = &job->targets[j];
			bool held = target_job->held;
			/* What waits was not touched: it shows what it showed. */
			if (target_job->index != index || target_job == blocker ||
			    target_job->waiting || target_job->refused || !moves(job, target_job) ||
			    (held && !(target_job->reasons & DRIFT)) ||
			    (!held && target_job->error.code))
				continue;
			if (!held)
				tell(job, target_job, blocker, "went back to");
			group.items[group.count++] = (struct group_item){job, target_job};
		}
	}
	group_take_back(&group);
	free(group.items);
}
