/* What a failure depended on: when it is another, the next try need not wait. */
#include <sys/stat.h>

#include "cloudflare/token.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/plan.h"
#include "pki/key.h"

static void fingerprint_file(struct buffer *text, const char *path)
{
	struct stat status;
	if (path && stat(path, &status) == 0)
		buffer_add_format(text, "%llu %lld.%09ld %lld\n", (unsigned long long)status.st_ino,
				  (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
				  (long long)status.st_size);
}

char *plan_fingerprint(const struct pass_job *job)
{
	const struct config_certificate *certificate = job->certificate;
	const struct config_api *api = certificate->api;
	struct buffer text = BUFFER(64 << 10);

	for (size_t i = 0; i < certificate->hostnames.count; i++)
		buffer_add_format(&text, "%s\n", certificate->hostnames.items[i]);
	buffer_add_format(&text, "%d %lld %s %s %s %s %lld %s\n", (int)job->material.key_type,
			  (long long)certificate->validity_days,
			  certificate->zone_id ? certificate->zone_id : "-", api->endpoint,
			  api->ca_file ? api->ca_file : "-", api->proxy ? api->proxy : "-",
			  (long long)api->timeout, api->root_url ? api->root_url : "-");
	for (size_t i = 0; i < api->root_sha256.count; i++)
		buffer_add_format(&text, "%s\n", api->root_sha256.items[i]);

	if (certificate->adopt == ADOPT_FILES) {
		buffer_add_format(&text, "%s %s\n", certificate->adopt_certificate,
				  certificate->adopt_key);
		fingerprint_file(&text, certificate->adopt_certificate);
		fingerprint_file(&text, certificate->adopt_key);
	}

	/* A token, authority, key, request or password that was replaced is tried at once. */
	CLEANUP(freep) char *token = token_path(api);
	fingerprint_file(&text, token);
	fingerprint_file(&text, api->ca_file);
	material_stamp(certificate, &text);

	char digest[SHA256_TEXT_SIZE];
	digest_sha256(buffer_text(&text), text.length, digest);
	buffer_free(&text);
	return string_copy(digest);
}

/* How the server is told, as far as the administrator can change it. */
static void fingerprint_reload(struct buffer *text, const struct config_target *target)
{
	buffer_add_format(text, "%lld %s %u %u %o\n", (long long)target->reload_timeout,
			  target->manager_url ? target->manager_url : "-", target->access.owner,
			  target->access.group, target->access.mode);
	buffer_add_format(text, "%s\n", target->remote.profile ? target->remote.profile : "-");
	for (size_t i = 0; i < target->reload_command.count; i++)
		buffer_add_format(text, "%s\n", target->reload_command.items[i]);
	/* A token that was replaced, a program that was mended under the same name. */
	const char *files[CONFIG_TARGET_FILES];
	config_target_files(target, files);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		fingerprint_file(text, files[i]);
}

char *plan_target_fingerprint(struct pass *pass, struct pass_job *job)
{
	struct buffer text = BUFFER(64 << 10);

	for (size_t i = 0; i < job->target_count; i++) {
		const struct config_target *target = job->targets[i].target;
		char rendered[SHA256_TEXT_SIZE] = "";
		struct snippet_input input;
		if (pass_target_load(pass, job->targets[i].index) == 0 &&
		    job_snippet_input(pass, job, target, job->state.newest, &input, NULL) == 0)
			snippet_rendered_from(&pass->targets[job->targets[i].index].template,
					      &input, rendered);
		buffer_add_format(
			&text, "%s %s %s %d %d %s:%u %lld %s\n", target->name, rendered,
			target->unit ? target->unit : "-", (int)target->reload,
			target->start_stopped, target->probe_host ? target->probe_host : "none",
			target->probe_port, (long long)target->probe_timeout, target->snippet_dir);
		fingerprint_reload(&text, target);
	}
	char digest[SHA256_TEXT_SIZE];
	digest_sha256(buffer_text(&text), text.length, digest);
	buffer_free(&text);
	return string_copy(digest);
}
