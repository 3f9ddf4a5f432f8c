#include "commands/check_access.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/paths.h"

static char *user_name(uid_t user)
{
	const struct passwd *account = getpwuid(user);
	return account ? string_copy(account->pw_name) : string_format("%u", (unsigned)user);
}

static char *group_name(gid_t group)
{
	const struct group *entry = getgrgid(group);
	return entry ? string_copy(entry->gr_name) : string_format("%u", (unsigned)group);
}

static bool in_group(gid_t group)
{
	gid_t *groups = NULL;
	int count = getgroups(0, NULL);
	bool found = getegid() == group;
	if (count > 0) {
		groups = memory_alloc((size_t)count, sizeof(*groups));
		count = getgroups(count, groups);
	}
	for (int i = 0; i < count; i++)
		found |= groups[i] == group;
	free(groups);
	return found;
}

static void refuse_owner(const char *subject, uid_t owner, struct findings *findings)
{
	CLEANUP(freep) char *wanted = user_name(owner);
	CLEANUP(freep) char *self = user_name(geteuid());
	CLEANUP(freep)
	char *message = string_format("its files are to be %s's, but only root can give files to "
				      "another user, and the agent works as %s",
				      wanted, self);
	found(findings, subject, "error", message,
	      "remove `owner`; let the server read them by `group = GROUP` and `mode = 0640`");
}

static void refuse_group(const char *subject, gid_t group, struct findings *findings)
{
	CLEANUP(freep) char *wanted = group_name(group);
	CLEANUP(freep) char *self = user_name(geteuid());
	CLEANUP(freep)
	char *message = string_format("its files are to be the group %s's, which the user %s is "
				      "not in",
				      wanted, self);
	CLEANUP(freep)
	char *remedy = string_format("usermod --append --groups %s %s && systemctl try-restart "
				     "%s.service",
				     wanted, self, path_user);
	found(findings, subject, "error", message, remedy);
}

void check_giving(const char *subject, const struct file_access *access, struct findings *findings)
{
	if (geteuid() == 0)
		return;
	if (access->owner != (uid_t)-1 && access->owner != geteuid())
		refuse_owner(subject, access->owner, findings);
	if (access->group != (gid_t)-1 && !in_group(access->group))
		refuse_group(subject, access->group, findings);
}

bool check_directory(const char *subject, const char *path, struct findings *findings)
{
	CLEANUP(freep) char *nearest = string_copy(path);
	struct stat status;
	while (stat(nearest, &status) < 0 && errno == ENOENT && strrchr(nearest, '/') > nearest)
		*strrchr(nearest, '/') = '\0';
	if (access(nearest, W_OK | X_OK) == 0)
		return true;

	struct error error = {0};
	CLEANUP(freep) char *self = user_name(geteuid());
	error_errno(&error, -errno, "%s cannot be written by the user %s", path, self);
	error_remedy(&error, "install -d -o %s -g %s -m 755 %s", self, self, path);
	found_error(findings, subject, &error);
	return false;
}

void check_journal(struct findings *findings)
{
	const struct group *group = getgrnam("systemd-journal");
	if (geteuid() == 0 || !group || in_group(group->gr_gid))
		return;
	CLEANUP(freep) char *self = user_name(geteuid());
	CLEANUP(freep)
	char *message = string_format("the user %s cannot quote what servers say of their "
				      "configuration",
				      self);
	CLEANUP(freep)
	char *remedy = string_format("usermod --append --groups systemd-journal %s", self);
	found(findings, "journal", "warning", message, remedy);
}
