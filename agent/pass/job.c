#include "pass/job.h"

#include <errno.h>

#include "pass/material.h"
#include "pass/schedule.h"
#include "pass/trust.h"
#include "target/keystore.h"
#include "target/kind.h"

int job_fingerprint(const struct pass_job *job, int directory, unsigned number,
		    char text[static SHA256_TEXT_SIZE])
{
	struct buffer stamps = BUFFER(64 << 10);
	int result = generation_fingerprint(directory, number, text);
	if (result < 0)
		return result;
	material_stamp(job->certificate, &stamps);
	if (stamps.length) {
		buffer_add_text(&stamps, text);
		digest_sha256(buffer_text(&stamps), stamps.length, text);
	}
	buffer_free(&stamps);
	return 0;
}

void job_take_generation(struct pass_job *job, int directory, unsigned number,
			 const struct generation_meta *meta, int64_t now)
{
	struct state *state = &job->state;
	char fingerprint[SHA256_TEXT_SIZE] = "";

	job_fingerprint(job, directory, number, fingerprint);
	leaf_facts_free(&state->facts);
	leaf_facts_copy(&state->facts, &meta->facts);
	free(state->fingerprint);
	state->fingerprint = string_copy(fingerprint);
	free(state->id);
	state->id = string_copy(meta->id);
	state->validity_days = meta->validity_days;
	state->imported = meta->imported;
	state->newest = number;
	state->checked_at = now;
	job->dirty = true;
}

/* The target's own password comes before that of the certificate. */
static int keystore_password_read(struct pass *pass, struct pass_job *job,
				  const struct config_target *target, char **ret_password,
				  struct error *error)
{
	CLEANUP(closep) int directory = -1;
	const char *file = target->remote.password_file ? target->remote.password_file
							: job->certificate->keystore_password_file;
	bool create = !pass->options.dry_run;
	int result = store_certificate_open(&pass->store, job->certificate->name, create,
					    &directory, error);
	if (result == 0)
		result =
			keystore_password(directory, job->where, file, create, ret_password, error);
	if (result == -ENOENT && !create && !file) {
		*ret_password = string_copy("(made by the first pass)");
		result = 0;
	}
	return result;
}

/*
 * Whose clients the server takes. While the authority is not there, nobody's: a placeholder trusts
 * itself, which signs nothing; a certificate waits (trust_client_ca_missing()), and that it is to
 * have one is told by the path that it will have.
 */
static const char *client_ca(struct pass *pass, struct pass_job *job, unsigned number)
{
	if (!job->certificate->authenticated_origin_pulls)
		return NULL;
	const struct pass_account *account = trust_client_account(pass, job->certificate);
	if (account)
		return account->client_ca;
	if (!job->placeholder_ca)
		job->placeholder_ca = string_format("%s/0000/%s", job->where, GENERATION_CERT);
	if (!job->coming_ca)
		job->coming_ca = string_format("%s/roots/%s", pass->store.path,
					       root_publications[ROOT_PULL].file);
	return number == 0 ? job->placeholder_ca : job->coming_ca;
}

/* Where the password of its keystore is remembered; NULL for a kind that has none. */
static char **keystore_password_of(struct pass_job *job, const struct config_target *target)
{
	for (size_t i = 0; i < job->target_count && target_kind(target->type)->keystore; i++)
		if (job->targets[i].target == target)
			return &job->targets[i].keystore_password;
	return NULL;
}

int job_snippet_input(struct pass *pass, struct pass_job *job, const struct config_target *target,
		      unsigned number, struct snippet_input *ret_input, struct error *error)
{
	char **password = keystore_password_of(job, target);
	material_load(job);
	int result = password && !*password
			     ? keystore_password_read(pass, job, target, password, error)
			     : 0;
	if (result < 0)
		return result;
	*ret_input = (struct snippet_input){
		.certificate = job->certificate,
		.number = number,
		.state_dir = pass->store.path,
		.keystore_password = password ? *password : NULL,
		.client_ca = client_ca(pass, job, number),
		/* While the own key cannot be read, what is served does not change. */
		.key_type = job->material.error.code && number ? job->state.facts.key_type
							       : job->material.key_type,
	};
	return 0;
}

int job_placeholder(struct pass *pass, struct pass_job *job, int directory, struct error *error)
{
	struct generation_files files = material_files(pass, job, NULL);
	/* A password that cannot be read is told of where the certificate is; a server that needs
	 * no keystore can start. */
	if (!files.password)
		files.formats &= ~(unsigned)FORMAT_P12;
	return generation_placeholder(directory, job->where, &job->certificate->hostnames, &files,
				      pass->now, error);
}

int64_t job_emergency_at(const struct pass *pass, const struct pass_job *job)
{
	if (!job->state.newest)
		return 0;
	return schedule_renewal(pass->config, job->certificate, &job->state.facts).emergency;
}

bool job_emergency(const struct pass *pass, const struct pass_job *job)
{
	return pass->now >= job_emergency_at(pass, job);
}

void job_save(struct pass *pass, struct pass_job *job)
{
	if (!job->dirty || job->state_unread || pass->options.dry_run)
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
