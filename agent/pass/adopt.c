#include "pass/adopt.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cloudflare/origin_ca.h"
#include "pass/adopt_search.h"
#include "pass/attempt.h"
#include "pass/commit.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/plan.h"
#include "pass/schedule.h"
#include "pass/trust.h"
#include "store/generation.h"

int adoption_read(const char *certificate_path, const char *key_path,
		  struct pass_adoption *ret_adoption, struct error *error)
{
	struct pass_adoption adoption = {.certificate_path = certificate_path,
					 .key_path = key_path};
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	int result = file_read(certificate_path, &text, error);
	if (result == 0) {
		result = leaf_read_pem(buffer_text(&text), text.length, &adoption.leaf, error);
		if (result < 0)
			error_prefix(error, "%s", certificate_path);
	}
	if (result == 0)
		result = key_read_file(key_path, &adoption.key, NULL, error);
	if (result < 0) {
		adoption_free(&adoption);
		if (error)
			error->class = ERROR_CONFIGURATION;
		return result;
	}
	*ret_adoption = adoption;
	return 0;
}

void adoption_free(struct pass_adoption *adoption)
{
	X509_free(adoption->leaf);
	EVP_PKEY_free(adoption->key);
	*adoption = (struct pass_adoption){0};
}

/* leaf_check() speaks of what the API answered; here it is what lies on this host. */
static int check_pair(struct pass *pass, struct pass_job *job, const struct pass_adoption *pair,
		      struct error *error)
{
	const struct config_certificate *certificate = job->certificate;
	unsigned notices = 0;
	struct leaf_request request = {
		.key = pair->key,
		.hostnames = &certificate->hostnames,
		.now = clock_now(),
		.roots = trust_roots(pass, certificate),
	};
	enum key_type type = KEY_TYPE_COUNT;
	int result = leaf_check(pair->leaf, &request, &notices, error);
	if (result == 0 && notices & LEAF_SIGNATURE_UNCHECKED) {
		result = error_set(error, ERROR_CONFIGURATION, -ENOKEY,
				   "no Origin CA root is here to check its signature with");
		error_remedy(error, "let this host reach `root_url`, or put the roots into "
				    "STATE/roots");
	}
	if (result == 0 && (key_type_of(pair->key, &type) < 0 ||
			    (certificate->key_type_given && type != certificate->key_type))) {
		result = error_set(error, ERROR_CONFIGURATION, -EINVAL,
				   "its key is not of the type that `key_type` asks for");
		error_remedy(error, "remove `key_type`, and it is kept until it is due");
	}
	if (result == 0 && job->material.key && EVP_PKEY_eq(job->material.key, pair->key) != 1)
		result = error_set(error, ERROR_CONFIGURATION, -EINVAL,
				   "its key is not that of `private_key` or `csr`");
	if (result < 0 && error->class == ERROR_BUG)
		error->class = ERROR_CONFIGURATION;
	job->notices = result == 0 ? notices : 0;
	return result;
}

/* Where the API can be asked, one that is revoked is not taken. */
static int check_revoked(struct pass *pass, const struct pass_job *job, const char *serial,
			 struct error *error)
{
	const struct pass_account *account = attempt_account(pass, job->certificate->api);
	struct origin_certificate answer = {0};
	bool revoked = account && account->client &&
		       origin_ca_get(account->client, serial, &answer, NULL) == 0 &&
		       answer.revoked_at;
	origin_certificate_free(&answer);
	return revoked ? error_set(error, ERROR_CONFIGURATION, -EKEYREVOKED,
				   "certificate %s is revoked at Cloudflare", serial)
		       : 0;
}

static int store_pair(struct pass *pass, struct pass_job *job, const struct pass_adoption *pair,
		      struct generation_meta *meta, struct error *error)
{
	const struct config_certificate *certificate = job->certificate;
	CLEANUP(closep) int directory = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *csr = NULL;
	CLEANUP(buffer_free) struct buffer pem = BUFFER(FILE_LIMIT);
	struct generation_files files = material_files(pass, job, pair->leaf);
	struct pending_request request = {
		.hostnames = &certificate->hostnames,
		.key = pair->key,
		.access = &certificate->access,
		.formats = certificate->formats,
		.chain_root = certificate->chain_root,
	};
	bool reused = false;
	unsigned number = 0;
	int result =
		store_certificate_open(&pass->store, certificate->name, true, &directory, error);
	/* An open request may have been answered: that certificate would be lost. A key that was
	 * given is that of an adoption that was cut short. */
	if (result == 0 && pending_exists(directory) && !pending_is_given(directory)) {
		error_set(error, ERROR_LOCAL, -EBUSY,
			  "an earlier request for a certificate is still open");
		return error_remedy(error, "let `origin-ca-agent --renew-now %s` finish it",
				    certificate->name);
	}
	if (result == 0)
		result = pending_prepare(directory, job->where, &request, &key, &csr, &reused,
					 error);
	if (result == 0)
		result = leaf_write_pem(pair->leaf, &pem, error);
	if (result == 0)
		result = generation_commit(directory, job->where, buffer_text(&pem), meta, &files,
					   &number, error);
	if (result < 0)
		return result;
	meta->number = number;
	job_take_generation(job, directory, number, meta, pass->now);
	return 0;
}

static int take(struct pass *pass, struct pass_job *job, const struct pass_adoption *pair,
		struct error *error)
{
	const struct config_certificate *certificate = job->certificate;
	struct generation_meta meta = {
		.created = clock_now(),
		/* Another validity that is configured later is a reason; the one now is none. */
		.validity_days = certificate->validity_days,
		.imported = true,
		.number = commit_number_named(pass, job) + 1,
	};
	int result = check_pair(pass, job, pair, error);
	if (result == 0)
		result = leaf_facts_read(pair->leaf, &meta.facts, error);
	if (result == 0)
		result = check_revoked(pass, job, meta.facts.serial, error);
	if (result == 0) {
		meta.id = string_copy(meta.facts.serial);
		result = store_pair(pass, job, pair, &meta, error);
	}
	if (result == 0) {
		job->state.renew_at =
			schedule_renewal(pass->config, certificate, &meta.facts).moment;
		job->reissue = 0;
		job->derive = 0;
		job->waiting = false;
		job->imported = true;
		error_clear(&job->error);
		state_attempt_clear(&job->state.issue);
		state_event_add(&job->state, pass->now, "adopted",
				"adopted %s as generation %u (serial %s)", pair->certificate_path,
				job->state.newest, job->state.facts.serial)
			->generation = job->state.newest;
		job->state.counts.success_at = clock_now();
		job_save(pass, job);
	}
	generation_meta_free(&meta);
	return result;
}

/* What was named must be taken, or said to be no good; nothing is asked for instead. */
static void take_named(struct pass *pass, struct pass_job *job, const struct pass_adoption *pair,
		       bool record)
{
	struct error error = {0};
	if (take(pass, job, pair, &error) == 0)
		return;
	error_prefix(&error, "cannot adopt %s", pair->certificate_path);
	job->error = error;
	job->waiting = true;
	if (!record)
		return;
	CLEANUP(freep) char *fingerprint = plan_fingerprint(job);
	int64_t next = schedule_retry(&error, job->state.issue.count + 1, SCHEDULE_NEVER,
				      pass->jitter, pass->now);
	state_attempt_fail(&job->state.issue, &error, pass->now, next, fingerprint);
	state_event_add(&job->state, pass->now, "failed", "%s", error.message);
	job->dirty = true;
}

static void adopt_configured(struct pass *pass, struct pass_job *job)
{
	const struct config_certificate *certificate = job->certificate;
	struct pass_adoption pair = {0};
	struct error error = {0};
	if (adoption_read(certificate->adopt_certificate, certificate->adopt_key, &pair, &error) ==
	    0) {
		take_named(pass, job, &pair, true);
		adoption_free(&pair);
		return;
	}
	error_prefix(&error, "cannot adopt");
	error_remedy(&error,
		     "correct or remove `adopt` of [certificate %s], or run `sudo "
		     "origin-ca-agent adopt CERT KEY --name %s`",
		     certificate->name, certificate->name);
	job->error = error;
	job->waiting = true;
	CLEANUP(freep) char *fingerprint = plan_fingerprint(job);
	state_attempt_fail(&job->state.issue, &error, pass->now,
			   schedule_retry(&error, job->state.issue.count + 1, SCHEDULE_NEVER,
					  pass->jitter, pass->now),
			   fingerprint);
	job->dirty = true;
}

/* Found, not named: what is no good is told once, and a certificate is asked for. */
static void adopt_found(struct pass *pass, struct pass_job *job, const struct adopt_search *search)
{
	const char *name = job->certificate->name;
	const char *key_path = NULL;
	const char *unread = NULL;
	const struct adopt_candidate *candidate =
		adopt_search_find(search, &job->certificate->hostnames);
	if (!candidate || candidate->facts.not_after <= pass->now)
		return;
	/* Somebody else's (a public authority's, a self-signed one) is no business of ours. */
	if (!root_list_signer(trust_roots(pass, job->certificate), candidate->leaf))
		return;
	CLEANUP(EVP_PKEY_freep)
	EVP_PKEY *key = adopt_search_key(search, candidate, &key_path, &unread);
	if (!key) {
		log_notice("%s: %s would do, but its key %s%s; to keep it: sudo origin-ca-agent "
			   "adopt %s KEY --name %s",
			   name, candidate->path,
			   unread ? "may be unreadable for this user: "
				  : "is in no file that is named beside it",
			   unread ? unread : "", candidate->path, name);
		return;
	}
	struct pass_adoption pair = {candidate->path, key_path, candidate->leaf, key};
	struct error error = {0};
	if (take(pass, job, &pair, &error) < 0)
		log_notice("%s: %s is not adopted: %s", name, candidate->path, error.message);
}

/* `adopt` is about a certificate that has one already. */
static bool superseding_allowed(const struct pass *pass, struct pass_job *job,
				const struct pass_adoption *pair)
{
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	if (!job->state.newest || leaf_facts_read(pair->leaf, &facts, NULL) < 0)
		return true;
	if (strcmp(facts.sha256, job->state.facts.sha256) == 0)
		return false; /* it is here already */
	if (pass->options.force_adoption)
		return true;
	error_set(&job->error, ERROR_CONFIGURATION, -EEXIST,
		  "%s has generation %u already, another certificate (serial %s)",
		  job->certificate->name, job->state.newest, job->state.facts.serial);
	error_remedy(&job->error, "--force puts the one that is adopted in its place");
	/* Nor is another one asked for instead. */
	job->waiting = true;
	return false;
}

void adopt_all(struct pass *pass)
{
	struct adopt_search search = {0};
	bool searched = false;
	if (pass->options.adoption) {
		for (size_t i = 0; i < pass->job_count; i++)
			if (superseding_allowed(pass, &pass->jobs[i], pass->options.adoption))
				take_named(pass, &pass->jobs[i], pass->options.adoption, false);
		return;
	}
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		/* Only a first one; `--force` asks for a new one. */
		if (!(job->reissue & REISSUE_ABSENT) || job->state.newest || job->waiting ||
		    job->reissue & REISSUE_FORCED || job->error.code)
			continue;
		if (job->certificate->adopt == ADOPT_FILES) {
			adopt_configured(pass, job);
		} else if (job->certificate->adopt == ADOPT_AUTO && job->target_count &&
			   !(job->material.keyless)) {
			if (!searched)
				adopt_search_run(pass->store.path, &search);
			searched = true;
			adopt_found(pass, job, &search);
		}
	}
	adopt_search_free(&search);
}
