#include "pass/verify.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "store/generation.h"
#include "target/kind.h"

enum {
	ANSWER_PAUSE_MS = 100,
	NAME_MS = 1000 /* for each hostname, behind the time of the target */
};

static const char *const shown_names[] = {
	[VERIFY_PENDING] = "unknown", [VERIFY_NEWEST] = "newest",   [VERIFY_PREVIOUS] = "previous",
	[VERIFY_OTHER] = "other",     [VERIFY_NOTHING] = "nothing",
};

const char *verify_shown_name(enum verify_shown shown)
{
	return shown_names[shown];
}

void verify_begin(struct verify *verify, const struct pass *pass, const struct pass_job *job,
		  const struct pass_target_job *target_job)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	*verify = (struct verify){
		.job = job,
		.target = target_job->target,
		.wanted = job->state.facts.sha256,
		.count = job->certificate->hostnames.count,
	};
	verify->shown = memory_alloc(verify->count, sizeof(*verify->shown));
	verify->seen = memory_alloc(verify->count, sizeof(*verify->seen));

	/* An unreadable previous generation only makes its leaf "another" one. */
	unsigned previous = state ? state->verified_generation : 0;
	if (previous == 0 || previous == job->state.newest)
		return;
	CLEANUP(closep) int directory = -1;
	struct generation_meta meta = {0};
	if (store_certificate_open(&pass->store, job->certificate->name, false, &directory, NULL) ==
		    0 &&
	    generation_read(directory, job->where, previous, &meta, NULL) == 0)
		memcpy(verify->previous, meta.facts.sha256, sizeof(verify->previous));
	generation_meta_free(&meta);
}

void verify_end(struct verify *verify)
{
	for (size_t i = 0; verify->seen && i < verify->count; i++)
		probe_result_free(&verify->seen[i]);
	free(verify->seen);
	free(verify->shown);
	*verify = (struct verify){0};
}

static enum verify_shown classify(const struct verify *verify, const struct leaf_facts *facts)
{
	if (strcmp(facts->sha256, verify->wanted) == 0)
		return VERIFY_NEWEST;
	if (verify->previous[0] && strcmp(facts->sha256, verify->previous) == 0)
		return VERIFY_PREVIOUS;
	return VERIFY_OTHER;
}

void verify_look(struct verify *verify, struct probe *probe, int64_t deadline_ms)
{
	const struct config_target *target = verify->target;

	for (size_t i = 0; i < verify->count; i++) {
		if (verify->shown[i] == VERIFY_NEWEST)
			continue;
		int64_t left = deadline_ms - clock_monotonic_ms();
		if (left <= 0)
			return;
		probe_result_free(&verify->seen[i]);
		int result = probe_handshake(probe, target->probe_host, target->probe_port,
					     verify->job->certificate->hostnames.items[i],
					     verify->job->state.facts.key_type, left,
					     &verify->seen[i], &verify->error);
		verify->shown[i] =
			result < 0 ? VERIFY_NOTHING : classify(verify, &verify->seen[i].facts);
		/* Nobody listens: the other names would wait for the same nothing. */
		if (result == -ECONNREFUSED)
			return;
	}
}

int verify_answers(const struct config_target *target, const struct config_certificate *certificate,
		   int64_t deadline_ms, struct error *error)
{
	CLEANUP(probe_freep) struct probe *probe = NULL;
	int result = probe_new(&probe, error);
	int64_t deadline = clock_monotonic_ms() + target->probe_timeout * 1000;
	if (deadline > deadline_ms)
		deadline = deadline_ms;
	while (result == 0) {
		struct probe_result seen = {0};
		int64_t left = stop_cut(deadline) - clock_monotonic_ms();
		error_clear(error);
		result = probe_handshake(probe, target->probe_host, target->probe_port,
					 certificate->hostnames.items[0], KEY_TYPE_COUNT,
					 left > ANSWER_PAUSE_MS ? left : ANSWER_PAUSE_MS, &seen,
					 error);
		probe_result_free(&seen);
		if (result == 0 || left <= ANSWER_PAUSE_MS)
			return result;
		clock_sleep_ms(ANSWER_PAUSE_MS);
		result = 0;
	}
	return result;
}

static size_t count_of(const struct verify *verify, enum verify_shown shown)
{
	size_t count = 0;
	for (size_t i = 0; i < verify->count; i++)
		count += verify->shown[i] == shown;
	return count;
}

void verify_now(struct verify *verify, const struct pass *pass, const struct pass_job *job,
		const struct pass_target_job *target_job, struct probe *probe)
{
	verify_begin(verify, pass, job, target_job);
	verify_look(verify, probe,
		    clock_monotonic_ms() + target_look_ms(target_job->target, verify->count) +
			    (int64_t)verify->count * NAME_MS);
}

bool verify_holds(const struct verify *verify)
{
	return count_of(verify, VERIFY_NEWEST) > 0 && count_of(verify, VERIFY_PREVIOUS) == 0;
}

static int explain_leaf(const struct verify *verify, size_t index, const char *relation,
			struct error *error)
{
	const struct config_target *target = verify->target;
	const struct leaf_facts *facts = &verify->seen[index].facts;
	char until[CLOCK_TEXT_SIZE];

	return error_set(error, ERROR_DEPLOY, -ESTALE,
			 "%s:%u shows %s for %s (serial %s, first name %s, valid until %s)",
			 target->probe_host, target->probe_port, relation,
			 verify->job->certificate->hostnames.items[index], facts->serial,
			 facts->hostnames.count ? facts->hostnames.items[0] : "none",
			 clock_format(facts->not_after, until));
}

int verify_explain(const struct verify *verify, const char *file, struct error *error)
{
	const struct config_target *target = verify->target;

	const char *elsewhere = target_kind(target->type)->elsewhere;

	for (size_t i = 0; i < verify->count; i++)
		if (verify->shown[i] == VERIFY_PREVIOUS) {
			explain_leaf(verify, i, "still the previous certificate", error);
			if (elsewhere)
				return error_remedy(error, "%s", elsewhere);
			if (target->reload == RELOAD_NONE)
				return error_remedy(error,
						    "reload the server: the new one waits in %s "
						    "(reload = none leaves that to you)",
						    file);
			return error_remedy(error,
					    "look for a copied path instead of %s in the server's "
					    "configuration, or for a second server at that address",
					    file);
		}
	for (size_t i = 0; i < verify->count; i++)
		if (verify->shown[i] == VERIFY_OTHER) {
			explain_leaf(verify, i, "another certificate", error);
			if (elsewhere)
				return error_remedy(error, "%s", elsewhere);
			CLEANUP(freep) char *include = target_include(target->type, file);
			return error_remedy(error,
					    "put %s, or set `probe` of [target %s] to where it "
					    "listens",
					    include, target->name);
		}
	if (verify->error.code) {
		*error = verify->error;
		return error_remedy(error,
				    "set `probe` of [target %s] to the address and port of "
				    "its TLS listener, or to none",
				    target->name);
	}
	return error_set(error, ERROR_DEPLOY, -ETIMEDOUT, "%s:%u was not asked before the deadline",
			 target->probe_host, target->probe_port);
}

int verify_strict(const struct verify *verify, struct error *error)
{
	const struct string_list *hostnames = &verify->job->certificate->hostnames;
	for (size_t i = 0; i < verify->count; i++) {
		/* What a wildcard stands for is asked with a label that nobody serves. */
		if (hostnames->items[i][0] == '*')
			continue;
		if (verify->shown[i] == VERIFY_OTHER || verify->shown[i] == VERIFY_PREVIOUS)
			return explain_leaf(verify, i, "another certificate", error);
		if (verify->shown[i] == VERIFY_PENDING ||
		    (verify->shown[i] == VERIFY_NOTHING && verify->error.code == -ETIMEDOUT))
			return error_set(error, ERROR_DEPLOY, -EAGAIN,
					 "%s:%u could not be asked for %s",
					 verify->target->probe_host, verify->target->probe_port,
					 hostnames->items[i]);
	}
	return 0;
}
