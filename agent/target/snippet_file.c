/* Snippets on disk: where they are, what they are, and the rename that commits one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "target/drift.h"
#include "target/keystore.h"
#include "target/kind.h"
#include "target/snippet.h"
#include "target/truststore.h"

enum {
	LEFTOVER_AGE = CLOCK_HOUR
};

static int remedy_add(int result, const struct config_target *target, struct error *error)
{
	if (result == -EACCES || result == -EPERM || result == -EROFS)
		error_remedy(error,
			     "let the agent's user write to %s, also in its unit "
			     "(ReadWritePaths=), or leave out `snippet_dir` of target %s",
			     target->snippet_dir, target->name);
	return result;
}

/* ".NAME.SUFFIX.0123abcd.tmp", as file_write_at() names what it did not get to rename: of any kind
 * of server, as a target's type may have changed since. */
static bool is_leftover(const char *name)
{
	static const char *const suffixes[] = {".conf", ".xml", "." KEYSTORE_SUFFIX,
					       "." TRUSTSTORE_SUFFIX};
	static const size_t tail = sizeof(".01234567.tmp") - 1;
	size_t length = strlen(name);
	if (name[0] != '.' || length <= tail || !string_ends(name, ".tmp"))
		return false;
	const char *end = name + length - tail;
	if (end[0] != '.' || strspn(end + 1, "0123456789abcdef") != 8)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t size = strlen(suffixes[i]);
		/* A dot, at least one byte of a name, the suffix. */
		if ((size_t)(end - name) >= 2 + size && memcmp(end - size, suffixes[i], size) == 0)
			return true;
	}
	return false;
}

/* Only old ones: another process may be about to rename a young one. What cannot be removed does
 * no harm. */
static void leftovers_remove(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	if (!listing) {
		closep(&fd);
		return;
	}
	const struct dirent *entry;
	struct stat status;
	while ((entry = readdir(listing)))
		if (is_leftover(entry->d_name) &&
		    fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(status.st_mode) && status.st_mtime < clock_now() - LEFTOVER_AGE)
			unlinkat(directory, entry->d_name, 0);
	closedir(listing);
}

int snippet_directory_open(const struct config_target *target, int *ret_fd, struct error *error)
{
	/* Not directory_open_at(): the administrator may well name a symbolic link. */
	CLEANUP(closep) int fd = open(target->snippet_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return remedy_add(
			error_errno(error, -errno, "cannot open directory %s", target->snippet_dir),
			target, error);
	if (fd < 0) {
		int result =
			directory_make_path(target->snippet_dir, &FILE_ACCESS(0755), &fd, error);
		if (result < 0)
			return remedy_add(result, target, error);
		/* The directory must be as durable as the snippet that will be in it. */
		CLEANUP(closep) int parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		result = parent < 0 ? error_errno(error, -errno, "cannot open the parent of %s",
						  target->snippet_dir)
				    : directory_sync(parent, target->snippet_dir, error);
		if (result < 0)
			return result;
	} else {
		leftovers_remove(fd);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

char *snippet_file_name(const struct config_target *target,
			const struct config_certificate *certificate)
{
	return string_format("%s.%s", certificate->name, target_kind(target->type)->suffix);
}

int snippet_read(int directory, const struct config_target *target, const char *file,
		 struct buffer *text, struct error *error)
{
	int result = file_read_at(directory, target->snippet_dir, file, text, error);
	/* A symbolic link, a device, a file larger than any of ours: it is not a snippet. */
	if (result == -ELOOP || result == -ENXIO || result == -EINVAL || result == -EFBIG)
		return error_set(error, ERROR_LOCAL, -ENOENT,
				 "%s/%s is no snippet and will be replaced", target->snippet_dir,
				 file);
	return result;
}

/* True when the file has the bytes, owner and mode already. */
static bool is_current(int directory, const struct config_target *target, const char *file,
		       const struct buffer *text)
{
	struct file_stamp stamp;
	if (file_stamp_at(directory, file, &stamp) < 0 || !S_ISREG(stamp.mode) ||
	    stamp.size != (int64_t)text->length || drift_access(&stamp, &target->access))
		return false;
	struct buffer there = BUFFER(text->length);
	bool same = file_read_at(directory, target->snippet_dir, file, &there, NULL) == 0 &&
		    there.length == text->length &&
		    memcmp(buffer_text(&there), buffer_text(text), text->length) == 0;
	buffer_wipe(&there);
	return same;
}

/* The one who wrote it may have ended before it was durable. */
static int current_sync(int directory, const struct config_target *target, const char *file,
			struct error *error)
{
	CLEANUP(closep)
	int fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return error_errno(error, -errno, "cannot sync %s/%s", target->snippet_dir, file);
	return directory_sync(directory, target->snippet_dir, error);
}

int snippet_commit(int directory, const struct config_target *target, const char *file,
		   const struct buffer *text, enum file_sync sync, struct error *error)
{
	if (is_current(directory, target, file, text))
		return current_sync(directory, target, file, error);
	int result = file_write_at(directory, target->snippet_dir, file, buffer_text(text),
				   text->length, &target->access, sync, error);
	return remedy_add(result, target, error);
}
