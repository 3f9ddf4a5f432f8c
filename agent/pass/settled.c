#include "pass/settled.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/plan.h"
#include "pass/schedule.h"
#include "pass/trust.h"
#include "store/generation.h"
#include "store/roots.h"
#include "target/keystore.h"
#include "target/kind.h"
#include "target/truststore.h"

enum {
	SETTLED_VERSION = 1,
	SETTLED_LIMIT = 64 << 20, /* bytes of the file */
	STAMP_SIZE = 17,	  /* 64 bits in hex */
};

static const char SETTLED_FILE[] = "settled.json";

/* One certificate's; both are json's. */
struct entry {
	const char *name;
	const cJSON *json;
};

struct settled {
	cJSON *json;
	bool usable;
	struct entry *entries; /* sorted by name */
	size_t count;
};

static int compare_entries(const void *one, const void *other)
{
	return strcmp(((const struct entry *)one)->name, ((const struct entry *)other)->name);
}

struct settled *settled_load(const struct pass *pass)
{
	struct settled *settled = memory_alloc(1, sizeof(*settled));
	struct buffer text = BUFFER(SETTLED_LIMIT);
	if (file_read_at(pass->store.fd, pass->store.path, SETTLED_FILE, &text, NULL) == 0)
		settled->json = json_parse(buffer_text(&text), text.length);
	buffer_free(&text);
	if (json_integer(settled->json, "version", 0) != SETTLED_VERSION)
		return settled;
	settled->usable = true;

	const cJSON *array = cJSON_GetObjectItemCaseSensitive(settled->json, "certificates");
	const cJSON *entry;
	settled->entries =
		memory_alloc((size_t)cJSON_GetArraySize(array), sizeof(*settled->entries));
	cJSON_ArrayForEach (entry, array) {
		const char *name = json_string(entry, "name");
		if (name)
			settled->entries[settled->count++] = (struct entry){name, entry};
	}
	qsort(settled->entries, settled->count, sizeof(*settled->entries), compare_entries);
	return settled;
}

void settled_free(struct settled *settled)
{
	if (!settled)
		return;
	cJSON_Delete(settled->json);
	free(settled->entries);
	free(settled);
}

static const cJSON *find(const struct settled *settled, const char *name)
{
	size_t low = 0;
	size_t high = settled->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(name, settled->entries[middle].name);
		if (order == 0)
			return settled->entries[middle].json;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* All that the administrator can change about a certificate and its targets. */
static int definition_digest(struct pass *pass, struct pass_job *job, unsigned generation,
			     char digest[static SHA256_TEXT_SIZE])
{
	const struct config_certificate *certificate = job->certificate;
	struct buffer text = BUFFER(128 << 10);
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		buffer_add_text(&text, certificate->hostnames.items[i]);
		buffer_add(&text, "\n", 1);
	}
	buffer_add_format(
		&text, "%d %" PRId64 " %u %u %o %u %d %s %s %s", (int)certificate->key_type,
		certificate->validity_days, certificate->access.owner, certificate->access.group,
		certificate->access.mode, certificate->formats, certificate->chain_root,
		certificate->private_key_file ? certificate->private_key_file : "-",
		certificate->csr_file ? certificate->csr_file : "-",
		certificate->keystore_password_file ? certificate->keystore_password_file : "-");
	buffer_add_format(&text, " %" PRId64 " %d", certificate->revoke_superseded,
			  (int)certificate->ssl_mode);
	/* What the administrator brings: another key or password is a reason to do something. */
	material_stamp(certificate, &text);
	int result = 0;
	for (size_t i = 0; result == 0 && i < job->target_count; i++) {
		const struct config_target *target = job->targets[i].target;
		const struct pass_target *loaded = &pass->targets[job->targets[i].index];
		char rendered[SHA256_TEXT_SIZE];
		struct snippet_input input;
		result = job_snippet_input(pass, job, target, generation, &input, NULL);
		if (result < 0)
			break;
		snippet_rendered_from(&loaded->template, &input, rendered);
		buffer_add_format(&text, "\n%s %s %u %u %o %s:%u", target->name, rendered,
				  target->access.owner, target->access.group, target->access.mode,
				  target->probe_host ? target->probe_host : "none",
				  target->probe_port);
	}
	digest_sha256(buffer_text(&text), text.length, digest);
	buffer_free(&text);
	return result;
}

static int mix(int directory, const char *path, uint64_t *hash)
{
	struct file_stamp stamp;
	int result = file_stamp_at(directory, path, &stamp);
	if (result < 0)
		return result;
	const uint64_t fields[] = {
		stamp.device, stamp.inode, (uint64_t)stamp.size, (uint64_t)stamp.ctime_ns,
		stamp.mode,   stamp.owner, stamp.group,
	};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		*hash = (*hash ^ fields[i]) * UINT64_C(0x9e3779b97f4a7c15);
		*hash ^= *hash >> 29;
	}
	return 0;
}

/* The files of the generation that somebody reads: key and leaf, and what was asked for besides. */
static int mix_generation(const struct pass *pass, const struct config_certificate *certificate,
			  unsigned generation, uint64_t *hash)
{
	const char *files[] = {
		GENERATION_FULLCHAIN,
		GENERATION_CERT,
		GENERATION_CHAIN,
		generation_format_file(certificate->formats & FORMAT_DER),
		generation_format_file(certificate->formats & FORMAT_P7B),
		generation_format_file(certificate->formats & FORMAT_P12),
		generation_format_file(certificate->formats & FORMAT_COMBINED),
	};
	char number[GENERATION_NAME_SIZE];
	char path[512];
	int result = -ENOENT;

	generation_name(generation, number);
	/* Whichever it was made with, wherever the key has come to since. */
	static const char *const either[] = {GENERATION_KEY, GENERATION_CSR};
	for (size_t i = 0; result == -ENOENT && i < ARRAY_SIZE(either); i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", certificate->name, number, either[i]);
		result = mix(pass->store.certificates, path, hash);
	}
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(files); i++) {
		if (!files[i])
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", certificate->name, number, files[i]);
		result = mix(pass->store.certificates, path, hash);
	}
	return result;
}

static int mix_target(const struct pass_target *target,
		      const struct config_certificate *certificate, uint64_t *hash)
{
	if (target->directory < 0)
		return -EBADF;
	CLEANUP(freep) char *snippet = snippet_file_name(target->target, certificate);
	int result = mix(target->directory, snippet, hash);
	if (result < 0 || !target_kind(target->target->type)->keystore)
		return result;
	CLEANUP(freep) char *keystore = keystore_file_name(certificate);
	CLEANUP(freep) char *truststore = truststore_file_name(certificate);
	result = mix(target->directory, keystore, hash);
	return result == 0 && certificate->authenticated_origin_pulls
		       ? mix(target->directory, truststore, hash)
		       : result;
}

/*
 * One number for the files that servers read: it tells one that was replaced, written into or whose
 * owner or mode was changed; and for the state, which is rebuilt when it is lost. What nobody reads
 * (meta.json, a file of no format) is looked at in a full check.
 */
static int stamp_of(struct pass *pass, const struct pass_job *job, unsigned generation,
		    char text[static STAMP_SIZE])
{
	char path[512];
	uint64_t hash = UINT64_C(0x243f6a8885a308d3);

	int result = mix_generation(pass, job->certificate, generation, &hash);
	snprintf(path, sizeof(path), "%s/state.json", job->certificate->name);
	if (result == 0)
		result = mix(pass->store.certificates, path, &hash);
	if (result == 0 && job->certificate->authenticated_origin_pulls) {
		const struct pass_account *account = trust_client_account(pass, job->certificate);
		result = account ? mix(AT_FDCWD, account->client_ca, &hash) : -ENOKEY;
	}
	for (size_t i = 0; result == 0 && i < job->target_count; i++)
		result = mix_target(&pass->targets[job->targets[i].index], job->certificate, &hash);
	snprintf(text, STAMP_SIZE, "%016" PRIx64, hash);
	return result;
}

/* Templates and snippet directories, which digest and stamps need. */
static bool targets_loaded(struct pass *pass, struct pass_job *job)
{
	struct error ignored = {0};
	for (size_t i = 0; i < job->target_count; i++)
		if (pass_target_open(pass, job->targets[i].index, &ignored) < 0)
			return false;
	return true;
}

static bool text_is(const cJSON *entry, const char *name, const char *text)
{
	const char *known = json_string(entry, name);
	return known && strcmp(known, text) == 0;
}

static void take_entry(struct pass_job *job, const cJSON *entry, unsigned generation,
		       const struct leaf_facts *dates, int64_t renew_at)
{
	struct state *state = &job->state;
	state->newest = state->active = generation;
	state->facts.not_before = dates->not_before;
	state->facts.not_after = dates->not_after;
	state->renew_at = renew_at;
	const char *serial = json_string(entry, "serial");
	const char *sha256 = json_string(entry, "sha256");
	snprintf(state->facts.serial, sizeof(state->facts.serial), "%s", serial ? serial : "");
	snprintf(state->facts.sha256, sizeof(state->facts.sha256), "%s", sha256 ? sha256 : "");
	for (size_t i = 0; i < job->target_count; i++) {
		struct state_target *target = state_target_get(state, job->targets[i].target->name);
		target->generation = target->verified_generation = generation;
		job->targets[i].verified = true;
	}
}

bool settled_holds(const struct settled *settled, struct pass *pass, struct pass_job *job)
{
	const cJSON *entry = find(settled, job->certificate->name);
	if (!entry || pass->options.full || pass->options.force || !targets_loaded(pass, job))
		return false;

	unsigned generation = (unsigned)json_integer(entry, "generation", 0);
	struct leaf_facts dates = {
		.not_before = json_integer(entry, "not_before", 0),
		.not_after = json_integer(entry, "not_after", 0),
	};
	struct renewal renewal = schedule_renewal(pass->config, job->certificate, &dates);
	char stamp[STAMP_SIZE];
	char digest[SHA256_TEXT_SIZE];
	int64_t due_at = json_integer(entry, "due_at", 0);
	if (due_at && pass->now >= due_at)
		return false;
	if (generation == 0 || pass->now >= (pass->options.now ? renewal.window : renewal.moment) ||
	    stamp_of(pass, job, generation, stamp) < 0 || !text_is(entry, "stamp", stamp))
		return false;
	if (definition_digest(pass, job, generation, digest) < 0 ||
	    !text_is(entry, "definition", digest))
		return false;
	take_entry(job, entry, generation, &dates, renewal.moment);
	job->due_at = due_at;
	job->settled = true;
	return true;
}

bool settled_lacks(const struct settled *settled, const struct pass_job *job)
{
	return settled->usable && !find(settled, job->certificate->name);
}

bool settled_is_stale(const struct settled *settled, const struct pass *pass)
{
	for (size_t i = 0; i < settled->count; i++)
		if (!config_certificate_find(pass->config, settled->entries[i].name))
			return true;
	return false;
}

void settled_discard(const struct pass *pass)
{
	if (unlinkat(pass->store.fd, SETTLED_FILE, 0) < 0 && errno != ENOENT)
		log_warning("cannot remove %s/%s: %s", pass->store.path, SETTLED_FILE,
			    strerror(errno));
}

/* What failed is tried again by whoever does not wait: nothing of it is settled. */
static bool something_failed(const struct state *state)
{
	return state->issue.count || state->revoke.count || state->ssl_mode.count;
}

static void add_entry(struct pass *pass, struct pass_job *job, cJSON *array)
{
	const struct state *state = &job->state;
	char stamp[STAMP_SIZE];
	char digest[SHA256_TEXT_SIZE];
	if (!pass_job_current(pass, job) || state->active != state->newest ||
	    something_failed(state) || !targets_loaded(pass, job) ||
	    stamp_of(pass, job, state->newest, stamp) < 0)
		return;
	if (definition_digest(pass, job, state->newest, digest) < 0)
		return;
	cJSON *entry = json_append_object(array);
	json_add_string(entry, "name", job->certificate->name);
	json_add_integer(entry, "generation", state->newest);
	json_add_string(entry, "serial", state->facts.serial);
	json_add_string(entry, "sha256", state->facts.sha256);
	json_add_integer(entry, "not_before", state->facts.not_before);
	json_add_integer(entry, "not_after", state->facts.not_after);
	if (job->due_at)
		json_add_integer(entry, "due_at", job->due_at);
	json_add_string(entry, "definition", digest);
	json_add_string(entry, "stamp", stamp);
}

static int compare_jobs(const void *name, const void *job)
{
	return strcmp(name, ((const struct pass_job *)job)->certificate->name);
}

void settled_save(const struct settled *settled, struct pass *pass)
{
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	json_add_integer(json, "version", SETTLED_VERSION);
	cJSON *array = json_add_array(json, "certificates");
	for (size_t i = 0; i < pass->job_count; i++)
		add_entry(pass, &pass->jobs[i], array);
	for (size_t i = 0; i < settled->count; i++)
		if (config_certificate_find(pass->config, settled->entries[i].name) &&
		    !bsearch(settled->entries[i].name, pass->jobs, pass->job_count,
			     sizeof(*pass->jobs), compare_jobs))
			json_append(array, cJSON_Duplicate(settled->entries[i].json, true));

	CLEANUP(freep) char *text = json_print(json, false);
	struct error error = {0};
	if (file_write_at(pass->store.fd, pass->store.path, SETTLED_FILE, text, strlen(text),
			  &FILE_ACCESS(0600), FILE_NO_SYNC, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}
