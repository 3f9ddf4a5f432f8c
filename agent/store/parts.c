#include "store/parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "pki/csr.h"

static const struct {
	const char *name;
	unsigned format;
	bool secret; /* holds the key */
} kinds[PART_COUNT] = {
	[PART_KEY] = {GENERATION_KEY, 0, true},
	[PART_CSR] = {GENERATION_CSR, 0, false},
	[PART_CERT] = {GENERATION_CERT, 0, false},
	[PART_CHAIN] = {GENERATION_CHAIN, 0, false},
	[PART_FULLCHAIN] = {GENERATION_FULLCHAIN, 0, false},
	[PART_META] = {GENERATION_META, 0, false},
	[PART_DER] = {GENERATION_DER, FORMAT_DER, false},
	[PART_P7B] = {GENERATION_P7B, FORMAT_P7B, false},
	[PART_P12] = {GENERATION_P12, FORMAT_P12, true},
	[PART_COMBINED] = {GENERATION_COMBINED, FORMAT_COMBINED, true},
};

const char *part_name(enum part part)
{
	return kinds[part].name;
}

unsigned part_format(enum part part)
{
	return kinds[part].format;
}

const char *generation_format_file(enum certificate_format format)
{
	for (enum part part = PART_EXPORTS; part < PART_COUNT; part++)
		if (kinds[part].format == (unsigned)format)
			return kinds[part].name;
	return NULL;
}

struct file_access part_access(const struct file_access *key, enum part part)
{
	struct file_access access = *key;
	if (!kinds[part].secret)
		access.mode |= 0444;
	return access;
}

bool access_differs(const struct stat *status, const struct file_access *access)
{
	return (status->st_mode & 07777) != access->mode ||
	       (access->owner != (uid_t)-1 && status->st_uid != access->owner) ||
	       (access->group != (gid_t)-1 && status->st_gid != access->group);
}

int access_settle(int fd, const struct file_access *access, bool *ret_changed)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	*ret_changed = access_differs(&status, access);
	if (!*ret_changed)
		return 0;
	/* Owner first: chown() may clear bits of the mode. */
	if ((access->owner != (uid_t)-1 || access->group != (gid_t)-1) &&
	    fchown(fd, access->owner, access->group) < 0)
		return -errno;
	return fchmod(fd, access->mode) < 0 ? -errno : 0;
}

static int write_whole(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

/* A file system that cannot set blocks aside shows with real bytes that it has them. */
static int reserve_by_writing(int fd, size_t size)
{
	static const char zeros[4096];
	int result = 0;
	for (size_t done = 0; result == 0 && done < size; done += sizeof(zeros))
		result = write_whole(fd, zeros, sizeof(zeros));
	if (result == 0 && fdatasync(fd) < 0)
		result = -errno;
	if (ftruncate(fd, 0) < 0 && result == 0)
		result = -errno;
	return result == 0 && lseek(fd, 0, SEEK_SET) < 0 ? -errno : result;
}

static int space_take(int fd, size_t size)
{
	if (size == 0)
		return 0;
	int result;
	do
		result = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 ? -errno : 0;
	while (result == -EINTR);
	if (result == -EOPNOTSUPP || result == -ENOSYS)
		return reserve_by_writing(fd, size);
	return result;
}

static int part_error(int result, const char *operation, const char *where, enum part part,
		      struct error *error)
{
	error_errno(error, result, "cannot %s %s/%s", operation, where, part_name(part));
	if (result == -ENOSPC || result == -EDQUOT)
		error_remedy(error, "make room on the file system that holds %s (df -h, df -i)",
			     where);
	return result;
}

static int part_create(int directory, const char *where, enum part part,
		       const struct file_access *access, int *ret_fd, struct error *error)
{
	if (unlinkat(directory, part_name(part), 0) < 0 && errno != ENOENT)
		return part_error(-errno, "replace", where, part, error);
	CLEANUP(closep)
	int fd = openat(directory, part_name(part),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return part_error(-errno, "create", where, part, error);
	bool changed;
	int result = access_settle(fd, access, &changed);
	if (result < 0)
		return part_error(result, "set owner and mode of", where, part, error);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int part_reserve(int directory, const char *where, enum part part,
		 const struct file_access *key_access, size_t reserve, struct error *error)
{
	struct file_access access = part_access(key_access, part);
	CLEANUP(closep) int fd = -1;
	int result = part_create(directory, where, part, &access, &fd, error);
	if (result < 0)
		return result;
	result = space_take(fd, reserve);
	return result < 0 ? part_error(result, "reserve space for", where, part, error) : 0;
}

/*
 * The file that is there, if it is empty (as part_reserve() left it) or already holds `data`; else
 * -1. An empty one that has another name too is not used: it could have been planted to be written
 * through.
 */
static int part_present(int directory, enum part part, const void *data, size_t length,
			const struct file_access *access)
{
	CLEANUP(closep)
	int fd = openat(directory, part_name(part), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return -1;
	bool fillable = status.st_size == 0 && status.st_nlink == 1;
	if (!fillable) {
		CLEANUP(buffer_wipe) struct buffer present = BUFFER(FILE_LIMIT);
		if ((size_t)status.st_size != length ||
		    file_read_at(directory, "", part_name(part), &present, NULL) < 0 ||
		    present.length != length || memcmp(buffer_text(&present), data, length) != 0)
			return -1;
	}
	bool changed;
	return access_settle(fd, access, &changed) < 0 ? -1 : TAKE_FD(fd);
}

int part_write(int directory, const char *where, enum part part, const void *data, size_t length,
	       const struct file_access *key_access, int *ret_fd, struct error *error)
{
	struct file_access access = part_access(key_access, part);
	CLEANUP(closep) int fd = part_present(directory, part, data, length, &access);
	int result = 0;
	if (fd < 0)
		result = part_create(directory, where, part, &access, &fd, error);
	if (result < 0)
		return result;

	/* Also where the bytes are there already: after a sync that failed, the kernel takes them
	 * for written, and only writing them again makes the next sync an honest one. */
	result = write_whole(fd, data, length);
	if (result < 0)
		return part_error(result, "write", where, part, error);
	/* Only a start, so that the disk is busy with all files while the first is waited for; the
	 * fsync() that follows is what counts. */
	if (length > 0)
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int part_sync(int fd, const char *where, enum part part, struct error *error)
{
	return fsync(fd) < 0 ? part_error(-errno, "sync", where, part, error) : 0;
}

int certificate_sync(int certificate, const char *where, bool parent, struct error *error)
{
	int result = directory_sync(certificate, where, error);
	if (result < 0 || !parent)
		return result;
	CLEANUP(closep) int above = -1;
	result = directory_open_at(certificate, where, "..", &above, error);
	return result < 0 ? result : directory_sync(above, where, error);
}

int parts_keyless(int directory)
{
	static const enum part either[] = {PART_KEY, PART_CSR};
	struct stat status;
	for (size_t i = 0; i < ARRAY_SIZE(either); i++) {
		if (fstatat(directory, part_name(either[i]), &status, AT_SYMLINK_NOFOLLOW) == 0)
			return either[i] == PART_CSR;
		if (errno != ENOENT)
			return -errno;
	}
	return -ENOENT;
}

/* As parts_complete(), for one part. */
static int part_whole(int directory, enum part part)
{
	struct stat status;
	if (fstatat(directory, part_name(part), &status, AT_SYMLINK_NOFOLLOW) < 0)
		return part_is_lost(-errno) ? 0 : -errno;
	return S_ISREG(status.st_mode) &&
	       (status.st_size > 0 || part == PART_CHAIN || part == PART_META);
}

int parts_complete(int directory)
{
	int result = part_whole(directory, PART_KEY);
	if (result == 0) {
		/* A damaged key is no missing one. */
		result = parts_keyless(directory);
		if (result < 0)
			return part_is_lost(result) ? 0 : result;
		result = result ? part_whole(directory, PART_CSR) : 0;
	}
	for (enum part part = PART_CERT; result > 0 && part < PART_EXPORTS; part++)
		result = part_whole(directory, part);
	return result;
}

bool part_is_lost(int result)
{
	static const int lost[] = {
		-EBADMSG, -ENOENT, -ENOTDIR, -ELOOP, -EISDIR, -EFBIG, -EINVAL, -ENXIO,
	};
	for (size_t i = 0; i < ARRAY_SIZE(lost); i++)
		if (result == lost[i])
			return true;
	return false;
}

int part_read(int directory, const char *where, enum part part, struct buffer *contents,
	      struct error *error)
{
	return file_read_at(directory, where, part_name(part), contents, error);
}

/* Encrypted or cut: for a file of our own there is no difference. */
static int key_unusable(const char *where, enum part part, struct error *error)
{
	error_prefix(error, "%s/%s", where, part_name(part));
	if (error) {
		error->class = ERROR_LOCAL;
		error->code = -EBADMSG;
	}
	return -EBADMSG;
}

/* Reads the text of key or request. */
static int key_text(int directory, const char *where, enum part part, struct buffer *text,
		    struct error *error)
{
	int result = part_read(directory, where, part, text, error);
	if (result != -EFBIG && result != -EINVAL && result != -EISDIR && result != -ELOOP)
		return result;
	return error_set(error, ERROR_LOCAL, -EBADMSG, "%s/%s is not a %s", where, part_name(part),
			 part == PART_KEY ? "private key" : "certificate signing request");
}

int key_load(int directory, const char *where, EVP_PKEY **ret_key, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	int result = key_text(directory, where, PART_KEY, &text, error);
	if (result < 0)
		return result;
	result = key_read_pem(buffer_text(&text), text.length, ret_key, error);
	return result < 0 ? key_unusable(where, PART_KEY, error) : 0;
}

int request_load(int directory, const char *where, EVP_PKEY **ret_key, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(FILE_LIMIT);
	CLEANUP(string_list_free) struct string_list hostnames = {0};
	int result = key_text(directory, where, PART_CSR, &text, error);
	if (result < 0)
		return result;
	result = csr_read(buffer_text(&text), text.length, ret_key, &hostnames, error);
	return result < 0 ? key_unusable(where, PART_CSR, error) : 0;
}

int either_load(int directory, const char *where, EVP_PKEY **ret_key, bool *ret_keyless,
		struct error *error)
{
	/* Asked first: that a key could not be looked for just now is not that there is none. */
	int keyless = parts_keyless(directory);
	if (keyless < 0)
		return error_errno(error, keyless, "cannot find %s/%s", where, part_name(PART_KEY));
	*ret_keyless = keyless;
	return keyless ? request_load(directory, where, ret_key, error)
		       : key_load(directory, where, ret_key, error);
}

int leaf_match(const char *leaf_pem, size_t length, const EVP_PKEY *key, const char *where,
	       X509 **ret_leaf, struct leaf_facts *ret_facts, struct error *error)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	int result = leaf_read_pem(leaf_pem, length, &leaf, error);
	if (result == 0)
		result = leaf_facts_read(leaf, &facts, error);
	if (result < 0) {
		error_prefix(error, "%s/%s", where, part_name(PART_CERT));
		return result;
	}

	char spki[SHA256_TEXT_SIZE];
	result = key_spki_sha256(key, spki, error);
	if (result < 0)
		return result;
	if (strcmp(spki, facts.spki_sha256) != 0)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "%s: key and leaf do not belong together (public key %.16s… and "
				 "%.16s…)",
				 where, spki, facts.spki_sha256);
	if (ret_leaf)
		*ret_leaf = TAKE_PTR(leaf);
	*ret_facts = facts;
	facts = (struct leaf_facts){0};
	return 0;
}

int directory_walk(int directory, const char *where,
		   int (*visit)(int directory, const char *name, void *context,
				struct error *error),
		   void *context, struct error *error)
{
	/* Not dup(): the two would share one reading position. */
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	if (!listing) {
		int result = -errno;
		if (fd >= 0)
			close(fd);
		return error_errno(error, result, "cannot list %s", where);
	}

	int result = 0;
	while (result >= 0) {
		errno = 0;
		const struct dirent *entry = readdir(listing);
		if (!entry) {
			if (errno != 0)
				result = error_errno(error, -errno, "cannot list %s", where);
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = visit(directory, entry->d_name, context, error);
	}
	closedir(listing);
	return result;
}

static int leftover_visit(int directory, const char *name, void *context, struct error *error)
{
	(void)context;
	(void)error;
	if (name[0] == '.' && string_ends(name, ".tmp"))
		unlinkat(directory, name, 0);
	return 0;
}

void leftovers_remove(int directory)
{
	directory_walk(directory, "", leftover_visit, NULL, NULL);
}
