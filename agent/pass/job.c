#include "pass/job.h"

#include "base/memory.h"
#include "pass/schedule.h"

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
