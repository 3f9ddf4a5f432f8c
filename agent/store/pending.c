/*
 * pending.c - what is made durable before the API is asked: a key, and the room for the answer.
 *
 * A request of ours is not kept. It says nothing that the key and the configuration do not, and an
 * earlier request is found again at the API by its public key. When the key is on another host, the
 * user's own request is what tells which key it is, and stands where the key would.
 *
 * A key that was given, not made, has a mark beside it: when it is not given any more (somebody
 * stole it, or reuse_key was taken back), nothing may be asked with it again.
 *
 * Room: the files that the answer will fill are made beforehand, empty, with their blocks set
 * aside (fallocate(2)), so that neither blocks nor inodes can run out between the question and
 * the answer. That costs no sync of its own, and later nothing has to be removed: measured on
 * ext4, removing a reserve file of 64 KiB took as long as half a sync.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
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
	static const enum part either[] = {PART_KEY, PART_CSR};
	CLEANUP(closep)
	int pending = openat(certificate, GENERATION_PENDING,
			     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	for (size_t i = 0; pending >= 0 && i < ARRAY_SIZE(either); i++)
		if (fstatat(pending, part_name(either[i]), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode) && status.st_size > 0)
			return true;
	return false;
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

bool pending_is_given(int certificate)
{
	struct stat status;
	return fstatat(certificate, GENERATION_PENDING "/" GENERATION_GIVEN, &status,
		       AT_SYMLINK_NOFOLLOW) == 0;
}

int pending_discard(int certificate, const char *where, struct error *error)
{
	return file_remove_at(certificate, where, GENERATION_PENDING, error);
}

int pending_open(int certificate, const char *where, int *ret_fd, EVP_PKEY **ret_key,
		 bool *ret_keyless, struct error *error)
{
	CLEANUP(closep) int fd = -1;
	struct error reason = {0};
	int result = directory_open_at(certificate, where, GENERATION_PENDING, &fd, &reason);
	if (result == -ENOENT)
		return -ENOENT;
	bool usable = result == 0;
	if (result == 0) {
		CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
		result = either_load(fd, path, ret_key, ret_keyless, &reason);
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

int pending_leaf(int pending, const char *where, const EVP_PKEY *key, X509 **ret_leaf,
		 struct leaf_facts *ret_facts, struct error *error)
{
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(FILE_LIMIT);
	struct error reason = {0};
	int result = part_read(pending, where, PART_CERT, &leaf, &reason);
	if (result < 0 && part_is_lost(result))
		return 0;
	if (result < 0) {
		if (error)
			*error = reason;
		error_remedy(error, "when the disk has lost it for good, remove %s", where);
		return result;
	}
	return leaf.length > 0 && leaf_match(buffer_text(&leaf), leaf.length, key, where, ret_leaf,
					     ret_facts, NULL) == 0;
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

struct room {
	enum part part;
	size_t size;
};

static int room_take(int pending, const char *where, const struct pending_request *request,
		     struct error *error)
{
	size_t size = reserve_size(request->hostnames);
	size_t root = request->chain_root ? RESERVE_BLOCK : 0;
	unsigned formats = request->formats;
	const struct room rooms[] = {
		{PART_CERT, size},
		{PART_META, size},
		{PART_CHAIN, root},
		{PART_FULLCHAIN, root ? size + root : 0},
		{PART_DER, formats & FORMAT_DER ? size : 0},
		{PART_P7B, formats & FORMAT_P7B ? size + RESERVE_BLOCK : 0},
		{PART_P12, formats & FORMAT_P12 ? size + root + RESERVE_BLOCK : 0},
		{PART_COMBINED, formats & FORMAT_COMBINED ? size + root + RESERVE_BLOCK : 0},
	};
	int result = 0;
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(rooms); i++)
		if (rooms[i].size || rooms[i].part == PART_CHAIN)
			result = part_reserve(pending, where, rooms[i].part, request->access,
					      rooms[i].size, error);
	return result;
}

/* The key, or what tells which it is elsewhere, and whether it is the user's. */
struct pending_key {
	EVP_PKEY *key;
	bool keyless;
	bool given;
	char *csr; /* what the API is asked with */
};

static void pending_key_free(struct pending_key *key)
{
	EVP_PKEY_free(key->key);
	free(key->csr);
	*key = (struct pending_key){0};
}

static enum part pending_part(const struct pending_key *key)
{
	return key->keyless ? PART_CSR : PART_KEY;
}

/*
 * Key, pending/, certificates/NAME/: in this order, though on ext4 the first sync already carries
 * the others (they cost a flush each). The parent is synced only while NAME/ itself is new, which
 * spares a sync of its own when it was made.
 */
static int pending_sync(int certificate, const char *where, int pending, const char *path,
			const struct pending_key *wanted, struct error *error)
{
	enum part part = pending_part(wanted);
	CLEANUP(closep)
	int key = openat(pending, part_name(part), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (key < 0)
		return error_errno(error, -errno, "cannot open %s/%s", path, part_name(part));
	int result = part_sync(key, path, part, error);
	if (result == 0)
		result = directory_sync(pending, path, error);
	/* NAME/ itself is as new as what is in it; or a crash came before anything was durable. */
	bool established = false;
	if (result == 0)
		result = generation_any(certificate, where, &established, error);
	return result < 0 ? result : certificate_sync(certificate, where, !established, error);
}

static int mark_given(int pending, const char *path, struct error *error)
{
	CLEANUP(closep)
	int fd = openat(pending, GENERATION_GIVEN,
			O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	return fd < 0 ? error_errno(error, -errno, "cannot create %s/%s", path, GENERATION_GIVEN)
		      : 0;
}

/* What stands in key.pem, or in csr.pem in its place. */
static int key_print(const struct pending_key *wanted, struct buffer *text, struct error *error)
{
	return wanted->keyless ? buffer_add_text(text, wanted->csr)
			       : key_write_pem(wanted->key, text, error);
}

/* The mark first: a key without one is ours. */
static int key_write(int pending, const char *path, const struct pending_key *wanted,
		     const struct file_access *access, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	CLEANUP(closep) int fd = -1;
	int result = wanted->given ? mark_given(pending, path, error) : 0;
	if (result == 0)
		result = key_print(wanted, &text, error);
	if (result == 0)
		result = part_write(pending, path, pending_part(wanted), buffer_text(&text),
				    text.length, access, &fd, error);
	return result;
}

static int pending_make(int certificate, const char *where, const char *path,
			const struct pending_key *wanted, const struct file_access *access,
			int *ret_fd, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	int result = directory_make_at(certificate, where, GENERATION_PENDING, &FILE_ACCESS(0711),
				       &pending, error);
	if (result == 0)
		result = key_write(pending, path, wanted, access, error);
	if (result == 0)
		*ret_fd = TAKE_FD(pending);
	return result;
}

/* What is wanted by the request alone; the key stays NULL when it is to be made. */
static int wanted_take(const struct pending_request *request, struct pending_key *wanted,
		       struct error *error)
{
	CLEANUP(string_list_free) struct string_list hostnames = {0};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *public = NULL;
	if (request->csr_pem) {
		int result = csr_read(request->csr_pem, strlen(request->csr_pem), &public,
				      &hostnames, error);
		if (result < 0)
			return result;
		wanted->csr = string_copy(request->csr_pem);
	}
	if (public && request->key && EVP_PKEY_eq(public, request->key) != 1) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "the certificate signing request is for another key than private_key");
		return error_remedy(error, "make the request with that key, or leave one out");
	}
	wanted->keyless = public && !request->key;
	wanted->given = public || request->key;
	if (wanted->keyless && request->formats & GENERATION_KEY_FORMATS) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "formats p12 and combined hold the private key, which is not on this "
			  "host");
		return error_remedy(error, "leave them out, or give the key with private_key");
	}
	if (request->key && EVP_PKEY_up_ref(request->key))
		wanted->key = request->key;
	else if (public)
		wanted->key = TAKE_PTR(public);
	return 0;
}

/* 1 when the entry is there, 0 when it is not; an error when that cannot be told just now, which is
 * no reason to throw a key away. */
static int entry_there(int pending, const char *path, const char *name, struct error *error)
{
	struct stat status;
	if (fstatat(pending, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : error_errno(error, -errno, "cannot stat %s/%s", path, name);
}

/* 1 when the key that was found is the one to ask with, 0 when it is not. */
static int key_fits(int pending, const char *path, const struct pending_request *request,
		    const struct pending_key *wanted, const EVP_PKEY *found, bool keyless,
		    struct error *error)
{
	enum key_type type;
	if (wanted->key) {
		int same = EVP_PKEY_eq(wanted->key, found);
		ERR_clear_error();
		return same == 1;
	}
	if (keyless || key_type_of(found, &type) < 0 || type != request->key_type)
		return 0;
	int given = entry_there(pending, path, GENERATION_GIVEN, error);
	return given < 0 ? given : !given;
}

/*
 * Settles which key it is: the one that an earlier pass left, if it may be used (ret_fd is open
 * then), or none and nothing in the way of a new one.
 */
static int pending_find(int certificate, const char *where, const struct pending_request *request,
			struct pending_key *wanted, int *ret_fd, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool keyless = false;
	int result = pending_open(certificate, where, &pending, &key, &keyless, error);
	if (result < 0)
		return result == -ENOENT ? 0 : result;
	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	int fits = key_fits(pending, path, request, wanted, key, keyless, error);
	if (fits < 0)
		return fits;
	if (!fits)
		return pending_discard(certificate, where, error);
	*ret_fd = TAKE_FD(pending);
	if (!wanted->key)
		wanted->key = TAKE_PTR(key);
	return 0;
}

/*
 * The same key, but now it is given, or on another host, or here: written as it would be now. Each
 * step leaves what tells the key: one rename puts the new file in place, and only when that is
 * durable the other one goes.
 */
static int pending_convert(int pending, const char *path, const struct pending_key *wanted,
			   const struct file_access *key_access, struct error *error)
{
	if (!wanted->given)
		return 0;
	enum part part = pending_part(wanted);
	const char *other = part_name(wanted->keyless ? PART_KEY : PART_CSR);
	struct file_access access = part_access(key_access, part);
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	leftovers_remove(pending);
	int result = mark_given(pending, path, error);
	int there = result < 0 ? result : entry_there(pending, path, part_name(part), error);
	if (there < 0)
		return there;
	if (!there)
		result = key_print(wanted, &text, error);
	if (!there && result == 0)
		result = file_write_at(pending, path, part_name(part), buffer_text(&text),
				       text.length, &access, FILE_SYNC, error);
	if (result == 0 && unlinkat(pending, other, 0) < 0 && errno != ENOENT)
		result = error_errno(error, -errno, "cannot remove %s/%s", path, other);
	return result;
}

/* The request to ask with: the user's own, or one that we make. */
static int request_make(const struct pending_request *request, struct pending_key *wanted,
			struct error *error)
{
	if (wanted->csr)
		return 0;
	CLEANUP(buffer_free) struct buffer csr = BUFFER(CSR_LIMIT);
	int result = csr_make(wanted->key, request->hostnames, &csr, error);
	if (result == 0)
		wanted->csr = buffer_take(&csr);
	return result;
}

/* Everything in pending/ as it is to be, and durable. */
static int pending_settle(int certificate, const char *where, const struct pending_request *request,
			  const struct pending_key *wanted, int *pending, bool reused,
			  struct error *error)
{
	CLEANUP(freep) char *path = string_format("%s/%s", where, GENERATION_PENDING);
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	int64_t asked_at = reused ? pending_asked_at(certificate) : 0;
	int result = reused ? pending_convert(*pending, path, wanted, request->access, error)
			    : pending_make(certificate, where, path, wanted, request->access,
					   pending, error);
	/* A leaf that is there and belongs to the key is not given up for an empty file. */
	int kept = 0;
	if (result == 0 && reused)
		kept = pending_leaf(*pending, path, wanted->key, &leaf, &facts, error);
	if (kept < 0)
		result = kept;
	if (result == 0 && kept == 0)
		result = room_take(*pending, path, request, error);
	pending_asked_set(certificate, asked_at);
	/* Also for a key that was found: who wrote it may have been killed before it was synced. */
	if (result == 0)
		result = pending_sync(certificate, where, *pending, path, wanted, error);
	return result;
}

int pending_prepare(int certificate, const char *where, const struct pending_request *request,
		    EVP_PKEY **ret_key, char **ret_csr, bool *ret_reused, struct error *error)
{
	CLEANUP(closep) int pending = -1;
	CLEANUP(pending_key_free) struct pending_key wanted = {0};
	int result = wanted_take(request, &wanted, error);
	if (result == 0)
		result = pending_find(certificate, where, request, &wanted, &pending, error);
	bool reused = pending >= 0;
	if (result == 0 && !wanted.key)
		result = key_generate(request->key_type, &wanted.key, error);
	if (result == 0)
		result = request_make(request, &wanted, error);
	if (result < 0)
		return result;

	result = pending_settle(certificate, where, request, &wanted, &pending, reused, error);
	if (result < 0) {
		/* After a failed sync the kernel forgets that the bytes never reached the disk:
		 * a key of which no one was told is thrown away rather than trusted. */
		if (!reused)
			pending_discard(certificate, where, NULL);
		return result;
	}
	*ret_key = TAKE_PTR(wanted.key);
	*ret_csr = TAKE_PTR(wanted.csr);
	*ret_reused = reused;
	return 0;
}
