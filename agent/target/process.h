/*
 * process.h - one program, run to its end and never longer than it may: what command.h and diff.h
 * stand on.
 */
#ifndef ORIGIN_CA_TARGET_PROCESS_H
#define ORIGIN_CA_TARGET_PROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the child's standard output and error, as they come. */
typedef void process_output(const char *data, size_t length, void *context);

struct process {
	const char *const *arguments;	/* the first is the absolute path; NULL ends them */
	const char *const *environment; /* all of it; NULL ends it */
	const int *descriptors;		/* become 3, 4 ... of the child */
	size_t descriptor_count;
	int64_t timeout_ms;
	process_output *output;
	void *context;
};

/*
 * Runs it in a process group of its own and in "/": standard input from /dev/null, standard output
 * and error into our pipe, no other descriptors than those given, signals at their defaults and
 * not blocked. No shell, also for a file that the kernel cannot execute.
 *
 * Waits for the child, not for the end of its output: what it left running may hold the pipe, and
 * lives on. 0 when it ended, *ret_status is waitpid(2)'s. A negative errno when it could not be
 * started; -ETIMEDOUT when its time was up, -ECANCELED when the agent is told to stop: its group
 * got SIGTERM and, two seconds later, SIGKILL. The child is reaped in all cases but one that the
 * kernel does not let die.
 */
int process_run(const struct process *process, int *ret_status);

#endif
