#include "pass/superseded.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "cloudflare/origin_ca.h"
#include "pass/attempt.h"
#include "pass/issue.h"
#include "pass/schedule.h"
#include "pass/serving.h"
#include "pass/verify.h"

enum {
	REVOCATIONS_LIMIT = 100 /* of a pass */
};

/* "SHA-256 of the machine's id and the serial": true only on the machine that asked. */
static void mark_of(const struct state *state, char mark[static SHA256_TEXT_SIZE])
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(512);
	CLEANUP(buffer_free) struct buffer id = BUFFER(256);
	if (file_read("/etc/machine-id", &id, NULL) < 0)
		buffer_add_text(&id, "no machine id");
	buffer_add_format(&text, "%s %s", buffer_text(&id), state->facts.serial);
	digest_sha256(buffer_text(&text), text.length, mark);
}

void superseded_mark(struct pass_job *job)
{
	char mark[SHA256_TEXT_SIZE];
	mark_of(&job->state, mark);
	free(job->state.issued_mark);
	job->state.issued_mark = string_copy(mark);
}

void superseded_note(const struct pass *pass, struct pass_job *job)
{
	struct state *state = &job->state;
	char mark[SHA256_TEXT_SIZE];
	if (job->certificate->revoke_superseded < 0 || !state->newest || !state->id ||
	    state->imported || state->facts.not_after <= pass->now)
		return;
	mark_of(state, mark);
	if (!state->issued_mark || strcmp(state->issued_mark, mark) != 0)
		return;
	state_superseded_add(state, state->id, state->facts.not_after, &state->facts.hostnames);
	job->dirty = true;
}

/* The moment from which the newest was verified on every target; 0: it is not, or is not asked. */
static int64_t verified_since(const struct pass_job *job)
{
	int64_t since = 0;
	for (size_t i = 0; i < job->target_count; i++) {
		const struct config_target *target = job->targets[i].target;
		const struct state_target *state = state_target_find(&job->state, target->name);
		if (!target->probe_host || !job->targets[i].verified || !state ||
		    state->verified_generation != job->state.newest)
			return 0;
		if (state->verified_at > since)
			since = state->verified_at;
	}
	return since;
}

/* The newest itself, and what has expired, need no revocation. */
static void forget_done(const struct pass *pass, struct pass_job *job)
{
	struct state *state = &job->state;
	for (size_t i = state->superseded_count; i > 0; i--)
		if (state->superseded[i - 1].not_after <= pass->now) {
			state_superseded_drop(state, i - 1);
			job->dirty = true;
		}
}

static size_t first_to_revoke(const struct state *state)
{
	size_t i = 0;
	while (i < state->superseded_count && state->id &&
	       strcmp(state->superseded[i].id, state->id) == 0)
		i++;
	return i;
}

int64_t superseded_due(const struct pass_job *job)
{
	const struct state *state = &job->state;
	int64_t grace = job->certificate->revoke_superseded;
	int64_t since = verified_since(job);
	if (grace < 0 || !since || first_to_revoke(state) == state->superseded_count)
		return 0;
	int64_t due = since + grace;
	return state->revoke.count && state->revoke.next > due ? state->revoke.next : due;
}

/* The names that are served now, and those that it covered: a virtual host of one that was taken
 * out of the section may still name its files. */
static void names_of(const struct pass_job *job, const struct state_superseded *superseded,
		     struct string_list *names)
{
	string_list_copy(names, &job->certificate->hostnames);
	for (size_t i = 0; i < superseded->hostnames.count; i++)
		if (!string_list_has(names, superseded->hostnames.items[i]))
			string_list_add(names, superseded->hostnames.items[i]);
}

/* One that could not be asked may show it. */
static int not_shown(const struct serving_target *entry, struct error *error)
{
	if (entry->answer == SERVING_SHOWN)
		return error_set(error, ERROR_DEPLOY, -EBUSY, "%s still shows it for %s",
				 entry->target->name, entry->hostname);
	if (entry->answer == SERVING_UNKNOWN)
		return error_set(error, ERROR_DEPLOY, -EAGAIN,
				 "whether %s still shows it is not known: %s", entry->target->name,
				 entry->error.message);
	return 0;
}

/* Every target shows the newest now, and none the one that is to go. */
static int confirm(struct pass *pass, struct pass_job *job,
		   const struct state_superseded *superseded, struct error *error)
{
	CLEANUP(string_list_free) struct string_list names = {0};
	names_of(job, superseded, &names);
	struct serving_question question = {superseded->id, &names, KEY_TYPE_COUNT};
	struct serving serving = {0};
	CLEANUP(probe_freep) struct probe *probe = NULL;
	int result = probe_new(&probe, error);
	for (size_t i = 0; result == 0 && i < job->target_count; i++) {
		const struct config_target *target = job->targets[i].target;
		struct verify verify;
		verify_now(&verify, pass, job, &job->targets[i], probe);
		if (!verify_holds(&verify))
			result = error_set(error, ERROR_DEPLOY, -ESTALE,
					   "%s does not show generation %u now", target->name,
					   job->state.newest);
		verify_end(&verify);
	}
	if (result == 0)
		result = serving_look(pass->config, &question, &serving, error);
	for (size_t i = 0; result == 0 && i < serving.count; i++)
		result = not_shown(&serving.items[i], error);
	serving_free(&serving);
	return result;
}

static int revoke_one(struct pass *pass, struct pass_job *job, size_t index, struct error *error)
{
	struct state *state = &job->state;
	struct pass_account *account = attempt_account(pass, job->certificate->api);
	CLEANUP(freep) char *id = string_copy(state->superseded[index].id);
	int result = confirm(pass, job, &state->superseded[index], error);
	if (result == 0 && !issue_account_ready(pass, account))
		result = attempt_account_usable(account, error);
	if (result == 0)
		result = origin_ca_revoke(account->client, id, error);
	/* It is gone there: nothing is left to revoke. */
	if (result == -ENOENT) {
		error_clear(error);
		result = 0;
	}
	if (result < 0)
		return error_prefix(error, "cannot revoke the superseded certificate %s", id);
	state_superseded_drop(state, index);
	/* Its files are there for a while. */
	state_revoked_add(state, id);
	state_event_add(state, pass->now, "withdrawn", "revoked the superseded certificate %s", id);
	job->revoked = true;
	job->dirty = true;
	return 0;
}

static void revoke_job(struct pass *pass, struct pass_job *job, unsigned *count)
{
	struct state *state = &job->state;
	forget_done(pass, job);
	int64_t due = superseded_due(job);
	bool waits = state->revoke.count && !pass->options.now && pass->now < state->revoke.next;
	/* By the time of now: what was verified in this pass was so after its begin. */
	if (!due || waits ||
	    clock_now() < verified_since(job) + job->certificate->revoke_superseded)
		return;
	for (size_t i = first_to_revoke(state);
	     i < state->superseded_count && *count < REVOCATIONS_LIMIT && !stop_requested();
	     i = first_to_revoke(state)) {
		struct error error = {0};
		++*count;
		if (revoke_one(pass, job, i, &error) == 0) {
			state_attempt_clear(&state->revoke);
			continue;
		}
		if (stop_requested()) /* it may have cut that off: nobody's failure */
			return;
		int64_t next = schedule_retry(&error, state->revoke.count + 1, SCHEDULE_NEVER,
					      pass->jitter, pass->now);
		state_attempt_fail(&state->revoke, &error, pass->now, next, NULL);
		job->notice = error;
		job->dirty = true;
		return;
	}
}

void superseded_revoke_all(struct pass *pass)
{
	unsigned count = 0;
	/* By a clock that is wrong no time of grace is over. */
	for (size_t i = 0; i < pass->job_count && !pass->clock.error.code && !stop_requested();
	     i++) {
		struct pass_job *job = &pass->jobs[i];
		if (job->settled || job->certificate->revoke_superseded < 0 ||
		    job->state.superseded_count == 0 || !pass_job_current(pass, job))
			continue;
		revoke_job(pass, job, &count);
	}
}
