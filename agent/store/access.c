/* access.c - who may read a generation's files: checked and repaired without making a new one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "store/parts.h"

static int repair_at(int directory, const char *name, const struct file_access *access)
{
	CLEANUP(closep)
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool owned = access->owner != (uid_t)-1 || access->group != (gid_t)-1;
	bool changed;
	if (fd >= 0)
		return access_settle(fd, access, &changed);
	/* Our own file, but a mode that does not let even us open it. */
	if (errno != EACCES)
		return -errno;
	if (owned &&
	    fchownat(directory, name, access->owner, access->group, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return fchmodat(directory, name, access->mode, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int entry_check(int directory, const char *path, const char *name, mode_t type,
		       bool optional, const struct file_access *access, bool repair, bool *drifted,
		       struct error *error)
{
	struct stat status;
	if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return optional && errno == ENOENT
			       ? 0
			       : error_errno(error, -errno, "cannot stat %s/%s", path, name);
	if ((status.st_mode & S_IFMT) != type)
		return error_set(error, ERROR_LOCAL, -EBADMSG, "%s/%s is not a regular %s", path,
				 name, type == S_IFDIR ? "directory" : "file");
	if (!access_differs(&status, access))
		return 0;

	*drifted = true;
	if (!repair)
		return 0;
	int result = repair_at(directory, name, access);
	if (result < 0) {
		error_errno(error, result, "cannot set owner and mode of %s/%s", path, name);
		file_access_remedy(error);
		return result;
	}
	return 0;
}

int generation_access_check(int certificate, const char *where, unsigned number,
			    const struct file_access *access, bool repair, bool *ret_drifted,
			    struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	generation_name(number, name);
	bool drifted = false;
	int result = entry_check(certificate, where, name, S_IFDIR, false, &FILE_ACCESS(0711),
				 repair, &drifted, error);
	if (result < 0)
		return result;

	CLEANUP(closep)
	int directory = openat(certificate, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return error_errno(error, -errno, "cannot open directory %s/%s", where, name);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", where, name);
	int keyless = parts_keyless(directory);
	for (enum part part = 0; part < PART_COUNT; part++) {
		if (part == (keyless > 0 ? PART_KEY : PART_CSR))
			continue;
		struct file_access wanted = part_access(access, part);
		result = entry_check(directory, path, part_name(part), S_IFREG,
				     part >= PART_EXPORTS, &wanted, repair, &drifted, error);
		if (result < 0)
			return result;
	}
	*ret_drifted = drifted;
	return 0;
}
