/* init_start.c - the first pass, and the service. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "commands/init.h"
#include "pass/note.h"
#include "target/process.h"

enum {
	SYSTEMCTL_TIMEOUT_MS = 60 * 1000,
	FIRST_PASS_TIMEOUT_MS = 15 * 1000, /* of the service, before we go on without it */
};

static const char service[] = "origin-ca-agent.service";

/* The very command that an administrator would give: it becomes the agent's user by itself, and
 * shows its progress on our terminal. */
int init_pass(const struct init *init, struct error *error)
{
	const struct command_options *options = init->options;
	int status = 0;
	pid_t pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", options->program, "--config", options->config_path,
		      "--renew-now", init->name, (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		return error_errno(error, -errno, "cannot start the first pass");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(error, -errno, "cannot wait for the first pass");
	if (WIFEXITED(status) && WEXITSTATUS(status) != 127)
		return WEXITSTATUS(status);
	return error_set(error, ERROR_BUG, -ECHILD, "the first pass ended with wait status %d",
			 status);
}

static void collect(const char *data, size_t length, void *context)
{
	struct buffer *output = context;
	buffer_add(output, data, length);
}

static int systemctl(const char *verb, struct error *error)
{
	static const char *const programs[] = {"/usr/bin/systemctl", "/bin/systemctl"};
	static const char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
						  "LC_ALL=C.UTF-8", NULL};
	const char *arguments[] = {NULL, verb, "--quiet", service, NULL};
	struct buffer output = BUFFER(64 << 10);
	struct process process = {
		.arguments = arguments,
		.environment = environment,
		.timeout_ms = SYSTEMCTL_TIMEOUT_MS,
		.output = collect,
		.context = &output,
	};
	int status = 0;
	int result = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(programs) && result == -ENOENT; i++) {
		arguments[0] = programs[i];
		result = process_run(&process, &status);
	}
	if (result < 0)
		error_errno(error, result, "systemctl %s %s", verb, service);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		result = error_set(error, ERROR_LOCAL, -ECHILD, "systemctl %s %s failed: %.400s",
				   verb, service, buffer_text(&output));
		error_remedy(error, "see `systemctl status %s`", service);
	}
	buffer_free(&output);
	return result;
}

/* Whoever runs `--renew-now` right after us should not find the lock taken. */
static void first_pass_wait(const struct config *config, int64_t since)
{
	const char *path = config->agent.state_dir;
	int64_t deadline = clock_monotonic_ms() + FIRST_PASS_TIMEOUT_MS;
	CLEANUP(closep) int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (directory >= 0 && clock_monotonic_ms() < deadline) {
		struct note note = {0};
		struct error ignored = {0};
		bool done = note_load(directory, path, &note, &ignored) == 0 &&
			    note.finished_at >= since;
		note_free(&note);
		if (done)
			return;
		clock_sleep_ms(50);
	}
}

int init_service(const struct config *config, struct error *error)
{
	int64_t since = clock_now();
	int result = systemctl("enable", error);
	if (result == 0)
		result = systemctl("reload-or-restart", error);
	if (result == 0)
		first_pass_wait(config, since);
	return result;
}
