/*
 * commit.c - from pending/ (or from nothing, for a placeholder) to a numbered directory.
 *
 * The order of writing is what makes every crash harmless:
 *   chain and meta.json, then the leaf, then fullchain.pem: a pass that is killed in between leaves
 *   either no leaf (the API still has it; it is found by its public key) or all that is needed to
 *   finish (generation_recover());
 *   all files and the directory are synced before the rename: after a power cut a number stands for
 *   whole files or does not exist;
 *   the parent is synced after it: nothing can durably refer to a number that is not durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "store/meta.h"
#include "store/parts.h"

#define PEM_END "-----END CERTIFICATE-----\n"

/* Text with exactly one newline at its end, so that leaf and chain can follow each other; "" stays
 * empty. */
static char *pem_line(const char *text)
{
	size_t length = strlen(text);
	while (length > 0 &&
	       (text[length - 1] == '\n' || text[length - 1] == '\r' || text[length - 1] == ' '))
		length--;
	return string_format("%.*s%s", (int)length, text, length ? "\n" : "");
}

/* Descriptors of the files that still have to be synced. */
struct open_parts {
	int fd[PART_COUNT];
};

static void open_parts_close(const struct open_parts *parts)
{
	for (enum part part = 0; part < PART_COUNT; part++)
		if (parts->fd[part] >= 0)
			close(parts->fd[part]);
}

/* Without a chain it is the leaf once more: a second name of the same file, which spares its blocks
 * and its sync. Some file systems have no second names. */
static int fullchain_write(int directory, const char *path, const char *leaf, const char *chain,
			   const struct file_access *access, int *ret_fd, struct error *error)
{
	if (chain[0] == '\0') {
		if (unlinkat(directory, GENERATION_FULLCHAIN, 0) < 0 && errno != ENOENT)
			return error_errno(error, -errno, "cannot replace %s/%s", path,
					   GENERATION_FULLCHAIN);
		if (linkat(directory, GENERATION_CERT, directory, GENERATION_FULLCHAIN, 0) == 0)
			return 0;
	}
	CLEANUP(freep) char *text = string_format("%s%s", leaf, chain);
	return part_write(directory, path, PART_FULLCHAIN, text, strlen(text), access, ret_fd,
			  error);
}

static int parts_write(int directory, const char *path, const char *leaf, const char *chain,
		       const struct generation_meta *meta, const struct file_access *access,
		       struct open_parts *parts, struct error *error)
{
	CLEANUP(freep) char *description = meta_print(meta);
	int result = part_write(directory, path, PART_CHAIN, chain, strlen(chain), access,
				&parts->fd[PART_CHAIN], error);
	if (result == 0)
		result = part_write(directory, path, PART_META, description, strlen(description),
				    access, &parts->fd[PART_META], error);
	if (result == 0)
		result = part_write(directory, path, PART_CERT, leaf, strlen(leaf), access,
				    &parts->fd[PART_CERT], error);
	if (result == 0)
		result = fullchain_write(directory, path, leaf, chain, access,
					 &parts->fd[PART_FULLCHAIN], error);
	return result;
}

/* Writes all but the key, and syncs all that was written, files first. */
static int parts_fill(int directory, const char *path, const char *leaf, const char *chain,
		      const struct generation_meta *meta, const struct file_access *access,
		      struct error *error)
{
	CLEANUP(open_parts_close) struct open_parts parts = {{-1, -1, -1, -1, -1}};
	int result = parts_write(directory, path, leaf, chain, meta, access, &parts, error);
	/* An empty file is nothing but its name, which the directory's sync takes along. */
	for (enum part part = 0; result == 0 && part < PART_COUNT; part++)
		if (parts.fd[part] >= 0 && !(part == PART_CHAIN && chain[0] == '\0'))
			result = part_sync(parts.fd[part], path, part, error);
	return result < 0 ? result : directory_sync(directory, path, error);
}

/* The configuration can have changed since the key was made; and what recovery finds may never
 * have been synced. */
static int key_settle(int directory, const char *path, const struct file_access *access,
		      bool sync_anyway, struct error *error)
{
	CLEANUP(closep)
	int fd = openat(directory, GENERATION_KEY, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, -errno, "cannot open %s/%s", path, GENERATION_KEY);
	bool changed = false;
	int result = access_settle(fd, access, &changed);
	if (result < 0)
		return error_errno(error, result, "cannot set owner and mode of %s/%s", path,
				   GENERATION_KEY);
	return changed || sync_anyway ? part_sync(fd, path, PART_KEY, error) : 0;
}

/* Puts the finished directory in place. Never over anything: rename(2) would silently replace an
 * empty directory. */
static int number_take(int certificate, const char *where, const char *from, unsigned number,
		       bool first, struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	generation_name(number, name);
	int result =
		renameat2(certificate, from, certificate, name, RENAME_NOREPLACE) < 0 ? -errno : 0;
	if (result == -EINVAL || result == -ENOSYS) {
		/* A file system without that flag. We hold the lock, so looking first will do. */
		struct stat status;
		result = 0;
		if (fstatat(certificate, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
			result = -EEXIST;
		else if (renameat(certificate, from, certificate, name) < 0)
			result = -errno;
	}
	if (result < 0)
		return error_errno(error, result, "cannot rename %s/%s to %s", where, from, name);
	return certificate_sync(certificate, where, first, error);
}

/* What the caller left open is told by the leaf. */
static void meta_complete(struct generation_meta *meta, struct leaf_facts *facts)
{
	struct generation_meta told = {0};
	meta_from_facts(facts, &told);
	if (!meta->id && !meta->placeholder)
		meta->id = TAKE_PTR(told.id);
	if (!meta->created)
		meta->created = clock_now();
	if (!meta->facts.sha256[0]) {
		leaf_facts_free(&meta->facts);
		meta->facts = *facts;
		*facts = (struct leaf_facts){0};
	}
	generation_meta_free(&told);
}

static int pending_finish(int certificate, const char *where, int pending, const char *path,
			  const char *leaf, const char *chain, struct generation_meta *meta,
			  const struct file_access *access, bool recovering, struct error *error)
{
	unsigned number = 0;
	int result = generation_next(certificate, where, meta->number, &number, error);
	if (result < 0)
		return result;
	meta->number = number;
	result = key_settle(pending, path, access, recovering, error);
	if (result == 0)
		result = parts_fill(pending, path, leaf, chain, meta, access, error);
	if (result == 0)
		result = number_take(certificate, where, GENERATION_PENDING, number, false, error);
	return result;
}

int generation_commit(int certificate, const char *where, const char *leaf_pem,
		      const char *chain_pem, struct generation_meta *meta,
		      const struct file_access *access, unsigned *ret_number, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	int result = directory_open_at(certificate, where, GENERATION_PENDING, &pending, error);
	if (result == 0)
		result = key_load(pending, path, &key, error);
	if (result < 0)
		return result;

	/* Whatever the caller has checked: this is the key that a server will read beside it. */
	CLEANUP(freep) char *leaf = pem_line(leaf_pem);
	CLEANUP(freep) char *chain = pem_line(chain_pem);
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	result = leaf_facts_match(leaf, strlen(leaf), key, path, &facts, error);
	if (result < 0)
		return result;
	meta_complete(meta, &facts);
	result = pending_finish(certificate, where, pending, path, leaf, chain, meta, access, false,
				error);
	if (result == 0)
		*ret_number = meta->number;
	return result;
}

static int placeholder_fill(int directory, const char *path, const struct string_list *hostnames,
			    const struct file_access *access, int64_t now, struct error *error)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(buffer_wipe) struct buffer key_pem = BUFFER(FILE_LIMIT);
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(FILE_LIMIT);
	int result = key_generate(KEY_ECDSA_P256, &key, error);
	if (result == 0)
		result = key_write_pem(key, &key_pem, error);
	if (result == 0)
		result = leaf_make_placeholder(key, hostnames, now, &leaf, error);

	CLEANUP(closep) int fd = -1;
	if (result == 0)
		result = part_write(directory, path, PART_KEY, buffer_text(&key_pem),
				    key_pem.length, access, &fd, error);
	if (result < 0)
		return result;

	CLEANUP(generation_meta_free)
	struct generation_meta meta = {.placeholder = true, .created = now};
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	result = leaf_facts_match(buffer_text(&leaf), leaf.length, key, path, &facts, error);
	if (result < 0)
		return result;
	meta_complete(&meta, &facts);
	result = part_sync(fd, path, PART_KEY, error);
	return result < 0
		       ? result
		       : parts_fill(directory, path, buffer_text(&leaf), "", &meta, access, error);
}

int generation_placeholder(int certificate, const char *where, const struct string_list *hostnames,
			   const struct file_access *access, int64_t now, struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	CLEANUP(closep)
	int there = openat(certificate, generation_name(0, name),
			   O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result = there < 0 ? -errno : parts_complete(there);
	if (result > 0)
		return 0;
	/* A server may be reading it. */
	if (result < 0 && !part_is_lost(result))
		return error_errno(error, result, "cannot look at %s/%s", where, name);
	/* Half of one: there is nothing in it that cannot be made again. */
	result = file_remove_at(certificate, where, name, error);
	bool established = false;
	if (result == 0)
		result = generation_any(certificate, where, &established, error);
	if (result < 0)
		return result;

	/* Not in pending/, where a key may wait for its answer. */
	char temporary[64];
	snprintf(temporary, sizeof(temporary), ".%s.%08" PRIx32 ".tmp", name, random_u32());
	CLEANUP(freep) char *path = string_format("%s/%s", where, temporary);
	CLEANUP(closep) int directory = -1;
	result = directory_make_at(certificate, where, temporary, &FILE_ACCESS(0711), &directory,
				   error);
	if (result == 0)
		result = placeholder_fill(directory, path, hostnames, access, now, error);
	if (result == 0)
		result = number_take(certificate, where, temporary, 0, !established, error);
	if (result < 0)
		file_remove_at(certificate, where, temporary, NULL);
	return result;
}

/* Removes what only a crash can have left. */
static int leftover_visit(int directory, const char *name, void *context, struct error *error)
{
	(void)error;
	const char *where = context;
	bool canonical;
	/* One that cannot be removed does no harm. */
	if (name[0] == '.' && string_ends(name, ".tmp"))
		file_remove_at(directory, where, name, NULL);
	/* Succeeds for an empty directory only. */
	if (generation_parse(name, &canonical) >= 0)
		unlinkat(directory, name, AT_REMOVEDIR);
	return 0;
}

static void recovered_meta(int pending, const char *path, const struct leaf_facts *facts,
			   struct generation_meta *ret_meta)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(META_LIMIT);
	struct generation_meta meta = {0};
	if (part_read(pending, path, PART_META, &text, NULL) < 0 ||
	    meta_parse(buffer_text(&text), text.length, &meta) < 0 ||
	    strcmp(meta.facts.sha256, facts->sha256) != 0) {
		generation_meta_free(&meta);
		meta_from_facts(facts, &meta);
	}
	*ret_meta = meta;
}

int generation_recover(int certificate, const char *where, unsigned *ret_recovered,
		       struct error *error)
{
	char *context = string_copy(where);
	int result = directory_walk(certificate, where, leftover_visit, context, error);
	free(context);
	if (result < 0)
		return result;

	CLEANUP(closep) int pending = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	result = pending_open(certificate, where, &pending, &key, error);
	if (result == -ENOENT) {
		*ret_recovered = 0;
		return 0;
	}
	if (result < 0)
		return result;

	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(FILE_LIMIT);
	CLEANUP(buffer_free) struct buffer chain = BUFFER(FILE_LIMIT);
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	result = pending_leaf(pending, path, key, &leaf, &facts, error);
	if (result <= 0) {
		*ret_recovered = 0;
		return result;
	}
	/* Written before the leaf; only a power cut can have torn it. */
	if (part_read(pending, path, PART_CHAIN, &chain, NULL) < 0 ||
	    !string_ends(buffer_text(&chain), PEM_END))
		buffer_free(&chain);

	struct stat status;
	if (fstatat(pending, GENERATION_KEY, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(error, -errno, "cannot stat %s/%s", path, GENERATION_KEY);
	const struct file_access access = {status.st_uid, status.st_gid, status.st_mode & 07777};
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	recovered_meta(pending, path, &facts, &meta);
	meta.number = 0;
	result = pending_finish(certificate, where, pending, path, buffer_text(&leaf),
				buffer_text(&chain), &meta, &access, true, error);
	if (result == 0)
		*ret_recovered = meta.number;
	return result;
}
