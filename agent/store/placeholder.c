/* placeholder.c - generation 0: self-signed, so that a server can start before the API answers. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/content.h"
#include "store/meta.h"

/* There is no root above it. */
static struct generation_files placeholder_files(const struct generation_files *files)
{
	struct generation_files placeholder = *files;
	placeholder.root = NULL;
	placeholder.chain_root = false;
	return placeholder;
}

static int key_place(int directory, const char *path, const struct content *content,
		     struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer pem = BUFFER(FILE_LIMIT);
	CLEANUP(closep) int fd = -1;
	int result = content_print(content, PART_KEY, &pem, error);
	if (result == 0)
		result = part_write(directory, path, PART_KEY, buffer_text(&pem), pem.length,
				    &content->access, &fd, error);
	return result < 0 ? result : part_sync(fd, path, PART_KEY, error);
}

static int placeholder_fill(int directory, const char *path, const struct string_list *hostnames,
			    const struct generation_files *files, int64_t now, struct error *error)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(buffer_free) struct buffer pem = BUFFER(FILE_LIMIT);
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	CLEANUP(generation_meta_free)
	struct generation_meta meta = {.placeholder = true, .created = now};
	struct generation_files wanted = placeholder_files(files);
	struct content content = {0};
	int result = key_generate(KEY_ECDSA_P256, &key, error);
	if (result == 0)
		result = leaf_make_placeholder(key, hostnames, now, &pem, error);
	if (result == 0)
		result = leaf_match(buffer_text(&pem), pem.length, key, path, &leaf, &facts, error);
	if (result == 0)
		result = content_take(key, false, leaf, &wanted, &content, error);
	if (result == 0)
		result = key_place(directory, path, &content, error);
	if (result < 0)
		return result;
	meta_complete(&meta, &facts);
	return content_fill(directory, path, &content, &meta, error);
}

static int placeholder_make(int certificate, const char *where, const struct string_list *hostnames,
			    const struct generation_files *files, int64_t now, struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	/* Half of one: there is nothing in it that cannot be made again. */
	int result = file_remove_at(certificate, where, generation_name(0, name), error);
	bool established = false;
	if (result == 0)
		result = generation_any(certificate, where, &established, error);
	if (result < 0)
		return result;

	/* Not in pending/, where a key may wait for its answer. */
	char temporary[TEMPORARY_NAME_SIZE];
	CLEANUP(closep) int directory = -1;
	result = temporary_make(certificate, where, 0, temporary, &directory, error);
	CLEANUP(freep) char *path = string_format("%s/%s", where, temporary);
	if (result == 0)
		result = placeholder_fill(directory, path, hostnames, files, now, error);
	if (result == 0)
		result = number_take(certificate, where, temporary, 0, !established, error);
	if (result < 0)
		file_remove_at(certificate, where, temporary, NULL);
	return result;
}

/* Puts one more export, or one with another password, into a generation that is in place. */
static int export_place(int directory, const char *path, const struct content *content,
			enum part part, struct error *error)
{
	int result = content_compare(directory, path, content, part, error);
	if (result > 0 || (result < 0 && result != -EKEYREJECTED))
		return result < 0 ? result : 0;
	CLEANUP(buffer_wipe) struct buffer text = BUFFER((size_t)2 * FILE_LIMIT);
	struct file_access access = part_access(&content->access, part);
	result = content_print(content, part, &text, error);
	return result < 0 ? result
			  : file_write_at(directory, path, part_name(part), buffer_text(&text),
					  text.length, &access, FILE_SYNC, error);
}

static int placeholder_extend(int directory, const char *path, const struct content *content,
			      struct leaf_facts *facts, struct error *error)
{
	leftovers_remove(directory);
	for (enum part part = PART_EXPORTS; part < PART_COUNT; part++) {
		int result = content->formats & part_format(part)
				     ? export_place(directory, path, content, part, error)
				     : 0;
		if (result < 0)
			return result;
	}
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	int result = meta_join(directory, path, facts, &meta, error);
	if (result < 0 || (meta.formats & content->formats) == content->formats)
		return result;
	unsigned earlier = meta.formats;
	content_describe(content, &meta);
	meta.formats |= earlier;
	meta.placeholder = true;
	struct file_access access = part_access(&content->access, PART_META);
	CLEANUP(freep) char *text = meta_print(&meta);
	return file_write_at(directory, path, part_name(PART_META), text, strlen(text), &access,
			     FILE_SYNC, error);
}

/* Gives a placeholder that is in place what it lacks. 1 when it must be made again. */
static int placeholder_settle(int certificate, const char *where,
			      const struct generation_files *files, struct error *error)
{
	char path[PATH_MAX];
	CLEANUP(closep) int directory = -1;
	CLEANUP(pair_free) struct generation_pair pair = {0};
	struct generation_files wanted = placeholder_files(files);
	struct error reason = {0};
	struct content content = {0};
	int result = generation_open(certificate, where, 0, &directory, path, &reason);
	if (result == 0)
		result = pair_load(directory, path, &pair, &reason);
	if (result < 0 && part_is_lost(result))
		return 1;
	if (result < 0) {
		if (error)
			*error = reason;
		return result;
	}
	result = content_take(pair.key, pair.keyless, pair.leaf, &wanted, &content, error);
	return result < 0 ? result
			  : placeholder_extend(directory, path, &content, &pair.facts, error);
}

int generation_placeholder(int certificate, const char *where, const struct string_list *hostnames,
			   const struct generation_files *files, int64_t now, struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	CLEANUP(closep)
	int there = openat(certificate, generation_name(0, name),
			   O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result = there < 0 ? -errno : parts_complete(there);
	/* A server may be reading it. */
	if (result < 0 && !part_is_lost(result))
		return error_errno(error, result, "cannot look at %s/%s", where, name);
	if (result > 0)
		result = files->formats ? placeholder_settle(certificate, where, files, error) : 0;
	else
		result = 1;
	return result > 0 ? placeholder_make(certificate, where, hostnames, files, now, error)
			  : result;
}
