#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/paths.h"
#include "base/random.h"

enum {
	REMOVE_DEPTH = 8
};

static int write_all(int fd, const char *data, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, data, length);
		if (written < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		data += written;
		length -= (size_t)written;
	}
	return 0;
}

static int access_apply(int fd, const struct file_access *access)
{
	/* Owner first: chown() may clear bits of the mode. */
	if ((access->owner != (uid_t)-1 || access->group != (gid_t)-1) &&
	    fchown(fd, access->owner, access->group) < 0)
		return -errno;
	return fchmod(fd, access->mode) < 0 ? -errno : 0;
}

int file_access_remedy(struct error *error)
{
	if (!error || error->code != -EPERM)
		return error ? error->code : -EPERM;
	return error_remedy(error,
			    "user %u can give a file to a group that it is in (`usermod --append "
			    "--groups GROUP %s`, then restart the service), and to no other user; "
			    "what somebody else has taken is given back by chown",
			    (unsigned)geteuid(), path_user);
}

int file_write_at(int directory, const char *where, const char *name, const void *data,
		  size_t length, const struct file_access *access, enum file_sync sync,
		  struct error *error)
{
	char temporary[280];
	snprintf(temporary, sizeof(temporary), ".%.240s.%08" PRIx32 ".tmp", name, random_u32());

	const char *operation = "create";
	CLEANUP(closep)
	int fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
	int result = fd < 0 ? -errno : 0;
	if (result < 0)
		return error_errno(error, result, "cannot create a file in %s", where);

	result = access_apply(fd, access);
	if (result < 0)
		operation = "set owner and mode of";
	if (result == 0) {
		result = write_all(fd, data, length);
		operation = "write";
	}
	if (result == 0 && sync != FILE_NO_SYNC && fsync(fd) < 0) {
		result = -errno;
		operation = "sync";
	}
	/* Some file systems tell of a full disk only here. */
	if (close(TAKE_FD(fd)) < 0 && result == 0) {
		result = -errno;
		operation = "close";
	}
	if (result == 0 && renameat(directory, temporary, directory, name) < 0) {
		result = -errno;
		operation = "rename the new";
	}
	if (result < 0) {
		unlinkat(directory, temporary, 0);
		error_errno(error, result, "cannot %s %s/%s", operation, where, name);
		file_access_remedy(error);
		return result;
	}
	return sync == FILE_SYNC ? directory_sync(directory, where, error) : 0;
}

static int read_descriptor(int fd, struct buffer *contents, mode_t *ret_mode)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	*ret_mode = status.st_mode;
	if (!S_ISREG(status.st_mode))
		return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	if ((uint64_t)status.st_size > contents->limit)
		return -EFBIG;

	buffer_reserve(contents, (size_t)status.st_size);
	char chunk[16384];
	size_t used = 0; /* most bytes of it, as wiping all of it costs more than a small file */
	int result = 0;
	/* What has a size is read up to it: that there is no more needs no call. Files of procfs
	 * say 0. */
	while (status.st_size == 0 || contents->length < (size_t)status.st_size) {
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			result = got < 0 ? -errno : 0;
			break;
		}
		used = (size_t)got > used ? (size_t)got : used;
		if (buffer_add(contents, chunk, (size_t)got) < 0) {
			result = -EFBIG;
			break;
		}
		/* All that was there, and no more came: spares asking once more for the end. */
		if ((size_t)got < sizeof(chunk) && contents->length >= (size_t)status.st_size)
			break;
	}
	explicit_bzero(chunk, used);
	return result;
}

static int read_error(int result, size_t limit, const char *path, struct error *error)
{
	if (result == -EFBIG)
		return error_set(error, ERROR_LOCAL, result,
				 "cannot read %s: larger than %zu bytes", path, limit);
	if (result == -EINVAL)
		return error_set(error, ERROR_LOCAL, result, "cannot read %s: not a regular file",
				 path);
	return error_errno(error, result, "cannot read %s", path);
}

static int read_open(int directory, const char *name, int flags, const char *path,
		     struct buffer *contents, mode_t *ret_mode, struct error *error)
{
	buffer_wipe(contents);
	/* O_NONBLOCK: a FIFO where a file should be must not hang us. */
	CLEANUP(closep)
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	int result = fd < 0 ? -errno : read_descriptor(fd, contents, ret_mode);
	if (result < 0) {
		buffer_wipe(contents);
		return read_error(result, contents->limit, path, error);
	}
	return 0;
}

int file_read_at(int directory, const char *where, const char *name, struct buffer *contents,
		 struct error *error)
{
	char path[4096];
	mode_t mode;
	snprintf(path, sizeof(path), "%s/%s", where, name);
	return read_open(directory, name, O_NOFOLLOW, path, contents, &mode, error);
}

int file_read_linked_at(int directory, const char *name, const char *path, struct buffer *contents,
			mode_t *ret_mode, struct error *error)
{
	return read_open(directory, name, 0, path, contents, ret_mode, error);
}

int file_read(const char *path, struct buffer *contents, struct error *error)
{
	mode_t mode;
	return read_open(AT_FDCWD, path, 0, path, contents, &mode, error);
}

/* Between `where` and a name; a path that is whole has none before it. */
static const char *slash(const char *where)
{
	return where[0] ? "/" : "";
}

int file_read_descriptor(int fd, const char *path, struct buffer *contents, struct error *error)
{
	mode_t mode;
	buffer_wipe(contents);
	int result = read_descriptor(fd, contents, &mode);
	if (result == 0)
		return 0;
	buffer_wipe(contents);
	return read_error(result, contents->limit, path, error);
}

int directory_open_at(int directory, const char *where, const char *name, int *ret_fd,
		      struct error *error)
{
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, -errno, "cannot open directory %s%s%s", where,
				   slash(where), name);
	*ret_fd = fd;
	return 0;
}

int directory_make_at(int directory, const char *where, const char *name,
		      const struct file_access *access, int *ret_fd, struct error *error)
{
	if (mkdirat(directory, name, 0700) < 0 && errno != EEXIST)
		return error_errno(error, -errno, "cannot make directory %s%s%s", where,
				   slash(where), name);

	CLEANUP(closep) int fd = -1;
	int result = directory_open_at(directory, where, name, &fd, error);
	if (result < 0)
		return result;

	struct stat status;
	if (fstat(fd, &status) < 0)
		return error_errno(error, -errno, "cannot stat %s%s%s", where, slash(where), name);
	bool differs = (status.st_mode & 07777) != access->mode ||
		       (access->owner != (uid_t)-1 && status.st_uid != access->owner) ||
		       (access->group != (gid_t)-1 && status.st_gid != access->group);
	if (differs) {
		result = access_apply(fd, access);
		if (result < 0) {
			error_errno(error, result, "cannot set owner and mode of %s%s%s", where,
				    slash(where), name);
			file_access_remedy(error);
			return result;
		}
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int directory_make_path(const char *path, const struct file_access *access, int *ret_fd,
			struct error *error)
{
	if (path[0] != '/')
		return error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s is not an absolute path",
				 path);

	CLEANUP(freep) char *parent = string_copy(path);
	for (char *end = strchr(parent + 1, '/'); end; end = strchr(end + 1, '/')) {
		*end = '\0';
		/* The umask may have taken bits away that the path's readers need. */
		int made = mkdir(parent, 0755) < 0 ? -errno : 0;
		if (made == 0 && chmod(parent, 0755) < 0)
			made = -errno;
		if (made < 0 && made != -EEXIST)
			return error_errno(error, made, "cannot make directory %s", parent);
		*end = '/';
	}
	return directory_make_at(AT_FDCWD, "", path, access, ret_fd, error);
}

int directory_sync(int directory, const char *where, struct error *error)
{
	if (fsync(directory) < 0)
		return error_errno(error, -errno, "cannot sync directory %s", where);
	return 0;
}

static int remove_tree(int directory, const char *name, int depth)
{
	if (unlinkat(directory, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (depth == 0)
		return -ELOOP;

	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *listing = fdopendir(fd);
	if (!listing) {
		int result = -errno;
		close(fd);
		return result;
	}
	int result = 0;
	const struct dirent *entry;
	while (result == 0 && (entry = readdir(listing)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = remove_tree(dirfd(listing), entry->d_name, depth - 1);
	closedir(listing);
	if (result == 0 && unlinkat(directory, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		result = -errno;
	return result;
}

int file_remove_at(int directory, const char *where, const char *name, struct error *error)
{
	int result = remove_tree(directory, name, REMOVE_DEPTH);
	if (result < 0)
		return error_errno(error, result, "cannot remove %s/%s", where, name);
	return 0;
}

int file_stamp_at(int directory, const char *name, struct file_stamp *ret_stamp)
{
	struct stat status;
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	*ret_stamp = (struct file_stamp){
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = status.st_size,
		.ctime_ns = (int64_t)status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec,
		.mode = status.st_mode,
		.owner = status.st_uid,
		.group = status.st_gid,
	};
	return 0;
}

bool file_stamp_equal(const struct file_stamp *one, const struct file_stamp *other)
{
	return one->device == other->device && one->inode == other->inode &&
	       one->size == other->size && one->ctime_ns == other->ctime_ns &&
	       one->mode == other->mode && one->owner == other->owner && one->group == other->group;
}

const char *file_stamp_format(const struct file_stamp *stamp,
			      char text[static FILE_STAMP_TEXT_SIZE])
{
	snprintf(text, FILE_STAMP_TEXT_SIZE,
		 "%" PRIx64 ":%" PRIx64 ":%" PRId64 ":%" PRId64 ":%" PRIo32 ":%" PRIu32 ":%" PRIu32,
		 stamp->device, stamp->inode, stamp->size, stamp->ctime_ns, stamp->mode,
		 stamp->owner, stamp->group);
	return text;
}

int file_stamp_parse(const char *text, struct file_stamp *ret_stamp)
{
	struct file_stamp stamp;
	int used = 0;
	if (!text ||
	    sscanf(text,
		   "%" SCNx64 ":%" SCNx64 ":%" SCNd64 ":%" SCNd64 ":%" SCNo32 ":%" SCNu32
		   ":%" SCNu32 "%n",
		   &stamp.device, &stamp.inode, &stamp.size, &stamp.ctime_ns, &stamp.mode,
		   &stamp.owner, &stamp.group, &used) != 7 ||
	    text[used] != '\0')
		return -EINVAL;
	*ret_stamp = stamp;
	return 0;
}
