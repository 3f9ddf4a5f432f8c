/* told_pass.h - a pass of a command, from its begin to what is said of it. */
#ifndef ORIGIN_CA_COMMANDS_TOLD_PASS_H
#define ORIGIN_CA_COMMANDS_TOLD_PASS_H

#include "commands/command.h"

/*
 * Runs the pass, which SIGTERM and SIGINT stop in order (unless it is a dry run), tells of it in
 * the log and, with `print`, on standard output, and runs `event_hook` for its events. Gives the
 * exit status.
 */
int told_pass(const struct command_options *options, const struct config *config,
	      const struct pass_options *pass_options, bool print);

#endif
