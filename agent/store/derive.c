/*
 * derive.c - whether a generation's files are what they should be, and another generation of the
 * same key and leaf when they are not.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "pki/export.h"
#include "store/content.h"
#include "store/meta.h"

int content_compare(int directory, const char *path, const struct content *content, enum part part,
		    struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer present = BUFFER((size_t)2 * FILE_LIMIT);
	CLEANUP(buffer_wipe) struct buffer wanted = BUFFER((size_t)2 * FILE_LIMIT);
	struct error reason = {0};
	int result = part_read(directory, path, part, &present, &reason);
	if (result < 0 && part_is_lost(result))
		return 0;
	if (result < 0) {
		if (error)
			*error = reason;
		return result;
	}
	if (part == PART_P12) {
		result = export_p12_check(buffer_text(&present), present.length, content->password,
					  content->key, content->leaf,
					  content->chain_root ? content->root : NULL, error);
		return result == -EBADMSG ? 0 : result < 0 ? result : 1;
	}
	result = content_print(content, part, &wanted, error);
	if (result < 0)
		return result;
	return present.length == wanted.length &&
	       memcmp(buffer_text(&present), buffer_text(&wanted), wanted.length) == 0;
}

/* The text of a part, or nothing when it certainly holds none. */
static int part_try(int directory, const char *path, enum part part, struct buffer *text,
		    struct error *error)
{
	struct error reason = {0};
	int result = part_read(directory, path, part, text, &reason);
	if (result == 0 || part_is_lost(result))
		return 0;
	if (error)
		*error = reason;
	return result;
}

int made_with_root(int directory, const char *path, const struct generation_meta *meta,
		   X509 **ret_root, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(FILE_LIMIT);
	CLEANUP(X509_freep) X509 *root = NULL;
	char digest[SHA256_TEXT_SIZE];
	*ret_root = NULL;
	if (!meta->root_sha256[0])
		return 0;
	int result = part_try(directory, path, PART_CHAIN, &text, error);
	if (result < 0)
		return result;
	if (leaf_read_pem(buffer_text(&text), text.length, &root, NULL) == 0 &&
	    leaf_sha256(root, digest, NULL) == 0 && strcmp(digest, meta->root_sha256) == 0) {
		*ret_root = TAKE_PTR(root);
		return 0;
	}
	result = part_try(directory, path, PART_P7B, &text, error);
	if (result == 0)
		export_p7b_find(buffer_text(&text), text.length, meta->root_sha256, ret_root, NULL);
	return result;
}

/* What meta.json tells about the files; nothing when it is damaged. */
static int files_meta(int directory, const char *path, struct generation_meta *ret_meta,
		      struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(META_LIMIT);
	int result = part_try(directory, path, PART_META, &text, error);
	if (result == 0 && meta_parse(buffer_text(&text), text.length, ret_meta) < 0)
		*ret_meta = (struct generation_meta){0};
	return result;
}

static bool root_differs(const struct generation_meta *meta, const struct generation_files *files)
{
	if (meta->chain_root && !files->chain_root)
		return true;
	if (!files->root)
		return false;
	if (files->chain_root && !meta->chain_root)
		return true;
	char digest[SHA256_TEXT_SIZE];
	bool used = files->chain_root || files->formats & FORMAT_P7B;
	return used && leaf_sha256(files->root, digest, NULL) == 0 &&
	       strcmp(digest, meta->root_sha256) != 0;
}

/* Formats that are told of but gone are missing as well. */
static int missing_formats(int directory, const char *path, unsigned wanted, unsigned made,
			   unsigned *ret_missing, struct error *error)
{
	unsigned missing = wanted & ~made;
	for (enum part part = PART_EXPORTS; part < PART_COUNT; part++) {
		struct stat status;
		if (!(wanted & made & part_format(part)))
			continue;
		if (fstatat(directory, part_name(part), &status, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (errno != ENOENT)
			return error_errno(error, -errno, "cannot stat %s/%s", path,
					   part_name(part));
		missing |= part_format(part);
	}
	*ret_missing = missing;
	return 0;
}

static int part_differences(int directory, const char *path, const struct content *content,
			    enum part part, unsigned *differences, struct error *error)
{
	struct error reason = {0};
	int result = content_compare(directory, path, content, part, &reason);
	if (result == -EKEYREJECTED)
		*differences |= GENERATION_PASSWORD;
	else if (result == 0)
		*differences |= GENERATION_DAMAGED;
	else if (result < 0) {
		if (error)
			*error = reason;
		return result;
	}
	return 0;
}

/* Reads chain and exports, and holds them against what they were made of. */
static int contents_check(int directory, const char *path, const struct generation_meta *meta,
			  const struct generation_files *files, unsigned formats,
			  unsigned *differences, struct error *error)
{
	CLEANUP(pair_free) struct generation_pair pair = {0};
	CLEANUP(X509_freep) X509 *root = NULL;
	char digest[SHA256_TEXT_SIZE] = "";
	int result = pair_load(directory, path, &pair, error);
	if (result == 0)
		result = made_with_root(directory, path, meta, &root, error);
	if (result < 0)
		return result;
	/* Its own files may have lost it. */
	if (!root && files->root && leaf_sha256(files->root, digest, NULL) == 0 &&
	    strcmp(digest, meta->root_sha256) == 0 && X509_up_ref(files->root))
		root = files->root;
	bool lost = meta->root_sha256[0] && !root;
	struct generation_files made = *files;
	made.formats = formats;
	made.root = root;
	made.chain_root = meta->chain_root;
	struct content content = {0};
	result = content_take(pair.key, pair.keyless, pair.leaf, &made, &content, error);
	if (result < 0)
		return result;
	/* Nothing else can tell what is in a file of which the root is lost. */
	if (lost && (meta->chain_root || formats & FORMAT_P7B))
		*differences |= GENERATION_DAMAGED;
	for (enum part part = PART_CHAIN; result == 0 && part < PART_COUNT; part++) {
		bool looked =
			part == PART_CHAIN || part == PART_FULLCHAIN || formats & part_format(part);
		if (looked)
			result = part_differences(directory, path, &content, part, differences,
						  error);
	}
	return result;
}

/* 1 when the key that is here now is the one of the request that stands in its place. */
static int key_gained(int directory, const char *path, const struct generation_files *files,
		      struct error *error)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	if (!files->key)
		return 0;
	int result = request_load(directory, path, &public, error);
	return result < 0 ? result : EVP_PKEY_eq(public, files->key) == 1;
}

int generation_files_check(int certificate, const char *where, unsigned number,
			   const struct generation_files *files, bool full,
			   unsigned *ret_differences, struct error *error)
{
	char path[PATH_MAX];
	CLEANUP(closep) int directory = -1;
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	int result = generation_open(certificate, where, number, &directory, path, error);
	int keyless = result < 0 ? result : parts_keyless(directory);
	if (result == 0 && keyless < 0)
		result = error_errno(error, keyless, "cannot find the key of %s", path);
	if (result == 0)
		result = files_meta(directory, path, &meta, error);
	if (result < 0)
		return result;

	int gained = keyless ? key_gained(directory, path, files, error) : 0;
	if (gained < 0)
		return gained;
	unsigned wanted = files->formats & ~(keyless && !gained ? GENERATION_KEY_FORMATS : 0);
	unsigned missing = 0;
	unsigned differences = root_differs(&meta, files) ? GENERATION_ROOT : 0;
	result = missing_formats(directory, path, wanted, meta.formats, &missing, error);
	if (result == 0 && full)
		result = contents_check(directory, path, &meta, files, wanted & ~missing,
					&differences, error);
	if (result < 0)
		return result;
	*ret_differences = differences | (missing || gained ? GENERATION_FORMATS : 0);
	return 0;
}

/* The key, or in its place the request, as it stands in the generation that is derived from. */
static int key_copy(int from, const char *path, int directory, const char *temporary,
		    const struct content *content, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	CLEANUP(closep) int fd = -1;
	enum part part = content->keyless ? PART_CSR : PART_KEY;
	int result = content->keyless ? part_read(from, path, part, &text, error)
				      : content_print(content, part, &text, error);
	if (result == 0)
		result = part_write(directory, temporary, part, buffer_text(&text), text.length,
				    &content->access, &fd, error);
	return result < 0 ? result : part_sync(fd, temporary, part, error);
}

/* What is derived, and from where. */
struct derivation {
	int certificate;
	const char *where;
	int from;
	const char *path; /* of `from` */
	struct content content;
	struct generation_meta meta;
};

static int derivation_place(struct derivation *derivation, unsigned at_least, unsigned *ret_number,
			    struct error *error)
{
	char name[TEMPORARY_NAME_SIZE];
	CLEANUP(closep) int directory = -1;
	unsigned number = 0;
	int certificate = derivation->certificate;
	const char *where = derivation->where;
	int result = generation_next(certificate, where, at_least, &number, error);
	if (result == 0)
		result = temporary_make(certificate, where, number, name, &directory, error);
	if (result < 0)
		return result;
	derivation->meta.number = number;
	CLEANUP(freep) char *temporary = string_format("%s/%s", where, name);
	result = key_copy(derivation->from, derivation->path, directory, temporary,
			  &derivation->content, error);
	if (result == 0)
		result = content_fill(directory, temporary, &derivation->content, &derivation->meta,
				      error);
	if (result == 0)
		result = number_take(certificate, where, name, number, false, error);
	if (result < 0)
		file_remove_at(certificate, where, name, NULL);
	else
		*ret_number = number;
	return result;
}

int generation_derive(int certificate, const char *where, unsigned number, unsigned at_least,
		      const struct generation_files *files, unsigned *ret_number,
		      struct error *error)
{
	char path[PATH_MAX];
	CLEANUP(closep) int from = -1;
	CLEANUP(pair_free) struct generation_pair pair = {0};
	struct derivation derivation = {.certificate = certificate, .where = where};
	if (number == 0)
		return error_set(error, ERROR_BUG, -EINVAL, "nothing is derived of a placeholder");
	int result = generation_open(certificate, where, number, &from, path, error);
	if (result == 0)
		result = pair_load(from, path, &pair, error);
	if (result == 0)
		result = meta_join(from, path, &pair.facts, &derivation.meta, error);
	/* A root that is not known any more stays where it was. */
	struct generation_files wanted = *files;
	CLEANUP(X509_freep) X509 *kept = NULL;
	if (result == 0 && !files->root)
		result = made_with_root(from, path, &derivation.meta, &kept, error);
	if (kept)
		wanted.root = kept;
	/* The key of a request has come to this host. */
	if (result == 0 && pair.keyless && files->key && EVP_PKEY_eq(pair.key, files->key) == 1 &&
	    EVP_PKEY_up_ref(files->key)) {
		EVP_PKEY_free(pair.key);
		pair.key = files->key;
		pair.keyless = false;
	}
	derivation.from = from;
	derivation.path = path;
	if (result == 0)
		result = content_take(pair.key, pair.keyless, pair.leaf, &wanted,
				      &derivation.content, error);
	if (result == 0)
		result = derivation_place(&derivation, at_least, ret_number, error);
	generation_meta_free(&derivation.meta);
	return result;
}
