#include "pass/derive.h"

#include "base/clock.h"
#include "base/log.h"
#include "pass/commit.h"
#include "pass/job.h"
#include "pass/material.h"
#include "store/generation.h"

static unsigned reasons_of(unsigned differences)
{
	static const struct {
		unsigned difference, reason;
	} table[] = {
		{GENERATION_FORMATS, REDEPLOY_FORMATS},
		{GENERATION_ROOT, REDEPLOY_CHAIN},
		{GENERATION_PASSWORD, REDEPLOY_PASSWORD},
		{GENERATION_DAMAGED, REDEPLOY_DAMAGED},
	};
	unsigned reasons = 0;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (differences & table[i].difference)
			reasons |= table[i].reason;
	return reasons;
}

/* What was found must not be taken for looked at and good. */
static void look_again(struct pass_job *job)
{
	if (!job->state.fingerprint)
		return;
	free(TAKE_PTR(job->state.fingerprint));
	job->dirty = true;
}

void derive_plan(const struct pass *pass, struct pass_job *job, int directory, bool look)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	struct generation_files files;
	struct error error = {0};
	unsigned differences = 0;

	job->derive = 0;
	if (!job->state.newest)
		return;
	/* What it should be cannot be told without the password. */
	if (job->material.error.code) {
		look_again(job);
		return;
	}
	int result = material_files_newest(pass, job, directory, &leaf, &files, &error);
	if (result == 0)
		result = generation_files_check(directory, job->where, job->state.newest, &files,
						look, &differences, &error);
	if (result < 0 && !job->error.code)
		job->error = error;
	job->derive = reasons_of(differences);
}

void derive_plan_again(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		unsigned found = job->derive;
		CLEANUP(closep) int directory = -1;
		if (job->settled || !job->state.newest ||
		    store_certificate_open(&pass->store, job->certificate->name, false, &directory,
					   NULL) < 0)
			continue;
		derive_plan(pass, job, directory, false);
		job->derive |= found;
	}
}

static int derive(struct pass *pass, struct pass_job *job, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	struct generation_files files;
	unsigned number = 0;
	unsigned from = job->state.newest;

	int result = store_certificate_open(&pass->store, job->certificate->name, false, &directory,
					    error);
	if (result == 0)
		result = material_files_newest(pass, job, directory, &leaf, &files, error);
	if (result == 0)
		result = generation_derive(directory, job->where, from,
					   commit_number_named(pass, job) + 1, &files, &number,
					   error);
	if (result == 0)
		result = generation_read(directory, job->where, number, &meta, error);
	if (result < 0)
		return error_prefix(error, "cannot make the files of generation %u anew", from);
	job_take_generation(job, directory, number, &meta, pass->now);
	CLEANUP(freep) char *reasons = redeploy_reason_text(job->derive);
	state_event_add(&job->state, clock_now(), "derived",
			"generation %u from %u, same certificate: %s", number, from, reasons)
		->generation = number;
	job->derived = true;
	job->derive = 0;
	return 0;
}

void derive_all(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		struct error error = {0};
		if (job->issued)
			job->derive = 0;
		if (!job->derive)
			continue;
		log_progress("making files: %s", job->certificate->name);
		if (derive(pass, job, &error) == 0)
			continue;
		look_again(job);
		if (!job->error.code)
			job->error = error;
	}
	log_progress("%s", "");
}
