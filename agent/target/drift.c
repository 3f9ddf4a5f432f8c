#include "target/drift.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool drift_access(const struct file_stamp *stamp, const struct file_access *access)
{
	return (stamp->mode & 07777) != access->mode ||
	       (access->owner != (uid_t)-1 && stamp->owner != access->owner) ||
	       (access->group != (gid_t)-1 && stamp->group != access->group);
}

/* Of a mode that does not let even its owner open it. */
static int settle_closed(int directory, const char *name, const struct file_access *access,
			 bool owned)
{
	if (owned &&
	    fchownat(directory, name, access->owner, access->group, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return fchmodat(directory, name, access->mode, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int drift_settle(int directory, const char *name, const struct file_access *access)
{
	bool owned = access->owner != (uid_t)-1 || access->group != (gid_t)-1;
	CLEANUP(closep)
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	if (fd < 0 && errno == EACCES)
		return settle_closed(directory, name, access, owned);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	/* Owner first: fchown() may clear bits of the mode. */
	if (owned && fchown(fd, access->owner, access->group) < 0)
		return -errno;
	return fchmod(fd, access->mode) < 0 || fsync(fd) < 0 ? -errno : 0;
}
