#include "pass/attempt.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "pass/commit.h"
#include "pass/deploy.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/plan.h"
#include "pass/schedule.h"
#include "pass/superseded.h"
#include "pass/trust.h"
#include "pass/wall_clock.h"
#include "store/generation.h"

struct pass_account *attempt_account(struct pass *pass, const struct config_api *api)
{
	for (size_t i = 0; i < pass->config->api_count; i++)
		if (pass->accounts[i].api == api)
			return &pass->accounts[i];
	return NULL;
}

/* No root that we know has signed it. Cloudflare may have published another, and the administrator
 * may have pinned that. */
static int check_anew(struct attempt *attempt, X509 *leaf, struct leaf_request *request,
		      struct error *error)
{
	struct error unknown = {0};
	const struct root_list *roots =
		trust_roots_anew(attempt->pass, attempt->job->certificate, &unknown);
	if (roots->count == 0) /* without any, a signature would not be looked at */
		return error->code;
	request->roots = roots;
	int result = leaf_check(leaf, request, &attempt->job->notices, error);
	if (result < 0 && unknown.code == -EKEYREJECTED)
		error_remedy(error, "%s; %s", unknown.message, unknown.remedy);
	return result;
}

/* Holds the answer against the request and makes a generation of it. */
static int keep(struct attempt *attempt, struct error *error)
{
	struct pass *pass = attempt->pass;
	struct pass_job *job = attempt->job;
	const struct config_certificate *certificate = job->certificate;
	/* An answer without a certificate is none. */
	const char *pem_text = attempt->pem ? attempt->pem : "";
	CLEANUP(X509_freep) X509 *leaf = NULL;
	struct leaf_request request = {
		.key = attempt->key,
		.hostnames = &certificate->hostnames,
		.validity_days = certificate->validity_days,
		.now = clock_now(),
		.roots = trust_roots(pass, certificate),
	};

	int result = leaf_read_pem(pem_text, strlen(pem_text), &leaf, error);
	if (result == 0)
		result = leaf_check(leaf, &request, &job->notices, error);
	if (result == -EKEYREJECTED && error->class == ERROR_BUG)
		result = check_anew(attempt, leaf, &request, error);
	if (result < 0) {
		/* The same key would only find the same wrong leaf again; but with a clock that is
		 * wrong, it is not the leaf that is, and one that a new root has signed is good
		 * once the administrator knows that root: it is found again then. */
		int64_t offset = 0;
		bool clock_wrong = result == -ETIME &&
				   client_clock_offset(attempt->client, &offset) &&
				   llabs(offset) > CLOCK_HOUR;
		bool root_unknown = result == -EKEYREJECTED && error->class == ERROR_BUG;
		if (!clock_wrong && !root_unknown)
			pending_discard(attempt->directory, job->where, NULL);
		return error_prefix(error,
				    "the certificate %s that the API gave is not what was asked",
				    attempt->id ? attempt->id : "(without id)");
	}

	superseded_note(pass, job);
	struct generation_files files = material_files(pass, job, leaf);
	struct generation_meta meta = {
		.created = request.now,
		.validity_days = certificate->validity_days,
		.adopted = attempt->adopted,
		.number = commit_number_named(pass, job) + 1,
	};
	/* Not in the initializer: cppcheck cannot read a statement expression there. */
	meta.id = TAKE_PTR(attempt->id);
	struct buffer pem = BUFFER(FILE_LIMIT);
	unsigned number = 0;
	result = leaf_facts_read(leaf, &meta.facts, error);
	if (result == 0)
		result = leaf_write_pem(leaf, &pem, error);
	if (result == 0)
		result = generation_commit(attempt->directory, job->where, buffer_text(&pem), &meta,
					   &files, &number, error);
	if (result == 0) {
		meta.number = number;
		job_take_generation(job, attempt->directory, number, &meta, request.now);
		job->state.renew_at =
			schedule_renewal(pass->config, certificate, &meta.facts).moment;
		superseded_mark(job);
		/* The API has just answered for it. */
		job->state.revocation_at = request.now;
		job->issued = true;
		job->adopted = attempt->adopted;
	}
	buffer_free(&pem);
	generation_meta_free(&meta);
	return result;
}

/* The key of the newest generation, to be used again; NULL where that is not wanted, or where it is
 * the key that is wrong. */
static int reused_key(struct attempt *attempt, EVP_PKEY **ret_key, struct error *error)
{
	struct pass_job *job = attempt->job;
	const struct state *state = &job->state;
	if (!job->certificate->reuse_key || !state->newest ||
	    state->facts.key_type != job->material.key_type ||
	    job->reissue & (REISSUE_UNREADABLE | REISSUE_MISMATCH))
		return 0;
	return generation_key(attempt->directory, job->where, state->newest, ret_key, error);
}

/* Key and request, durable before anybody is asked. */
static int prepare(struct attempt *attempt, struct error *error)
{
	struct pass_job *job = attempt->job;
	const struct config_certificate *certificate = job->certificate;
	const struct material *material = &job->material;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *reused = NULL;
	int result = reused_key(attempt, &reused, error);
	if (result < 0)
		return result;
	struct pending_request request = {
		.key_type = material->key_type,
		.hostnames = &certificate->hostnames,
		.key = material->keyless ? NULL
		       : material->key	 ? material->key
					 : reused,
		.csr_pem = material->csr_pem,
		.access = &certificate->access,
		.formats = certificate->formats,
		.chain_root = certificate->chain_root,
	};
	return pending_prepare(attempt->directory, job->where, &request, &attempt->key,
			       &attempt->csr, &attempt->reused, error);
}

static int run(struct attempt *attempt, struct error *error)
{
	struct pass *pass = attempt->pass;
	struct pass_job *job = attempt->job;
	const struct config_certificate *certificate = job->certificate;

	/* The clock, the token and then the disk, before anything is asked. */
	attempt->account = attempt_account(pass, certificate->api);
	int result = pass->clock.error.code;
	if (result < 0)
		*error = pass->clock.error;
	if (result == 0)
		result = attempt_budget(pass, job, error);
	if (result == 0 && material_load(job) < 0) {
		*error = job->material.error;
		result = error->code;
	}
	if (result == 0)
		result = attempt_account_usable(attempt->account, error);
	/* What one has heard of the time spares the others a key. */
	if (result == 0)
		result = wall_clock_heard(attempt->account, error);
	if (result == 0) {
		attempt->client = attempt->account->client;
		result = store_certificate_open(&pass->store, certificate->name, true,
						&attempt->directory, error);
	}
	if (result == 0)
		result = prepare(attempt, error);
	if (result == 0) {
		/* The one long wait: meanwhile the job may get its placeholder. */
		pthread_mutex_unlock(&job->lock);
		result = attempt_ask(attempt, error);
		pthread_mutex_lock(&job->lock);
	}
	/* What may exist at the API counts, whether the answer came or not. */
	if ((result == 0 && !attempt->adopted) || attempt->unseen)
		state_issue_add(&job->state, pass->now);
	return result < 0 ? result : keep(attempt, error);
}

static void record_failure(struct pass *pass, struct pass_job *job, const struct error *error)
{
	CLEANUP(freep) char *fingerprint = plan_fingerprint(job);
	int64_t now = clock_now();
	int64_t next = schedule_retry(error, job->state.issue.count + 1,
				      job_emergency_at(pass, job), pass->jitter, now);
	state_attempt_fail(&job->state.issue, error, now, next, fingerprint);
	state_event_add(&job->state, now, "failed", "%s", error->message);
	job->state.counts.failures[error->class]++;
	job->error = *error;
	job->dirty = true;
}

static void record_success(struct pass_job *job)
{
	struct state *state = &job->state;
	const char *verb = job->adopted ? "adopted" : "issued";
	char until[CLOCK_TEXT_SIZE];
	int64_t now = clock_now();
	state_event_add(state, now, verb, "%s generation %u (serial %s, valid until %s)", verb,
			state->newest, state->facts.serial,
			clock_format(state->facts.not_after, until))
		->generation = state->newest;
	state->counts.success_at = now;
}

void attempt_run(struct pass *pass, struct pass_job *job)
{
	struct attempt attempt = {.pass = pass, .job = job, .directory = -1};
	struct error error = {0};

	pthread_mutex_lock(&job->lock);
	job->state.counts.attempts++;
	int result = run(&attempt, &error);
	if (result < 0 && stop_requested() && error.class == ERROR_TRANSIENT) {
		/* Nobody's failure: the next pass goes on at once. */
		job->error = error;
		state_event_add(&job->state, pass->now, "stopped", "%s", error.message);
		job->dirty = true;
	} else if (result < 0) {
		record_failure(pass, job, &error);
		deploy_placeholder(pass, job);
	} else {
		job->reissue = 0;
		error_clear(&job->error);
		state_attempt_clear(&job->state.issue);
		record_success(job);
	}
	/* Budget, backoff and number must outlive a pass that is killed after this. */
	job_save(pass, job);
	pthread_mutex_unlock(&job->lock);
	EVP_PKEY_free(attempt.key);
	secret_free(attempt.csr);
	free(attempt.pem);
	free(attempt.id);
	closep(&attempt.directory);
}
