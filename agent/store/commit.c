/*
 * commit.c - from pending/ to a numbered directory: when the API has answered, and when a crash
 * came in between. content.c tells why the order of writing makes each crash harmless; here
 * the parent is synced after the rename: nothing can durably refer to a number that is not durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "store/content.h"
#include "store/meta.h"

int temporary_make(int certificate, const char *where, unsigned number,
		   char name[static TEMPORARY_NAME_SIZE], int *ret_fd, struct error *error)
{
	char text[GENERATION_NAME_SIZE];
	snprintf(name, TEMPORARY_NAME_SIZE, ".%s.%08" PRIx32 ".tmp", generation_name(number, text),
		 random_u32());
	return directory_make_at(certificate, where, name, &FILE_ACCESS(0711), ret_fd, error);
}

/* Puts the finished directory in place. Never over anything: rename(2) would silently replace an
 * empty directory. */
int number_take(int certificate, const char *where, const char *from, unsigned number, bool first,
		struct error *error)
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

/* The configuration can have changed since the key was made; and what recovery finds may never
 * have been synced. */
static int key_settle(int directory, const char *path, const struct content *content,
		      bool sync_anyway, struct error *error)
{
	enum part part = content->keyless ? PART_CSR : PART_KEY;
	struct file_access access = part_access(&content->access, part);
	CLEANUP(closep)
	int fd = openat(directory, part_name(part), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, -errno, "cannot open %s/%s", path, part_name(part));
	bool changed = false;
	int result = access_settle(fd, &access, &changed);
	if (result < 0) {
		error_errno(error, result, "cannot set owner and mode of %s/%s", path,
			    part_name(part));
		file_access_remedy(error);
		return result;
	}
	return changed || sync_anyway ? part_sync(fd, path, part, error) : 0;
}

/* What is of use only while an answer is waited for; with the leaf in place it is not. Not synced:
 * in a generation it would do no harm. */
static int marks_remove(int pending, const char *path, const struct content *content,
			struct error *error)
{
	const char *const marks[] = {GENERATION_GIVEN, content->keyless ? NULL : GENERATION_CSR};
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (marks[i] && unlinkat(pending, marks[i], 0) < 0 && errno != ENOENT)
			return error_errno(error, -errno, "cannot remove %s/%s", path, marks[i]);
	return 0;
}

static int pending_finish(int certificate, const char *where, int pending, const char *path,
			  const struct content *content, struct generation_meta *meta,
			  bool recovering, struct error *error)
{
	unsigned number = 0;
	int result = generation_next(certificate, where, meta->number, &number, error);
	if (result < 0)
		return result;
	meta->number = number;
	result = key_settle(pending, path, content, recovering, error);
	if (result == 0)
		result = content_fill(pending, path, content, meta, error);
	if (result == 0)
		result = marks_remove(pending, path, content, error);
	if (recovering)
		leftovers_remove(pending);
	if (result == 0)
		result = number_take(certificate, where, GENERATION_PENDING, number, false, error);
	return result;
}

int generation_commit(int certificate, const char *where, const char *leaf_pem,
		      struct generation_meta *meta, const struct generation_files *files,
		      unsigned *ret_number, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	bool keyless = false;
	int result = directory_open_at(certificate, where, GENERATION_PENDING, &pending, error);
	if (result == 0)
		result = either_load(pending, path, &key, &keyless, error);
	if (result < 0)
		return result;

	/* Whatever the caller has checked: this is the key that a server will read beside it. */
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	struct content content = {0};
	result = leaf_match(leaf_pem, strlen(leaf_pem), key, path, &leaf, &facts, error);
	if (result == 0)
		result = content_take(key, keyless, leaf, files, &content, error);
	if (result < 0)
		return result;
	meta_complete(meta, &facts);
	result = pending_finish(certificate, where, pending, path, &content, meta, false, error);
	if (result == 0)
		*ret_number = meta->number;
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

/* What can be made without a configuration: the PEM files, with who may read them as the key tells.
 */
static int recovered_finish(int certificate, const char *where, int pending, const char *path,
			    struct content *content, const struct leaf_facts *facts,
			    unsigned *ret_number, struct error *error)
{
	const char *told = part_name(content->keyless ? PART_CSR : PART_KEY);
	struct stat status;
	if (fstatat(pending, told, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(error, -errno, "cannot stat %s/%s", path, told);
	content->access =
		(struct file_access){status.st_uid, status.st_gid, status.st_mode & 07777};

	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	recovered_meta(pending, path, facts, &meta);
	/* The chain was written before the leaf; only a power cut can have torn it, and then it is
	 * done without. */
	CLEANUP(X509_freep) X509 *root = NULL;
	int result = made_with_root(pending, path, &meta, &root, error);
	if (result < 0)
		return result;
	content->root = root;
	content->chain_root = root && meta.chain_root;
	meta.number = 0;
	result = pending_finish(certificate, where, pending, path, content, &meta, true, error);
	if (result == 0)
		*ret_number = meta.number;
	return result;
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
	bool keyless = false;
	result = pending_open(certificate, where, &pending, &key, &keyless, error);
	if (result == -ENOENT) {
		*ret_recovered = 0;
		return 0;
	}
	if (result < 0)
		return result;

	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	result = pending_leaf(pending, path, key, &leaf, &facts, error);
	if (result <= 0) {
		*ret_recovered = 0;
		return result;
	}
	struct content content = {.key = key, .keyless = keyless, .leaf = leaf};
	return recovered_finish(certificate, where, pending, path, &content, &facts, ret_recovered,
				error);
}
