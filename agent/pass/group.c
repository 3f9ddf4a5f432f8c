#include "pass/group.h"

#include <errno.h>
#include <string.h>

#include "base/alike.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pass/awaited.h"
#include "pass/bystander.h"
#include "pass/commit.h"
#include "pass/group_look.h"
#include "pass/reload.h"
#include "pass/verify.h"
#include "target/kind.h"

enum {
	RELOADS_LIMIT = 64 /* of one target in a pass, while culprits are being found */
};

static const struct config_target *target_of(const struct group *group)
{
	return group->pass->config->targets[group->index];
}

static struct state_target *state_of(const struct group_item *item)
{
	return state_target_get(&item->job->state, item->target_job->target->name);
}

/* What the first `count` items are after sorting out those for which `keep` is false. */
static struct group part(const struct group *group, size_t first, size_t count)
{
	return (struct group){group->pass, group->index, group->items + first, count,
			      group->searched};
}

static void all_fail(struct group *group, const struct error *error, bool refused)
{
	for (size_t i = 0; i < group->count; i++) {
		group->items[i].target_job->error = *error;
		group->items[i].target_job->refused = refused;
	}
}

/* Moves the items that have an error to the end; the group shrinks to the others. */
static void drop_failed(struct group *group)
{
	size_t kept = 0;
	for (size_t i = 0; i < group->count; i++)
		if (!group->items[i].target_job->error.code) {
			struct group_item item = group->items[i];
			group->items[i] = group->items[kept];
			group->items[kept++] = item;
		}
	group->count = kept;
}

static void commit_all(struct group *group)
{
	const struct pass_target *target = &group->pass->targets[group->index];
	bool replaced = false;
	for (size_t i = 0; i < group->count; i++) {
		struct group_item *item = &group->items[i];
		log_progress("%s: writing %zu of %zu", target_of(group)->name, i + 1, group->count);
		commit_snippet(group->pass, item->job, item->target_job, FILE_SYNC_DATA,
			       &item->target_job->error);
		replaced |= item->target_job->deployed;
	}
	log_progress("%s", "");
	drop_failed(group);
	struct error error = {0};
	if (replaced &&
	    directory_sync(target->directory, target_of(group)->snippet_dir, &error) < 0) {
		all_fail(group, &error, false);
		group->count = 0;
	}
}

/* A stop came before the server could show what it has: that is nobody's refusal. */
static bool is_cut_off(const struct error *error)
{
	return stop_requested() && error->class == ERROR_TRANSIENT && error->code == -ECANCELED;
}

/* The way back has time of its own, also when the pass's is over: the supervisor waits for it.
 * Returns the former deadline, for when it is done. */
static int64_t turn_back(struct pass *pass)
{
	int64_t former = pass->deadline_ms;
	int64_t until = clock_monotonic_ms() + STOP_BACK_MS;
	stop_turn_back();
	if (until > former)
		pass->deadline_ms = until < former + STOP_MOST_MS ? until : former + STOP_MOST_MS;
	return former;
}

/* What a reload has to take up: new certificates, or another configuration as well. */
static unsigned reload_flags(const struct group *group)
{
	unsigned flags = 0;
	for (size_t i = 0; i < group->count; i++)
		if (state_of(&group->items[i])->restart_pending)
			flags |= RELOAD_FULL;
	return flags;
}

static void confirm_reload(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct state_target *state = state_of(&group->items[i]);
		state->reload_pending = state->restart_pending = false;
	}
}

/* A server that was restarted is back only when it answers: some take seconds after their job is
 * done, and nobody should be told before that all is as it was. */
static int await_answer(const struct group *group, bool started, unsigned flags,
			struct error *error)
{
	const struct config_target *target = target_of(group);
	bool restarted = started || target->reload == RELOAD_RESTART || flags & RELOAD_FULL;
	if (!restarted || !target->probe_host || target->reload == RELOAD_NONE)
		return 0;
	log_progress("%s: waiting until it answers", target->name);
	int result = verify_answers(target, group->items[0].job->certificate,
				    group->pass->deadline_ms, error);
	log_progress("%s", "");
	return result;
}

static void put_back(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct group_item *item = &group->items[i];
		struct error error = {0};
		if (commit_take_back(group->pass, item->job, item->target_job, &error) < 0)
			log_failure(LOG_LEVEL_ERROR, &error);
	}
}

static void take_back(struct group *group, unsigned revive)
{
	struct error error = {0};
	if (group->count == 0)
		return;
	int64_t deadline = turn_back(group->pass);
	put_back(group);
	unsigned flags = reload_flags(group) | revive;
	int result = reload_target(group, flags, &error);
	if (result >= 0)
		result = await_answer(group, result == RELOAD_STARTED, flags, &error);
	group->pass->deadline_ms = deadline;
	if (result < 0) {
		for (size_t i = 0; i < group->count; i++) {
			struct error *told = &group->items[i].target_job->error;
			struct error first = *told;
			error_set(told, first.class, first.code,
				  "%s; the former snippet is back, but that does not help: %s",
				  first.message, error.message);
			error_remedy(told, "%s", error.remedy[0] ? error.remedy : first.remedy);
		}
		return;
	}
	confirm_reload(group);
}

void group_take_back(struct group *group)
{
	take_back(group, 0);
}

static void deploy_committed(struct group *group);

/* The reload failed with all of them, and works without: halve until the culprits stand alone. */
static void blame(struct group *group, const struct error *refusal)
{
	if (group->count == 1 || group->pass->reloads >= RELOADS_LIMIT || stop_requested())
		return;
	if (!group->searched)
		log_notice("%s: %s; looking for the culprit among %zu certificates",
			   target_of(group)->name, refusal->message, group->count);
	group->searched = true;
	struct group halves[2] = {
		part(group, 0, group->count / 2),
		part(group, group->count / 2, group->count - group->count / 2),
	};
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		/* What is not tried again stays as it is: back, and refused with the others. */
		if (stop_requested() || !reload_in_time(group->pass))
			return;
		all_fail(&halves[i], &(struct error){0}, false);
		commit_all(&halves[i]);
		deploy_committed(&halves[i]);
	}
}

/* Removes what had no snippet before this pass. True when there was something. */
static bool withdraw_first(struct group *group)
{
	bool some = false;
	for (size_t i = 0; i < group->count; i++) {
		struct group_item *item = &group->items[i];
		struct error error = {0};
		if (!commit_is_first(item->job, item->target_job))
			continue;
		/* A server that reads it at its start would not start without it. */
		if (target_kind(item->target_job->target->type)->read_at_start)
			continue;
		some = true;
		if (commit_withdraw(group->pass, item->job, item->target_job, &error) < 0)
			log_failure(LOG_LEVEL_ERROR, &error);
	}
	return some;
}

/* With and without them the server refuses its configuration: it is not about them. The snippet of
 * a first certificate is put in place all the same: once the cause is gone, the server finds what
 * its configuration includes. */
static void refused_anyway(struct group *group, const struct error *refusal,
			   const struct error *again)
{
	struct error both = *refusal;
	if (words_alike(refusal->message, again->message))
		error_set(&both, ERROR_DEPLOY, refusal->code,
			  "%s; it fails in the same way with the former snippets, so the cause is "
			  "elsewhere in its configuration",
			  refusal->message);
	else
		error_set(&both, ERROR_DEPLOY, refusal->code,
			  "%s; with the former snippets it fails as well: %s", refusal->message,
			  again->message);
	error_remedy(&both, "%s", again->remedy[0] ? again->remedy : refusal->remedy);
	for (size_t i = 0; i < group->count; i++) {
		struct group_item *item = &group->items[i];
		struct error error = {0};
		if (commit_is_first(item->job, item->target_job) &&
		    commit_snippet(group->pass, item->job, item->target_job, FILE_SYNC, &error) < 0)
			log_failure(LOG_LEVEL_ERROR, &error);
	}
	all_fail(group, &both, false);
}

/* A server that only its test has refused has read nothing: a restart would be for nothing. */
static int go_back(struct group *group, bool untouched, unsigned flags, struct error *error)
{
	return untouched ? reload_test(group->pass, target_of(group), error)
			 : reload_target(group, flags, error);
}

static void refused_reload(struct group *group, const struct error *refusal)
{
	struct error again = {0};
	/* It was up before: what our own job has ended is ours to start again. */
	bool restarts =
		target_of(group)->reload == RELOAD_RESTART ||
		(target_of(group)->reload == RELOAD_SSL && reload_flags(group) & RELOAD_FULL);
	bool tested = group->pass->only_tested;
	bool untouched = tested && restarts;
	bool cut_off = is_cut_off(refusal);
	bool revive = refusal->code == -EHOSTDOWN ||
		      (restarts && !tested && (cut_off || refusal->code != -ECANCELED));
	bool was_read = refusal->class == ERROR_DEPLOY || (cut_off && !tested);
	int64_t deadline = turn_back(group->pass);
	all_fail(group, refusal, !cut_off);
	for (size_t i = 0; i < group->count; i++) {
		struct group_item *item = &group->items[i];
		struct error error = {0};
		item->target_job->held = cut_off;
		/* A first certificate may wait in its place for whoever reloads the server. */
		if (!was_read && commit_is_first(item->job, item->target_job))
			item->target_job->refused = false;
		else if (commit_take_back(group->pass, item->job, item->target_job, &error) < 0)
			log_failure(LOG_LEVEL_ERROR, &error);
	}
	if (!was_read) { /* there is nothing to reload back */
		group->pass->deadline_ms = deadline;
		return;
	}
	unsigned flags = reload_flags(group) | (revive ? RELOAD_REVIVE : 0);
	int result = go_back(group, untouched, flags, &again);
	/* Perhaps no snippet of theirs is right, not even a placeholder's. */
	bool back_cut = result < 0 && stop_requested() && again.class == ERROR_TRANSIENT;
	if (result < 0 && !back_cut && withdraw_first(group))
		result = go_back(group, untouched, flags, &again);
	group->pass->deadline_ms = deadline;
	if (back_cut)
		return;
	if (result < 0) {
		refused_anyway(group, refusal, &again);
		return;
	}
	if (!untouched)
		confirm_reload(group);
	blame(group, refusal);
}

/* Of what is reloaded but not shown, goes back to what served before. A first certificate stays:
 * before it there was only a placeholder, which nobody wants back. */
static void take_back_unverified(struct group *group)
{
	struct group back = {.pass = group->pass, .index = group->index};
	back.items = memory_alloc(group->count, sizeof(*back.items));
	for (size_t i = 0; i < group->count; i++) {
		struct group_item *item = &group->items[i];
		if (item->target_job->verified || awaited_goes_on(group, item) ||
		    target_of(group)->reload == RELOAD_NONE ||
		    (!state_of(item)->verified_generation &&
		     !target_keeps_before(target_of(group)->type)) ||
		    (!item->target_job->deployed &&
		     state_of(item)->verified_generation == state_of(item)->generation))
			continue;
		item->target_job->held = is_cut_off(&item->target_job->error);
		item->target_job->refused = !item->target_job->held;
		back.items[back.count++] = *item;
	}
	/* Some servers take their time to die of what they were given. */
	take_back(&back, RELOAD_REVIVE_FAILED);
	free(back.items);
}

static bool some_unverified(const struct group *group)
{
	bool some = false;
	for (size_t i = 0; i < group->count; i++)
		some |= !group->items[i].target_job->verified;
	return some;
}

/* All snippets of the group are in place: reload, look, and take back what is not shown. */
static void deploy_committed(struct group *group)
{
	struct error error = {0};
	if (group->count == 0)
		return;

	unsigned flags = reload_flags(group);
	int result = bystander_check(group, flags & RELOAD_FULL, &error);
	if (result == 0)
		result = reload_target(group, flags, &error);
	if (result == -ESHUTDOWN || result == -ENOENT || result == -ETIME || result == -EUCLEAN) {
		all_fail(group, &error, group->searched);
		/* One of these was refused a moment ago, and nothing may be left lying that a
		 * server cannot start with. */
		if (group->searched)
			put_back(group);
		return;
	}
	if (result < 0) {
		refused_reload(group, &error);
		return;
	}
	confirm_reload(group);
	awaited_begin(group);
	group_look(group, target_of(group)->reload != RELOAD_NONE);
	if (some_unverified(group) && reload_went_down(group->pass, target_of(group), &error))
		refused_reload(group, &error);
	else
		take_back_unverified(group);
}

/* True when the server has read what is in place: a look may show that no reload is needed. */
static bool perhaps_served(const struct group_item *item)
{
	return !item->target_job->deployed && !state_of(item)->reload_pending;
}

/* It was restarted with what is in place and has never shown it: its configuration does not name
 * it yet, and another restart would only be another interruption. */
static bool restarted_in_vain(const struct group_item *item)
{
	return item->target_job->target->reload == RELOAD_RESTART &&
	       !state_of(item)->verified_generation && perhaps_served(item);
}

/* What one is refused at such a target is no matter of the others'. */
static bool deploy_each(struct group *group)
{
	if (group->count < 2 || !target_kind(target_of(group)->type)->alone)
		return false;
	for (size_t i = 0; i < group->count; i++) {
		struct group one = part(group, i, 1);
		group_deploy(&one);
	}
	return true;
}

void group_deploy(struct group *group)
{
	if (group->count == 0 || deploy_each(group))
		return;
	commit_all(group);

	size_t quiet = 0;
	for (size_t i = 0; i < group->count; i++)
		if (perhaps_served(&group->items[i])) {
			struct group_item item = group->items[i];
			group->items[i] = group->items[quiet];
			group->items[quiet++] = item;
		}
	struct group served = part(group, 0, quiet);
	group_look(&served, false);

	/* The rest, and what was not shown after all, gets the one reload. */
	size_t settled = 0;
	for (size_t i = 0; i < group->count; i++) {
		struct group_item item = group->items[i];
		/* Whose snippet is another one than was delivered is not waited for: a pass that
		 * was killed on its way back has noted nothing of that. */
		if (!item.target_job->verified && !restarted_in_vain(&item) &&
		    !(perhaps_served(&item) && awaited_goes_on(group, &item))) {
			error_clear(&item.target_job->error);
			continue;
		}
		group->items[i] = group->items[settled];
		group->items[settled++] = item;
	}
	struct group rest = part(group, settled, group->count - settled);
	deploy_committed(&rest);
}
