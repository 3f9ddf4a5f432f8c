#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/paths.h"
#include "commands/command.h"

static const char deleted[] = " (deleted)"; /* what proc(5) appends */

/* Where the supervisor is: installed in libexec, or beside us in a build tree. */
static int supervisor_path(const char *self, char *path, size_t size)
{
	snprintf(path, size, "%s/origin-ca-supervisor", path_libexec_dir);
	const char *slash = strrchr(self, '/');
	char beside[PATH_MAX];
	snprintf(beside, sizeof(beside), "%.*s/origin-ca-supervisor",
		 slash ? (int)(slash - self) : 0, self);
	if (access(beside, X_OK) == 0)
		snprintf(path, size, "%s", beside);
	return access(path, X_OK) == 0 ? 0 : -errno;
}

/*
 * The idle agent must not carry what only a pass needs (libcurl and OpenSSL alone cost megabytes),
 * so this process becomes the supervisor, which starts us again for every pass.
 */
int command_run(const struct command_options *options)
{
	char self[PATH_MAX] = "";
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0) {
		log_error("cannot read /proc/self/exe: %s", strerror(errno));
		return PASS_EXIT_FAILED;
	}
	/* Replaced since we were started: passes are to run what is there now. */
	if (string_ends(self, deleted))
		self[(size_t)length - strlen(deleted)] = '\0';
	int result = supervisor_path(self, path, sizeof(path));
	if (result == 0) {
		execl(path, options->program, "--agent", self, "--config", options->config_path,
		      (char *)NULL);
		result = -errno;
	}
	log_error("cannot start the supervisor %s: %s; install the package again", path,
		  strerror(-result));
	return PASS_EXIT_FAILED;
}
