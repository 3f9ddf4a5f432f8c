/*
 * command.h - a program of the administrator's, never a shell: `reload_command` of a target, and
 * `event_hook`.
 */
#ifndef ORIGIN_CA_TARGET_COMMAND_H
#define ORIGIN_CA_TARGET_COMMAND_H

#include "base/error.h"
#include "base/list.h"

enum {
	COMMAND_OUTPUT_LIMIT = 64 << 10, /* bytes that are read; what is beyond is dropped */
};

/*
 * Runs argv (the first is an absolute path) with `environment` ("NAME=value", nothing is inherited
 * but PATH, LANG and what is given) in a process group of its own, in "/", standard input from
 * /dev/null, and waits for it. Output (both streams) is handed to `line` (may be NULL) as it comes,
 * a line at a time, without control characters and empty lines. No descriptor but 0, 1 and 2 is
 * open in it; signals are at their defaults.
 *
 * At `timeout_ms` the group gets SIGTERM, two seconds later SIGKILL; then our end of the pipe is
 * closed whoever still holds the other (a grandchild must not hang us). The child is reaped always.
 * What a program that ended in time has left running (a daemon) is left alone.
 *
 * Class deploy: -ECANCELED with the exit status or signal and the last line it said, -ETIMEDOUT.
 * Class configuration when it cannot be executed: -ENOENT, -EACCES, -ENOEXEC.
 */
typedef void reload_command_line(const char *text, void *context);
int reload_command_run(const struct string_list *argv, const struct string_list *environment,
		       int64_t timeout_ms, reload_command_line *line, void *context,
		       struct error *error);

/* The same for the program of another key, which messages name, not in remedies. */
int program_run(const char *key, const struct string_list *argv,
		const struct string_list *environment, int64_t timeout_ms,
		reload_command_line *line, void *context, struct error *error);

#endif
