/*
 * pending.c - what is made durable before the API is asked: a key, and the room for the answer.
 *
 * The request itself is not kept. It says nothing that the key and the configuration do not, and
 * an earlier request is found again at the API by its public key.
 *
 * Room: the files that the answer will fill are made beforehand, empty, with their blocks set
 * aside (fallocate(2)), so that neither blocks nor inodes can run out between the question and
 * the answer. That costs no sync of its own, and later nothing has to be removed: measured on
 * ext4, removing a reserve file of 64 KiB took as long as half a sync.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/csr.h"
#include "store/parts.h"

enum {
	CSR_LIMIT = 1 << 17,
	RESERVE_BLOCK = 4096,
};

bool pending_exists(int certificate)
{
	CLEANUP(closep)
	int pending = openat(certificate, GENERATION_PENDING,
			     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	return pending >= 0 &&
	       fstatat(pending, GENERATION_KEY, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(status.st_mode) && status.st_size > 0;
}

int64_t pending_asked_at(int certificate)
{
	struct stat status;
	if (fstatat(certificate, GENERATION_PENDING, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return status.st_mtim.tv_sec;
}

void pending_asked_set(int certificate, int64_t at)
{
	const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = at}};
	/* Where it fails, "just now" stays: that only costs patience. */
	utimensat(certificate, GENERATION_PENDING, times, AT_SYMLINK_NOFOLLOW);
}

int pending_discard(int certificate, const char *where, struct error *error)
{
	return file_remove_at(certificate, where, GENERATION_PENDING, error);
}

int pending_open(int certificate, const char *where, int *ret_fd, EVP_PKEY **ret_key,
		 struct error *error)
{
	CLEANUP(closep) int fd = -1;
	struct error reason = {0};
	int result = directory_open_at(certificate, where, GENERATION_PENDING, &fd, &reason);
	if (result == -ENOENT)
		return -ENOENT;
	bool usable = result == 0;
	if (result == 0) {
		CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
		result = key_load(fd, path, ret_key, &reason);
		usable = result == 0;
	}
	if (usable) {
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	/* Only what certainly is no key is removed. A key that cannot be read just now (no
	 * descriptors left, an I/O error, a permission) may be the one that the API has signed. */
	if (!part_is_lost(result)) {
		if (error)
			*error = reason;
		return result;
	}
	result = pending_discard(certificate, where, error);
	return result < 0 ? result : -ENOENT;
}

int pending_leaf(int pending, const char *where, const EVP_PKEY *key, struct buffer *leaf,
		 struct leaf_facts *ret_facts, struct error *error)
{
	struct error reason = {0};
	int result = part_read(pending, where, PART_CERT, leaf, &reason);
	if (result < 0 && part_is_lost(result))
		return 0;
	if (result < 0) {
		if (error)
			*error = reason;
		error_remedy(error, "when the disk has lost it for good, remove %s", where);
		return result;
	}
	return leaf->length > 0 &&
	       leaf_facts_match(buffer_text(leaf), leaf->length, key, where, ret_facts, NULL) == 0;
}

static int key_write(int pending, const char *where, EVP_PKEY *key,
		     const struct file_access *access, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer pem = BUFFER(FILE_LIMIT);
	CLEANUP(closep) int fd = -1;
	int result = key_write_pem(key, &pem, error);
	if (result == 0)
		result = part_write(pending, where, PART_KEY, buffer_text(&pem), pem.length, access,
				    &fd, error);
	return result;
}

/* The answer's room in bytes: a leaf (DER in base64) and its description both grow with the names
 * in them. Whole blocks, so that nothing is wasted once they are filled. */
static size_t reserve_size(const struct string_list *hostnames)
{
	size_t size = 3072;
	for (size_t i = 0; i < hostnames->count; i++)
		size += 2 * (strlen(hostnames->items[i]) + 8);
	return (size + RESERVE_BLOCK - 1) / RESERVE_BLOCK * RESERVE_BLOCK;
}

static int room_take(int pending, const char *where, const struct string_list *hostnames,
		     const struct file_access *access, struct error *error)
{
	size_t size = reserve_size(hostnames);
	int result = part_reserve(pending, where, PART_CERT, access, size, error);
	if (result == 0)
		result = part_reserve(pending, where, PART_META, access, size, error);
	if (result == 0)
		result = part_reserve(pending, where, PART_CHAIN, access, 0, error);
	return result;
}

/*
 * Key, pending/, certificates/NAME/: in this order, though on ext4 the first sync already carries
 * the others (they cost a flush each). The parent is synced only while NAME/ itself is new, which
 * spares a sync of its own when it was made.
 */
static int pending_sync(int certificate, const char *where, int pending, const char *path,
			struct error *error)
{
	CLEANUP(closep)
	int key = openat(pending, GENERATION_KEY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (key < 0)
		return error_errno(error, -errno, "cannot open %s/%s", path, GENERATION_KEY);
	int result = part_sync(key, path, PART_KEY, error);
	if (result == 0)
		result = directory_sync(pending, path, error);
	/* NAME/ itself is as new as what is in it; or a crash came before anything was durable. */
	bool established = false;
	if (result == 0)
		result = generation_any(certificate, where, &established, error);
	return result < 0 ? result : certificate_sync(certificate, where, !established, error);
}

static int pending_make(int certificate, const char *where, const char *path, EVP_PKEY *key,
			const struct file_access *access, int *ret_fd, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	int result = directory_make_at(certificate, where, GENERATION_PENDING, &FILE_ACCESS(0711),
				       &pending, error);
	if (result == 0)
		result = key_write(pending, path, key, access, error);
	if (result == 0)
		*ret_fd = TAKE_FD(pending);
	return result;
}

/* An earlier key of the type that is wanted now, or NULL and nothing in the way of a new one. */
static int pending_find(int certificate, const char *where, enum key_type key_type, int *ret_fd,
			EVP_PKEY **ret_key, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int result = pending_open(certificate, where, &pending, &key, error);
	if (result < 0)
		return result == -ENOENT ? 0 : result;

	enum key_type found;
	if (key_type_of(key, &found) < 0 || found != key_type)
		return pending_discard(certificate, where, error);
	*ret_fd = TAKE_FD(pending);
	*ret_key = TAKE_PTR(key);
	return 0;
}

int pending_prepare(int certificate, const char *where, enum key_type key_type,
		    const struct string_list *hostnames, const struct file_access *access,
		    EVP_PKEY **ret_key, char **ret_csr, bool *ret_reused, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	int result = pending_find(certificate, where, key_type, &pending, &key, error);
	bool reused = key != NULL;
	if (result == 0 && !reused)
		result = key_generate(key_type, &key, error);
	if (result < 0)
		return result;

	CLEANUP(buffer_free) struct buffer csr = BUFFER(CSR_LIMIT);
	result = csr_make(key, hostnames, &csr, error);
	if (result == 0 && !reused)
		result = pending_make(certificate, where, path, key, access, &pending, error);

	/* A leaf that is there and belongs to the key is not given up for an empty file. */
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(FILE_LIMIT);
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	int64_t asked_at = reused ? pending_asked_at(certificate) : 0;
	int kept = 0;
	if (result == 0 && reused)
		kept = pending_leaf(pending, path, key, &leaf, &facts, error);
	if (kept < 0)
		result = kept;
	if (result == 0 && kept == 0)
		result = room_take(pending, path, hostnames, access, error);
	pending_asked_set(certificate, asked_at);
	/* Also for a key that was found: who wrote it may have been killed before it was synced. */
	if (result == 0)
		result = pending_sync(certificate, where, pending, path, error);
	if (result < 0) {
		/* After a failed sync the kernel forgets that the bytes never reached the disk:
		 * a key of which no one was told is thrown away rather than trusted. */
		if (!reused)
			pending_discard(certificate, where, NULL);
		return result;
	}
	*ret_key = TAKE_PTR(key);
	*ret_csr = buffer_take(&csr);
	*ret_reused = reused;
	return 0;
}
