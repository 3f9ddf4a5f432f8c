#include "commands/become.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "cloudflare/token.h"
#include "target/unit.h"

enum {
	GROUPS_LIMIT = 1024
};

struct identity {
	uid_t user;
	gid_t group;
	gid_t groups[GROUPS_LIMIT];
	int group_count;
};

/* The directory's owner, else the account that the package makes: 1, or 0 when root stays root.
 * What cannot be told is an error: files of root's would keep the service from its work. */
static int identity_find(const char *state_dir, struct identity *identity, bool *ret_missing,
			 struct error *error)
{
	struct stat status;
	int result = stat(state_dir, &status) < 0 ? -errno : 0;
	*ret_missing = result == -ENOENT;
	if (result < 0 && result != -ENOENT && result != -ENOTDIR)
		return error_errno(error, result, "cannot tell whose %s is", state_dir);
	if (result == 0) {
		identity->user = status.st_uid;
		identity->group = status.st_gid;
		return status.st_uid != 0;
	}
	errno = 0;
	const struct passwd *account = getpwnam(path_user);
	/* getpwnam(3) has a list of what errno may be when there is just no such account. */
	if (!account && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO ||
			 errno == EINTR))
		return error_errno(error, -errno, "cannot look the account %s up", path_user);
	if (!account || account->pw_uid == 0)
		return 0;
	identity->user = account->pw_uid;
	identity->group = account->pw_gid;
	return 1;
}

static void group_add(struct identity *identity, gid_t group)
{
	for (int i = 0; i < identity->group_count; i++)
		if (identity->groups[i] == group)
			return;
	if (identity->group_count < GROUPS_LIMIT)
		identity->groups[identity->group_count++] = group;
}

/* What the unit adds to the account's groups; without systemd, nothing does. */
static void groups_of_unit(struct identity *identity)
{
	CLEANUP(unit_closep) struct unit_bus *bus = NULL;
	CLEANUP(string_list_free) struct string_list names = {0};
	CLEANUP(freep) char *unit = string_format("%s.service", path_user);
	if (unit_open(&bus, NULL) < 0 ||
	    unit_service_list(bus, unit, "SupplementaryGroups", &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.count; i++) {
		const struct group *group = getgrnam(names.items[i]);
		if (group)
			group_add(identity, group->gr_gid);
	}
}

static void groups_find(struct identity *identity)
{
	const struct passwd *account = getpwuid(identity->user);
	if (account) {
		identity->group = account->pw_gid;
		identity->group_count = GROUPS_LIMIT;
		if (getgrouplist(account->pw_name, identity->group, identity->groups,
				 &identity->group_count) < 0)
			identity->group_count = GROUPS_LIMIT;
	}
	group_add(identity, identity->group);
	groups_of_unit(identity);
}

/* Every id, so that none of them leads back; without ids of root, no capability is left. */
static int identity_take(const struct identity *identity, struct error *error)
{
	if (setgroups((size_t)identity->group_count, identity->groups) < 0 ||
	    setresgid(identity->group, identity->group, identity->group) < 0 ||
	    setresuid(identity->user, identity->user, identity->user) < 0)
		return error_errno(error, -errno, "cannot become user %u",
				   (unsigned)identity->user);
	if (setuid(0) == 0 || seteuid(0) == 0)
		return error_set(error, ERROR_BUG, -EPERM, "user %u could become root again",
				 (unsigned)identity->user);
	/* As the service: no program that we start gets more rights than we have. */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	return chdir("/") < 0 ? error_errno(error, -errno, "cannot enter /") : 0;
}

static int state_directory_make(const char *path, const struct identity *identity,
				struct error *error)
{
	struct file_access access = {identity->user, identity->group, 0711};
	CLEANUP(closep) int fd = -1;
	return directory_make_path(path, &access, &fd, error);
}

int become_owner(const char *config_path, bool make, struct config_token *ret_token,
		 struct error *error)
{
	if (geteuid() != 0)
		return 0;

	/* The command itself tells what is wrong with the file. */
	struct config_agent settings = {0};
	bool missing = false;
	if (config_agent_load(config_path, &settings, NULL) < 0)
		settings.state_dir = string_copy(path_state_dir);
	CLEANUP(freep) struct identity *identity = memory_alloc(1, sizeof(*identity));
	int result = identity_find(settings.state_dir, identity, &missing, error);
	if (result > 0) {
		groups_find(identity);
		const struct config_api api = {0};
		token_read(&api, &ret_token->text, &ret_token->error);
		result = missing && make ? state_directory_make(settings.state_dir, identity, error)
					 : 0;
		if (result == 0)
			result = identity_take(identity, error);
		if (result == 0)
			log_debug("working as user %u, who owns %s", (unsigned)identity->user,
				  settings.state_dir);
	}
	config_agent_free(&settings);
	return result;
}

void become_forget(struct config_token *token)
{
	secret_free(token->text);
	*token = (struct config_token){0};
}
