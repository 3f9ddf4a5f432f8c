#include "pass/delivery.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pass/trust.h"
#include "store/generation.h"
#include "target/kind.h"
#include "target/remote.h"

/* Nobody was reached: the next certificate would wait for the same nothing. */
static bool is_unreachable(const struct error *error)
{
	return error->class == ERROR_TRANSIENT &&
	       (error->code == -ECONNREFUSED || error->code == -ETIMEDOUT ||
		error->code == -EHOSTUNREACH || error->code == -EIO);
}

typedef int (*order_use)(const struct remote_order *order, void *context, struct error *error);

/* Makes the order of what the snippet names, and calls `use` with it. */
static int with_order(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		      int64_t left, order_use use, void *context, struct error *error)
{
	const struct state_target *state = state_target_get(&job->state, target_job->target->name);
	CLEANUP(closep) int directory = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(X509_freep) X509 *leaf = NULL;
	struct leaf_facts facts = {0};
	int result = store_certificate_open(&pass->store, job->certificate->name, true, &directory,
					    error);
	if (result == 0 && state->generation)
		result = generation_key(directory, job->where, state->generation, &key, error);
	if (result == 0 && state->generation)
		result = generation_leaf(directory, job->where, state->generation, &leaf, error);
	if (result == 0 && leaf)
		result = leaf_facts_read(leaf, &facts, error);
	struct remote_order order = {
		.target = target_job->target,
		.certificate = job->certificate,
		.generation = state->generation,
		.key = key,
		.leaf = leaf,
		.root = leaf ? root_list_signer(trust_roots(pass, job->certificate), leaf) : NULL,
		.facts = &facts,
		.first = state->verified_generation == 0,
		.snippets = pass->targets[target_job->index].directory,
		.directory = directory,
		.where = job->where,
		.deadline_ms = stop_cut(clock_monotonic_ms() + left),
	};
	if (result == 0)
		result = use(&order, context, error);
	leaf_facts_free(&facts);
	return result;
}

static int use_deliver(const struct remote_order *order, void *context, struct error *error)
{
	(void)context;
	return remote_deliver(order, error);
}

static int use_look(const struct remote_order *order, void *context, struct error *error)
{
	return remote_look(order, context, error);
}

bool delivery_is_there(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job)
{
	struct pass_target *target = &pass->targets[target_job->index];
	int64_t left = pass->deadline_ms - clock_monotonic_ms();
	enum remote_found found = REMOTE_WANTED;
	struct error error = {0};
	if (left > target->target->reload_timeout * 1000)
		left = target->target->reload_timeout * 1000;
	if (target->unreachable.code)
		return true;
	int result = with_order(pass, job, target_job, left, use_look, &found, &error);
	if (result == 0)
		return found == REMOTE_WANTED;
	log_failure(LOG_LEVEL_WARNING, &error);
	if (is_unreachable(&error))
		target->unreachable = error;
	return true;
}

int delivery_run(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		 int64_t left, struct error *error)
{
	struct pass_target *target = &pass->targets[target_job->index];
	struct error found = {0};
	if (target->unreachable.code) {
		*error = target->unreachable;
		return error->code;
	}
	pass->reloads++;
	log_progress("%s: delivering %s", target->target->name, job->certificate->name);
	int result = with_order(pass, job, target_job, left, use_deliver, NULL, &found);
	log_progress("%s", "");
	if (result < 0)
		*error = found;
	if (result < 0 && is_unreachable(&found))
		target->unreachable = found;
	return result;
}
