/*
 * file.h - files that come into place whole or not at all, and how a file is recognised again.
 *
 * Directories are descriptors (openat(2) and friends), so that nothing can be swapped under a
 * path between two calls; names are single components and symbolic links are never followed in
 * the last one. All functions return 0 or a negative errno and, with an error, the operation, the
 * path and the system's words (class local).
 */
#ifndef ORIGIN_CA_BASE_FILE_H
#define ORIGIN_CA_BASE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

/* Who may read what is written. Set on the descriptor before the first byte of data. */
struct file_access {
	uid_t owner; /* (uid_t)-1: leave */
	gid_t group; /* (gid_t)-1: leave */
	mode_t mode; /* e.g. 0640 */
};

#define FILE_ACCESS(bits) ((struct file_access){(uid_t)-1, (gid_t)-1, (bits)})

/*
 * Where owner or group could not be set (-EPERM): says in the error what whoever is not root can do
 * about it. Returns the error's code.
 */
int file_access_remedy(struct error *error);

enum file_sync {
	FILE_SYNC,	/* fsync the file, rename, fsync the directory: durable when this returns */
	FILE_SYNC_DATA, /* fsync the file and rename; the caller syncs the directory, for many */
	FILE_NO_SYNC, /* the caller syncs later, all at once, before anything refers to the file */
};

/* Most bytes that file_read_at() takes unless told otherwise: certificates, keys, state. */
enum {
	FILE_LIMIT = 1 << 20
};

/*
 * Writes DIRECTORY/NAME atomically: a temporary file beside it, owner and mode on the descriptor,
 * data, (fsync,) rename, (fsync of the directory). The temporary file is removed on error.
 * `where` is the directory's path for messages only.
 */
int file_write_at(int directory, const char *where, const char *name, const void *data,
		  size_t length, const struct file_access *access, enum file_sync sync,
		  struct error *error);

/*
 * Reads a regular file of at most `contents->limit` bytes into `contents` (emptied first).
 * -ENOENT when absent, -EFBIG when larger, -EINVAL when it is not a regular file.
 */
int file_read_at(int directory, const char *where, const char *name, struct buffer *contents,
		 struct error *error);

/* As above, following symbolic links, and telling the type and mode of what was read. `path` is
 * for messages only. */
int file_read_linked_at(int directory, const char *name, const char *path, struct buffer *contents,
			mode_t *ret_mode, struct error *error);

/* As above by path, following symbolic links (for files that the administrator names). */
int file_read(const char *path, struct buffer *contents, struct error *error);

/* Of a descriptor that is open already, for who looked at it first (owner, mode). */
int file_read_descriptor(int fd, const char *path, struct buffer *contents, struct error *error);

/* Opens a directory (O_PATH is not used: the descriptor can be synced and listed). */
int directory_open_at(int directory, const char *where, const char *name, int *ret_fd,
		      struct error *error);

/* Makes the directory unless it is there, owner and mode set either way; opens it. */
int directory_make_at(int directory, const char *where, const char *name,
		      const struct file_access *access, int *ret_fd, struct error *error);

/* Makes all that is missing of an absolute path with mode 0755, the last one with `access`. */
int directory_make_path(const char *path, const struct file_access *access, int *ret_fd,
			struct error *error);

int directory_sync(int directory, const char *where, struct error *error);

/* Removes a file, or a directory and all in it (bounded depth). -ENOENT is success. */
int file_remove_at(int directory, const char *where, const char *name, struct error *error);

/*
 * What a file was when it was last looked at. Any write, replacement, chmod or chown changes it
 * (ctime cannot be set by a user), so an equal stamp means: what was checked once still holds.
 */
struct file_stamp {
	uint64_t device, inode;
	int64_t size;
	int64_t ctime_ns;
	uint32_t mode, owner, group;
};

/* Takes the stamp; -ENOENT when absent. Follows no symbolic link. */
int file_stamp_at(int directory, const char *name, struct file_stamp *ret_stamp);

bool file_stamp_equal(const struct file_stamp *one, const struct file_stamp *other);

/* One word of at most 159 characters for state files, and back (-EINVAL). */
enum {
	FILE_STAMP_TEXT_SIZE = 160
};
const char *file_stamp_format(const struct file_stamp *stamp,
			      char text[static FILE_STAMP_TEXT_SIZE]);
int file_stamp_parse(const char *text, struct file_stamp *ret_stamp);

#endif
