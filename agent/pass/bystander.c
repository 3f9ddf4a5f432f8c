#include "pass/bystander.h"

#include <errno.h>
#include <string.h>

#include "pass/commit.h"
#include "store/generation.h"
#include "target/kind.h"

/* Whether the server goes on with what it has when it is given files that it cannot use, and says
 * which. Tomcat does not, neither at a start nor when its manager is asked. */
static bool endures(const struct config_target *target)
{
	return target->reload == RELOAD_NONE || target_kind(target->type)->endures;
}

static bool names_target(const struct config_certificate *certificate,
			 const struct config_target *target)
{
	for (size_t i = 0; i < certificate->target_count; i++)
		if (certificate->targets[i] == target)
			return true;
	return false;
}

static const struct pass_job *job_find(const struct pass *pass,
				       const struct config_certificate *certificate)
{
	for (size_t i = 0; i < pass->job_count; i++)
		if (pass->jobs[i].certificate == certificate)
			return &pass->jobs[i];
	return NULL;
}

static bool in_group(const struct group *group, const struct pass_job *job)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->items[i].job == job)
			return true;
	return false;
}

static int blame(const struct config_target *target, const struct config_certificate *certificate,
		 const char *what, struct error *error)
{
	error_set(error, ERROR_DEPLOY, -EUCLEAN,
		  "%s is not reloaded, because it might not survive that: %s of certificate %s",
		  target->name, what, certificate->name);
	return error_remedy(error,
			    "`origin-ca-agent --renew-now %s` puts it right, or says what "
			    "is in the way",
			    certificate->name);
}

/* Key and leaf that the snippet names. Files that are as they were need no closer look. */
static int pair_check(int directory, const char *where, const struct state *state,
		      const struct config_target *target,
		      const struct config_certificate *certificate, unsigned generation,
		      struct error *error)
{
	char fingerprint[SHA256_TEXT_SIZE];
	if (generation == state->newest && state->fingerprint &&
	    generation_fingerprint(directory, generation, fingerprint) == 0 &&
	    strcmp(fingerprint, state->fingerprint) == 0)
		return 0;
	struct generation_meta meta = {0};
	struct error found = {0};
	int result = generation_read(directory, where, generation, &meta, &found);
	generation_meta_free(&meta);
	return result < 0 ? blame(target, certificate, found.message, error) : 0;
}

static int files_check(const struct pass_target *target,
		       const struct config_certificate *certificate, int directory,
		       const char *where, const struct state *state, bool restarts,
		       struct error *error)
{
	const struct state_target *known = state_target_find(state, target->target->name);
	if (!known || known->generation == 0 || !known->snippet_stamp)
		return 0; /* nothing of ours */
	char *stamp = commit_snippet_stamp(target, certificate);
	bool there = stamp[0] != '\0'; /* without it, no server comes as far as reading keys */
	bool same = strcmp(stamp, known->snippet_stamp) == 0;
	free(stamp);
	if (!there)
		return 0;
	bool is_read = restarts || target->target->reload != RELOAD_SSL;
	if (!same && is_read)
		return blame(target->target, certificate, "somebody changed the snippet", error);
	if (!target_kind(target->target->type)->keystore)
		return pair_check(directory, where, state, target->target, certificate,
				  known->generation, error);
	stamp = commit_keystore_stamp(target, certificate);
	same = known->keystore_stamp && strcmp(stamp, known->keystore_stamp) == 0;
	free(stamp);
	return same ? 0
		    : blame(target->target, certificate, "somebody changed the keystore", error);
}

static int check(const struct group *group, const struct config_certificate *certificate,
		 const struct pass_job *job, bool restarts, struct error *error)
{
	const struct pass *pass = group->pass;
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep)
	char *where = string_format("%s/certificates/%s", pass->store.path, certificate->name);
	int result =
		store_certificate_open(&pass->store, certificate->name, false, &directory, error);
	if (result < 0) {
		if (result != -ENOENT)
			return result;
		error_clear(error);
		return 0;
	}
	if (job)
		return files_check(&pass->targets[group->index], certificate, directory, where,
				   &job->state, restarts, error);
	struct state state = {0};
	bool rebuilt = false;
	result = state_load(directory, where, &state, &rebuilt, error);
	if (result == 0)
		result = files_check(&pass->targets[group->index], certificate, directory, where,
				     &state, restarts, error);
	state_free(&state);
	return result;
}

int bystander_check(const struct group *group, bool restarts, struct error *error)
{
	const struct config *config = group->pass->config;
	const struct config_target *target = config->targets[group->index];
	if (endures(target))
		return 0;
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		if (!names_target(certificate, target))
			continue;
		const struct pass_job *job = job_find(group->pass, certificate);
		if (job && (job->settled || in_group(group, job)))
			continue;
		int result = check(group, certificate, job, restarts, error);
		if (result < 0)
			return result;
	}
	return 0;
}
