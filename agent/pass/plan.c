#include "pass/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cloudflare/token.h"
#include "pass/awaited.h"
#include "pass/commit.h"
#include "pass/derive.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/schedule.h"
#include "pass/siblings.h"
#include "pki/key.h"
#include "target/keystore.h"
#include "target/kind.h"

int pass_target_load(struct pass *pass, size_t index)
{
	struct pass_target *target = &pass->targets[index];
	if (!target->loaded) {
		target->loaded = true;
		int result = snippet_template_load(pass->config, target->target, &target->template,
						   &target->error);
		if (result < 0)
			return result;
	}
	return target->error.code;
}

int pass_target_open(struct pass *pass, size_t index, struct error *error)
{
	struct pass_target *target = &pass->targets[index];
	if (pass_target_load(pass, index) < 0) {
		*error = target->error;
		return error->code;
	}
	if (target->directory >= 0)
		return 0;
	if (!pass->options.dry_run)
		return snippet_directory_open(target->target, &target->directory, error);

	target->directory = open(target->target->snippet_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return target->directory < 0
		       ? error_errno(error, -errno, "cannot open %s", target->target->snippet_dir)
		       : 0;
}

/* Of a pass that did not live to tell: its number may be any above. */
static bool generation_newer_exists(const struct pass_job *job, int directory, unsigned number)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	return generation_list(directory, job->where, &numbers, &count, NULL) < 0 ||
	       (count && numbers[count - 1] > number);
}

/* Takes what the files say about a generation into the state, and repairs who may read them. */
static void take_generation(struct pass *pass, struct pass_job *job, int directory,
			    const struct generation_meta *meta, unsigned number)
{
	bool drifted = false;
	struct error error = {0};
	if (generation_access_check(directory, job->where, number, &job->certificate->access,
				    !pass->options.dry_run, &drifted, &error) < 0)
		job->error = error;
	job->repaired |= drifted && !pass->options.dry_run && !error.code;
	job_take_generation(job, directory, number, meta, pass->now);
}

/* Looks at every file of the newest generation. Returns reissue reasons. */
static unsigned check_files(struct pass *pass, struct pass_job *job, int directory)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	struct error error = {0};

	if (generation_list(directory, job->where, &numbers, &count, &error) < 0) {
		job->error = error;
		return 0;
	}
	/* The state knows a newer one than is there: somebody removed it, or a file of it. */
	unsigned last = count ? numbers[count - 1] : 0;
	unsigned reasons = 0;
	if (job->state.newest > last) {
		char name[GENERATION_NAME_SIZE];
		reasons = REISSUE_UNREADABLE;
		error_set(&job->error, ERROR_LOCAL, -ENOENT, "%s/%s is gone or not complete",
			  job->where, generation_name(job->state.newest, name));
	}
	if (last == 0) {
		if (job->state.newest || job->state.fingerprint)
			job->dirty = true;
		job->state.newest = 0;
		free(TAKE_PTR(job->state.fingerprint));
		return reasons ? reasons : REISSUE_ABSENT;
	}

	/* From the newest down to one that is whole: while a damaged generation is being replaced,
	 * an older one that is still in time may have to serve; never one that is revoked. */
	for (size_t i = count; i > 0 && numbers[i - 1] > 0; i--) {
		struct generation_meta meta = {0};
		int result = generation_read(directory, job->where, numbers[i - 1], &meta, &error);
		if (result < 0) {
			job->error = error;
			/* What could not be read just now is not lost: no certificate is asked for,
			 * and nobody goes back to an older one. */
			if (i == count && !generation_is_lost(result)) {
				error_remedy(&job->error,
					     "when the disk has lost it for good: origin-ca-agent "
					     "--renew-now --force %s",
					     job->certificate->name);
				return 0;
			}
			if (!reasons)
				reasons =
					result == -EBADMSG ? REISSUE_MISMATCH : REISSUE_UNREADABLE;
			continue;
		}
		bool usable =
			(i == count && !reasons) ||
			(meta.facts.not_after > pass->now &&
			 !state_is_revoked(&job->state, meta.facts.serial) &&
			 string_list_same_set(&meta.facts.hostnames, &job->certificate->hostnames));
		if (usable)
			take_generation(pass, job, directory, &meta, numbers[i - 1]);
		generation_meta_free(&meta);
		if (usable)
			return reasons;
	}
	job->state.newest = 0;
	job->dirty = true;
	return reasons;
}

/* Holds the facts of the newest leaf against what is configured. */
static unsigned check_facts(const struct pass *pass, struct pass_job *job)
{
	const struct config_certificate *certificate = job->certificate;
	const struct leaf_facts *facts = &job->state.facts;
	struct renewal renewal = schedule_renewal(pass->config, certificate, facts);
	unsigned reasons = 0;

	if (job->state.renew_at != renewal.moment) {
		job->state.renew_at = renewal.moment;
		job->dirty = true;
	}
	if (pass->now >= (pass->options.now ? renewal.window : renewal.moment))
		reasons |= REISSUE_EXPIRING;
	if (!string_list_same_set(&facts->hostnames, &certificate->hostnames))
		reasons |= REISSUE_HOSTNAMES;
	/* Of a key that cannot be read nobody knows whether it is another one. */
	bool known = !job->material.error.code;
	/* One that was brought keeps its key until it is due, unless a type is asked for. */
	bool as_brought = job->state.imported && !certificate->key_type_given &&
			  !certificate->private_key_file;
	if (known && !as_brought && facts->key_type != job->material.key_type)
		reasons |= REISSUE_KEY_TYPE;
	else if (known && material_key_differs(job))
		reasons |= REISSUE_KEY;
	if (job->state.validity_days != certificate->validity_days)
		reasons |= REISSUE_VALIDITY;
	if (state_is_revoked(&job->state, facts->serial))
		reasons |= REISSUE_REVOKED;
	return reasons;
}

/* What is a reason though the files cannot be read just now: time that runs out, as far as the
 * state knows, and somebody's will. */
static unsigned unread_reasons(const struct pass *pass, struct pass_job *job)
{
	unsigned reasons = pass->options.force ? REISSUE_FORCED : 0;
	return job->state.newest ? reasons | (check_facts(pass, job) & REISSUE_EXPIRING) : reasons;
}

/* True when the last failure says: not yet. */
static bool issue_must_wait(const struct pass *pass, const struct pass_job *job)
{
	const struct state_attempt *attempt = &job->state.issue;
	if (pass->options.now || attempt->count == 0 || pass->now >= attempt->next)
		return false;
	/* A clock that was set back must not turn a pause of hours into one of years. */
	if (pass->now < attempt->last)
		return false;
	CLEANUP(freep) char *fingerprint = plan_fingerprint(job);
	return attempt->fingerprint && strcmp(attempt->fingerprint, fingerprint) == 0;
}

static bool target_must_wait(struct pass *pass, struct pass_job *job,
			     const struct state_target *state)
{
	const struct state_attempt *attempt = &state->attempt;
	if (pass->options.now || attempt->count == 0 || pass->now >= attempt->next ||
	    pass->now < attempt->last)
		return false;
	/* A newer generation than the one that failed is a new matter; so is another template. */
	CLEANUP(freep) char *fingerprint = plan_target_fingerprint(pass, job);
	return attempt->fingerprint && strcmp(attempt->fingerprint, fingerprint) == 0;
}

/* Owner, group and mode other than the target's files should have. */
static bool access_drifted(const struct config_target *target, const struct file_stamp *stamp)
{
	const struct file_access *access = &target->access;
	return (stamp->mode & 07777) != access->mode ||
	       (access->owner != (uid_t)-1 && stamp->owner != access->owner) ||
	       (access->group != (gid_t)-1 && stamp->group != access->group);
}

/* The file that `known` tells of, with other rights: nothing that a server would have to read
 * again. Whether its bytes are the same is seen when it is put right. */
static bool only_access_differs(const char *known, const struct file_stamp *now)
{
	struct file_stamp before;
	return file_stamp_parse(known, &before) == 0 && before.device == now->device &&
	       before.inode == now->inode && before.size == now->size &&
	       (before.mode != now->mode || before.owner != now->owner ||
		before.group != now->group);
}

/* The same of two files, as commit_keystore_stamp() gives them. */
static bool only_keystore_access_differs(const char *known, const char *stamp)
{
	CLEANUP(freep) char *before = string_copy(known);
	CLEANUP(freep) char *now = string_copy(stamp);
	char *behind[] = {strchr(before, ' '), strchr(now, ' ')};
	if (!behind[0] || !behind[1])
		return false;
	*behind[0]++ = *behind[1]++ = '\0';
	struct file_stamp file;
	struct file_stamp other;
	bool same_file = strcmp(before, now) == 0;
	bool same_other = strcmp(behind[0], behind[1]) == 0;
	return (same_file ||
		(file_stamp_parse(now, &file) == 0 && only_access_differs(before, &file))) &&
	       (same_other || (file_stamp_parse(behind[1], &other) == 0 &&
			       only_access_differs(behind[0], &other)));
}

/* The keystore beside the snippet, as we left it? */
static unsigned keystore_reasons(const struct pass_job *job, const struct pass_target *target,
				 const struct state_target *state)
{
	if (!target_kind(target->target->type)->keystore)
		return 0;
	CLEANUP(freep) char *stamp = commit_keystore_stamp(target, job->certificate);
	if (!state->keystore_stamp)
		return REDEPLOY_KEYSTORE;
	if (strcmp(state->keystore_stamp, stamp) != 0)
		return only_keystore_access_differs(state->keystore_stamp, stamp)
			       ? REDEPLOY_PERMISSIONS
			       : REDEPLOY_KEYSTORE;
	/* As we left it; but owner, group or mode can have been configured anew. */
	CLEANUP(freep) char *file = keystore_file_name(job->certificate);
	struct file_stamp now;
	return file_stamp_at(target->directory, file, &now) < 0 ||
			       access_drifted(target->target, &now)
		       ? REDEPLOY_PERMISSIONS
		       : 0;
}

static unsigned snippet_reasons(struct pass *pass, struct pass_job *job,
				const struct pass_target *target, const struct state_target *state,
				struct error *error)
{
	CLEANUP(freep)
	char *file = snippet_file_name(target->target, job->certificate);
	struct file_stamp stamp;
	if (target->directory < 0 || file_stamp_at(target->directory, file, &stamp) < 0)
		return REDEPLOY_MISSING;

	char text[FILE_STAMP_TEXT_SIZE];
	char digest[SHA256_TEXT_SIZE];
	unsigned reasons = 0;
	bool drifted = access_drifted(target->target, &stamp);
	if (drifted)
		reasons |= REDEPLOY_PERMISSIONS;
	if (!state->snippet_stamp ||
	    (strcmp(state->snippet_stamp, file_stamp_format(&stamp, text)) != 0 &&
	     !(drifted && only_access_differs(state->snippet_stamp, &stamp))))
		reasons |= REDEPLOY_DIFFERS;
	reasons |= keystore_reasons(job, target, state);

	struct snippet_input input;
	if (job_snippet_input(pass, job, target->target, state->generation, &input, error) < 0)
		return reasons;
	snippet_rendered_from(&target->template, &input, digest);
	if (!state->rendered_from || strcmp(state->rendered_from, digest) != 0)
		reasons |= REDEPLOY_TEMPLATE;
	return reasons;
}

static void plan_target(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job)
{
	struct pass_target *target = &pass->targets[target_job->index];
	static const struct state_target nothing = {0};
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	unsigned newest = job->state.newest;

	target_job->reasons = 0;
	target_job->waiting = false;
	if (!state)
		state = &nothing;
	target_job->previous = state->generation;
	struct error error = {0};
	if (pass_target_open(pass, target_job->index, &error) < 0 && error.code != -ENOENT) {
		target_job->error = error;
		return;
	}
	if (target->error.code) { /* no template: -ENOENT, too */
		target_job->error = target->error;
		return;
	}

	unsigned reasons = snippet_reasons(pass, job, target, state, &target_job->error);
	if (target_job->error.code)
		return;
	if (newest) {
		if (state->generation != newest)
			reasons |= REDEPLOY_GENERATION;
		if (state->reload_pending)
			reasons |= REDEPLOY_UNCONFIRMED;
		/* A failure that was not followed by a success: another leaf was seen since. */
		if (state->verified_generation != newest || state->attempt.count ||
		    awaited_due(state, newest))
			reasons |= REDEPLOY_UNVERIFIED;
	}
	target_job->reasons = reasons;
	target_job->verified = newest && reasons == 0;
	target_job->waiting = reasons && target_must_wait(pass, job, state);
}

void plan_targets(struct pass *pass, struct pass_job *job)
{
	for (size_t i = 0; i < job->target_count; i++)
		plan_target(pass, job, &job->targets[i]);
	siblings_wait(pass, job);
}

/* Goes on where a crash stopped an earlier pass. False when that could not be done: an answer may
 * lie there that must not be asked for again. */
static bool recover(struct pass *pass, struct pass_job *job, int directory)
{
	unsigned recovered = 0;
	if (generation_recover(directory, job->where, &recovered, &job->error) < 0)
		return false;
	if (!recovered)
		return true;
	job->recovered = true;
	job->dirty = true;
	state_issue_add(&job->state, pass->now);
	state_event_add(&job->state, pass->now, "resumed",
			"generation %u was finished after an interrupted pass", recovered)
		->generation = recovered;
	return true;
}

static bool files_need_look(const struct pass *pass, const struct pass_job *job, int directory)
{
	const struct state *state = &job->state;
	char fingerprint[SHA256_TEXT_SIZE];

	if (pass->options.full || !state->newest || !state->fingerprint)
		return true;
	if (job_fingerprint(job, directory, state->newest, fingerprint) < 0 ||
	    strcmp(fingerprint, state->fingerprint) != 0)
		return true;
	/* The files are the same, but who may read them can have been configured anew. */
	bool drifted = false;
	if (generation_access_check(directory, job->where, state->newest, &job->certificate->access,
				    false, &drifted, NULL) < 0 ||
	    drifted)
		return true;
	return generation_newer_exists(job, directory, state->newest);
}

/* What failed is not needed any more (it was forced, or asked for what is configured no longer):
 * nothing is stuck, and nothing is to be tried again. */
static void forget_failure(struct pass_job *job)
{
	if (job->reissue || !job->state.issue.count)
		return;
	state_attempt_clear(&job->state.issue);
	job->dirty = true;
}

void plan_certificate(struct pass *pass, struct pass_job *job)
{
	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	material_load(job);
	int result = store_certificate_open(&pass->store, job->certificate->name, false, &directory,
					    &error);
	if (result == -ENOENT) {
		job->reissue = REISSUE_ABSENT;
	} else if (result < 0) {
		job->state_unread = true;
		job->error = error;
		return;
	} else {
		bool rebuilt = false;
		if (state_load(directory, job->where, &job->state, &rebuilt, &error) < 0) {
			job->state_unread = true;
			job->error = error;
			return;
		}
		job->dirty = rebuilt;
		bool look = rebuilt || files_need_look(pass, job, directory);
		if (!pass->options.dry_run && (look || pending_exists(directory)) &&
		    !recover(pass, job, directory))
			return;
		if (look || job->recovered)
			job->reissue = check_files(pass, job, directory);
		/* Never silent: somebody or something damaged what was complete. */
		if (job->reissue & (REISSUE_UNREADABLE | REISSUE_MISMATCH) && job->error.code)
			log_failure(LOG_LEVEL_WARNING, &job->error);
		if (job->error.code && !job->reissue)
			job->reissue = unread_reasons(pass, job);
		if (job->error.code && !job->reissue)
			return;
		if (!(job->reissue & (REISSUE_ABSENT | REISSUE_UNREADABLE | REISSUE_MISMATCH)))
			job->reissue |= check_facts(pass, job);
		derive_plan(pass, job, directory, look);
	}
	/* Told even while nothing is to be issued with it; what is there goes on serving. */
	if (job->material.error.code && !job->error.code)
		job->error = job->material.error;
	if (pass->options.force)
		job->reissue |= REISSUE_FORCED;
	forget_failure(job);
	job->waiting = job->reissue && issue_must_wait(pass, job);
	plan_targets(pass, job);
}
