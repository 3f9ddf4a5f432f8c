#include "pass/commit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "pass/awaited.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/trust.h"
#include "store/generation.h"
#include "target/keystore.h"
#include "target/kind.h"
#include "target/template.h"
#include "target/truststore.h"

char *commit_snippet_stamp(const struct pass_target *target,
			   const struct config_certificate *certificate)
{
	CLEANUP(freep) char *file = snippet_file_name(target->target, certificate);
	struct file_stamp stamp;
	char text[FILE_STAMP_TEXT_SIZE] = "";
	if (file_stamp_at(target->directory, file, &stamp) == 0)
		file_stamp_format(&stamp, text);
	return string_copy(text);
}

/* Both files, as "" where one is not there. */
char *commit_keystore_stamp(const struct pass_target *target,
			    const struct config_certificate *certificate)
{
	if (!target_kind(target->target->type)->keystore)
		return NULL;
	CLEANUP(freep) char *keystore = keystore_file_name(certificate);
	CLEANUP(freep) char *truststore = truststore_file_name(certificate);
	const char *const files[] = {keystore,
				     certificate->authenticated_origin_pulls ? truststore : NULL};
	char text[ARRAY_SIZE(files)][FILE_STAMP_TEXT_SIZE] = {"", ""};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct file_stamp stamp;
		if (files[i] && file_stamp_at(target->directory, files[i], &stamp) == 0)
			file_stamp_format(&stamp, text[i]);
	}
	return string_format("%s %s", text[0], text[1]);
}

char *commit_path(const struct pass_job *job, const struct pass_target_job *target_job)
{
	CLEANUP(freep)
	char *file = snippet_file_name(target_job->target, job->certificate);
	return string_format("%s/%s", target_job->target->snippet_dir, file);
}

static char *rollback_name(const struct pass_target_job *target_job)
{
	return string_format("rollback.%s", target_job->target->name);
}

static char *rollback_keystore_name(const struct pass_target_job *target_job)
{
	return string_format("rollback.%s.p12", target_job->target->name);
}

/* Records what is in place now. */
static void record(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		   unsigned generation, const char *rendered_from)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	struct state_target *state = state_target_get(&job->state, target_job->target->name);

	state->generation = generation;
	free(state->snippet_stamp);
	state->snippet_stamp = commit_snippet_stamp(target, job->certificate);
	free(TAKE_PTR(state->keystore_stamp));
	state->keystore_stamp = commit_keystore_stamp(target, job->certificate);
	free(state->rendered_from);
	state->rendered_from = string_copy(rendered_from);
	job->dirty = true;
}

/*
 * Keeps the bytes to go back to. Bytes that were never verified do not replace ones that were:
 * after a crash between two tries the way back must still lead to what really served.
 */
static int keep_rollback(const struct pass *pass, struct pass_job *job,
			 const struct pass_target_job *target_job, struct error *error)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	/* Before the first verified generation there is only the placeholder, which can be rendered
	 * again at any time. */
	if (!state || !state->verified_generation)
		return 0;
	/* A pass that was killed may have replaced what the state tells of. */
	bool verified = !state->reload_pending && state->verified_generation == state->generation &&
			!(target_job->reasons & REDEPLOY_DIFFERS);
	CLEANUP(freep) char *name = rollback_name(target_job);
	CLEANUP(closep) int directory = -1;
	struct file_stamp stamp;
	int result = store_certificate_open(&pass->store, job->certificate->name, true, &directory,
					    error);
	/* One that is there leads to what was verified last, unless it should be gone. */
	if (result < 0 || (!verified && file_stamp_at(directory, name, &stamp) == 0))
		return result;
	/* The keystore first: one without its snippet is never looked at. What somebody else put
	 * there is no way back. */
	CLEANUP(freep) char *keystore = rollback_keystore_name(target_job);
	if (target_job->keystore_before.length && !(target_job->reasons & REDEPLOY_KEYSTORE))
		result = file_write_at(
			directory, job->where, keystore, target_job->keystore_before.data,
			target_job->keystore_before.length, &FILE_ACCESS(0600), FILE_SYNC, error);
	return result < 0 ? result
			  : file_write_at(directory, job->where, name, target_job->before.data,
					  target_job->before.length, &FILE_ACCESS(0600), FILE_SYNC,
					  error);
}

/* What is in place before anything is changed, to go back to. */
static void look_before(const struct pass *pass, const struct pass_job *job,
			struct pass_target_job *target_job, const char *file)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	buffer_wipe(&target_job->before);
	buffer_wipe(&target_job->keystore_before);
	target_job->before = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	target_job->keystore_before = BUFFER(FILE_LIMIT);
	target_job->had_before = snippet_read(target->directory, target_job->target, file,
					      &target_job->before, NULL) == 0;
	CLEANUP(freep) char *keystore = keystore_file_name(job->certificate);
	if (target_kind(target_job->target->type)->keystore)
		file_read_at(target->directory, target_job->target->snippet_dir, keystore,
			     &target_job->keystore_before, NULL);
}

/* Whom the server takes client certificates from, where one is asked for. With a placeholder, while
 * that cannot be had, from nobody (target/snippet.c). */
static int truststore_put(struct pass *pass, const struct pass_job *job,
			  const struct pass_target_job *target_job, X509 *placeholder,
			  bool *replaced, struct error *error)
{
	const struct pass_account *account = trust_client_account(pass, job->certificate);
	X509 *authority = account ? account->client_authority : placeholder;
	bool other = false;
	if (!job->certificate->authenticated_origin_pulls)
		return 0;
	if (!authority)
		return trust_client_ca_missing(pass, job->certificate, error);
	int result =
		truststore_commit(pass->targets[target_job->index].directory, target_job->target,
				  job->certificate, authority, &other, error);
	*replaced |= other;
	return result;
}

/*
 * The keystore of a generation at its stable path, for servers that read it again without reading
 * their configuration. Replacing it is then the commit point.
 */
static int keystore_put(struct pass *pass, struct pass_job *job,
			const struct pass_target_job *target_job, unsigned generation,
			bool *ret_replaced, struct error *error)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	if (!target_kind(target_job->target->type)->keystore)
		return 0;

	CLEANUP(closep) int directory = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(X509_freep) X509 *leaf = NULL;
	int result = store_certificate_open(&pass->store, job->certificate->name, false, &directory,
					    error);
	if (result == 0)
		result = generation_key(directory, job->where, generation, &key, error);
	if (result == 0)
		result = generation_leaf(directory, job->where, generation, &leaf, error);
	if (result < 0)
		return result;
	struct generation_files files = material_files(pass, job, leaf);
	struct keystore_content content = {
		.key = key,
		.leaf = leaf,
		.root = files.chain_root && generation ? files.root : NULL,
		.password = target_job->keystore_password,
	};
	result = keystore_commit(target->directory, target_job->target, job->certificate, &content,
				 ret_replaced, error);
	if (result == 0)
		result = truststore_put(pass, job, target_job, generation ? NULL : leaf,
					ret_replaced, error);
	return result;
}

static int keystore_restore(const struct pass *pass, const struct pass_job *job,
			    const struct pass_target_job *target_job, const struct buffer *bytes,
			    struct error *error)
{
	const struct config_target *target = target_job->target;
	CLEANUP(freep) char *file = keystore_file_name(job->certificate);
	return file_write_at(pass->targets[target_job->index].directory, target->snippet_dir, file,
			     bytes->data, bytes->length, &target->access, FILE_SYNC, error);
}

static bool same_bytes(const struct buffer *one, const struct buffer *other)
{
	return one->length == other->length &&
	       memcmp(buffer_text(one), buffer_text(other), one->length) == 0;
}

int commit_snippet(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		   enum file_sync sync, struct error *error)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	unsigned generation = job->state.newest;
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	CLEANUP(freep)
	char *file = snippet_file_name(target_job->target, job->certificate);
	struct snippet_input input;

	int result = job_snippet_input(pass, job, target_job->target, generation, &input, error);
	if (result == 0)
		result = snippet_render(&target->template, &input, &text, error);
	if (result < 0)
		return result;

	look_before(pass, job, target_job, file);
	bool same = target_job->had_before && same_bytes(&text, &target_job->before);
	bool keystore_moves =
		target_job->keystore_before.length && target_job->reasons & REDEPLOY_GENERATION;
	if ((!same || keystore_moves) && target_job->had_before && generation)
		result = keep_rollback(pass, job, target_job, error);
	/* First what the snippet names, then the snippet. */
	bool replaced = false;
	if (result == 0)
		result = keystore_put(pass, job, target_job, generation, &replaced, error);
	/* The same bytes are written again only to put owner and mode right. */
	if (result == 0 && (!same || target_job->reasons & REDEPLOY_PERMISSIONS))
		result = snippet_commit(target->directory, target_job->target, file, &text, sync,
					error);
	buffer_wipe(&text);
	/* A keystore must not stand beside a snippet with another password. */
	if (result < 0 && replaced && target_job->keystore_before.length)
		keystore_restore(pass, job, target_job, &target_job->keystore_before, NULL);
	if (result < 0)
		return result;

	char digest[SHA256_TEXT_SIZE];
	snippet_rendered_from(&target->template, &input, digest);
	record(pass, job, target_job, generation, digest);
	/* Bytes that are right but were not seen in place before: whoever wrote them may have died
	 * before the reload. */
	struct state_target *state = state_target_get(&job->state, target_job->target->name);
	bool text_is_new = !same || target_job->reasons & REDEPLOY_DIFFERS;
	if (generation && (text_is_new || replaced || target_job->reasons & REDEPLOY_KEYSTORE))
		state->reload_pending = true;
	if (generation && text_is_new && state->verified_generation &&
	    target_kind(target_job->target->type)->read_at_start)
		state->restart_pending = true;
	target_job->deployed = !same || replaced;
	job->repaired |= !target_job->deployed && target_job->reasons & REDEPLOY_PERMISSIONS;
	return 0;
}

/* Where a taken back snippet comes from. */
enum former {
	FORMER_KEPT, /* the bytes in certificates/NAME/rollback.TARGET, of what was verified last */
	FORMER_SEEN, /* what was there before this pass */
	FORMER_RENDERED, /* anew, for the generation that was verified last, or the placeholder */
	FORMER_SAME,	 /* what is there: nothing else was, as far as anybody knows */
};

static bool generation_usable(const struct pass *pass, const struct pass_job *job, unsigned number)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	return store_certificate_open(&pass->store, job->certificate->name, false, &directory,
				      NULL) == 0 &&
	       generation_read(directory, job->where, number, &meta, NULL) == 0;
}

/* The bytes to go back to: the kept ones, what was there at the start, or a fresh rendering. Never
 * a placeholder where something stood that may be in use. */
static int former_bytes(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
			struct buffer *text, unsigned *ret_generation, enum former *ret_former,
			struct error *error)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	const struct state_target *state = state_target_get(&job->state, target_job->target->name);
	CLEANUP(freep) char *name = rollback_name(target_job);
	CLEANUP(closep) int directory = -1;

	*ret_generation = state->verified_generation;
	*ret_former = FORMER_KEPT;
	if (store_certificate_open(&pass->store, job->certificate->name, false, &directory, NULL) ==
		    0 &&
	    file_read_at(directory, job->where, name, text, NULL) == 0)
		return 0;
	bool to_before =
		target_keeps_before(target_job->target->type) && !state->verified_generation;
	if (target_job->deployed && target_job->had_before && !to_before) {
		*ret_former = FORMER_SEEN;
		*ret_generation = target_job->previous;
		return buffer_add(text, target_job->before.data, target_job->before.length);
	}
	if (target_job->had_before && !to_before &&
	    (!state->verified_generation ||
	     !generation_usable(pass, job, state->verified_generation))) {
		*ret_former = FORMER_SAME;
		*ret_generation = state->generation;
		return buffer_add(text, target_job->before.data, target_job->before.length);
	}
	*ret_former = FORMER_RENDERED;
	int result = 0;
	if (state->verified_generation == 0)
		result = store_certificate_open(&pass->store, job->certificate->name, true,
						&directory, error);
	if (state->verified_generation == 0 && result == 0)
		result = job_placeholder(pass, job, directory, error);
	struct snippet_input input;
	if (result == 0)
		result = job_snippet_input(pass, job, target_job->target,
					   state->verified_generation, &input, error);
	return result < 0 ? result : snippet_render(&target->template, &input, text, error);
}

/* The keystore that belongs to a former snippet: it has the password that stands there. Only a
 * snippet that is rendered anew takes one that is made anew. */
static int keystore_put_back(struct pass *pass, struct pass_job *job,
			     const struct pass_target_job *target_job, unsigned generation,
			     enum former former, struct error *error)
{
	if (!target_kind(target_job->target->type)->keystore || former == FORMER_SAME)
		return 0;
	if (former == FORMER_SEEN && target_job->keystore_before.length)
		return keystore_restore(pass, job, target_job, &target_job->keystore_before, error);
	if (former == FORMER_KEPT) {
		CLEANUP(freep) char *name = rollback_keystore_name(target_job);
		CLEANUP(closep) int directory = -1;
		CLEANUP(buffer_wipe) struct buffer kept = BUFFER(FILE_LIMIT);
		if (store_certificate_open(&pass->store, job->certificate->name, false, &directory,
					   NULL) == 0 &&
		    file_read_at(directory, job->where, name, &kept, NULL) == 0)
			return keystore_restore(pass, job, target_job, &kept, error);
	}
	bool replaced = false;
	return keystore_put(pass, job, target_job, generation, &replaced, error);
}

int commit_take_back(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		     struct error *error)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	CLEANUP(freep)
	char *file = snippet_file_name(target_job->target, job->certificate);
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct buffer there = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	unsigned generation = 0;
	enum former former = FORMER_SAME;

	int result = former_bytes(pass, job, target_job, &text, &generation, &former, error);
	bool same = snippet_read(target->directory, target_job->target, file, &there, NULL) == 0 &&
		    same_bytes(&text, &there);
	if (result == 0)
		result = keystore_put_back(pass, job, target_job, generation, former, error);
	if (result == 0)
		result = snippet_commit(target->directory, target_job->target, file, &text,
					FILE_SYNC, error);
	buffer_wipe(&text);
	buffer_wipe(&there);
	if (result < 0)
		return error_prefix(error, "cannot put the former snippet back");

	/* What it was rendered from is not known any more: the next pass compares bytes. */
	record(pass, job, target_job, generation, "");
	struct state_target *state = state_target_get(&job->state, target_job->target->name);
	state->reload_pending = true;
	if (!same && target_kind(target_job->target->type)->read_at_start)
		state->restart_pending = true;
	state->refused_generation = job->state.newest;
	awaited_end(state);
	target_job->deployed = false;
	target_job->verified = false;
	return 0;
}

bool commit_is_first(const struct pass_job *job, const struct pass_target_job *target_job)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	return !target_job->had_before && (!state || !state->verified_generation);
}

int commit_withdraw(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		    struct error *error)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	CLEANUP(freep)
	char *file = snippet_file_name(target_job->target, job->certificate);
	int result =
		file_remove_at(target->directory, target_job->target->snippet_dir, file, error);
	if (result == 0)
		record(pass, job, target_job, 0, "");
	return result;
}

void commit_settle(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job)
{
	struct state_target *state = state_target_get(&job->state, target_job->target->name);
	if (target_job->deployed)
		state_event_add_of(&job->state, clock_now(), "deployed", state->name,
				   "generation %u is served by %s", job->state.newest, state->name)
			->generation = job->state.newest;
	state->verified_generation = job->state.newest;
	state->verified_at = clock_now();
	state->reload_pending = state->restart_pending = false;
	state->refused_generation = 0;
	awaited_end(state);
	state_attempt_clear(&state->attempt);
	target_job->reasons = 0;
	job->dirty = true;

	commit_forget(pass, job, target_job);
}

void commit_forget(const struct pass *pass, const struct pass_job *job,
		   const struct pass_target_job *target_job)
{
	CLEANUP(freep) char *name = rollback_name(target_job);
	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	CLEANUP(freep) char *keystore = rollback_keystore_name(target_job);
	CLEANUP(freep) char *before = remote_before_name(target_job->target);
	if (store_certificate_open(&pass->store, job->certificate->name, false, &directory,
				   &error) < 0 ||
	    file_remove_at(directory, job->where, name, &error) < 0 ||
	    (target_kind(target_job->target->type)->keystore &&
	     file_remove_at(directory, job->where, keystore, &error) < 0) ||
	    (target_keeps_before(target_job->target->type) &&
	     file_remove_at(directory, job->where, before, &error) < 0))
		log_failure(LOG_LEVEL_WARNING, &error);
}

/* The highest number behind any "PREFIX" in a text. */
static unsigned number_behind(const char *text, const char *prefix)
{
	unsigned highest = 0;
	while ((text = strstr(text, prefix))) {
		text += strlen(prefix);
		unsigned long number = strtoul(text, NULL, 10);
		if (number <= GENERATION_MOST / 2 && number > highest)
			highest = (unsigned)number;
	}
	return highest;
}

unsigned commit_number_named(const struct pass *pass, const struct pass_job *job)
{
	CLEANUP(freep) char *prefix = string_format("%s/", job->where);
	unsigned highest = 0;
	for (size_t i = 0; i < job->target_count; i++) {
		const struct config_target *target = job->targets[i].target;
		int directory = pass->targets[job->targets[i].index].directory;
		CLEANUP(freep) char *file = snippet_file_name(target, job->certificate);
		struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
		if (directory >= 0 && snippet_read(directory, target, file, &text, NULL) == 0) {
			unsigned number = number_behind(buffer_text(&text), prefix);
			highest = number > highest ? number : highest;
		}
		buffer_free(&text);
	}
	return highest;
}
