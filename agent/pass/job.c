#include "pass/job.h"

#include <errno.h>

#include "pass/material.h"
#include "pass/schedule.h"
#include "target/keystore.h"
#include "target/kind.h"

void job_take_generation(struct pass_job *job, int directory, unsigned number,
			 const struct generation_meta *meta, int64_t now)
{
	struct state *state = &job->state;
	char fingerprint[SHA256_TEXT_SIZE] = "";

	generation_fingerprint(directory, number, fingerprint);
	leaf_facts_free(&state->facts);
	leaf_facts_copy(&state->facts, &meta->facts);
	free(state->fingerprint);
	state->fingerprint = string_copy(fingerprint);
	free(state->id);
	state->id = string_copy(meta->id);
	state->validity_days = meta->validity_days;
	state->newest = number;
	state->checked_at = now;
	job->dirty = true;
}

static int keystore_password_read(struct pass *pass, struct pass_job *job, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	const char *file = job->certificate->keystore_password_file;
	bool create = !pass->options.dry_run;
	int result = store_certificate_open(&pass->store, job->certificate->name, create,
					    &directory, error);
	if (result == 0)
		result = keystore_password(directory, job->where, file, create,
					   &job->keystore_password, error);
	if (result == -ENOENT && !create && !file) {
		job->keystore_password = string_copy("(made by the first pass)");
		result = 0;
	}
	return result;
}

int job_snippet_input(struct pass *pass, struct pass_job *job, const struct config_target *target,
		      unsigned number, struct snippet_input *ret_input, struct error *error)
{
	bool keystore = target_kind(target->type)->keystore;
	material_load(job); /* of a key that cannot be read, the configured type is told */
	int result =
		keystore && !job->keystore_password ? keystore_password_read(pass, job, error) : 0;
	if (result < 0)
		return result;
	*ret_input = (struct snippet_input){
		.certificate = job->certificate,
		.number = number,
		.state_dir = pass->store.path,
		.keystore_password = keystore ? job->keystore_password : NULL,
		.key_type = job->material.key_type,
	};
	return 0;
}

int job_placeholder(struct pass *pass, struct pass_job *job, int directory, struct error *error)
{
	struct generation_files files = material_files(pass, job, NULL);
	return generation_placeholder(directory, job->where, &job->certificate->hostnames, &files,
				      pass->now, error);
}

bool job_emergency(const struct pass *pass, const struct pass_job *job)
{
	if (!job->state.newest)
		return true;
	return pass->now >=
	       schedule_renewal(pass->config, job->certificate, &job->state.facts).emergency;
}

void job_save(struct pass *pass, struct pass_job *job)
{
	if (!job->dirty || pass->options.dry_run)
		return;

	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	int result = store_certificate_open(&pass->store, job->certificate->name, true, &directory,
					    &error);
	if (result == 0)
		result = state_save(directory, job->where, &job->state, &error);
	if (result == 0)
		job->dirty = false;
	else if (!job->error.code)
		job->error = error;
}
