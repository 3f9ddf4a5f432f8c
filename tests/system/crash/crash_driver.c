/*
 * crash-driver - runs a program and ends it, or makes a call of it fail, at a chosen system call.
 *
 *	crash-driver --count [OPTION]... -- COMMAND...
 *	crash-driver --at N [--after] [OPTION]... -- COMMAND...
 *	crash-driver --at N --fail ERRNO [--onward] [OPTION]... -- COMMAND...
 *
 * Points are the system calls of all its threads and children that change files or speak to
 * somebody (calls.h), counted from 1 in the order in which they are made. Only these stop the
 * program (seccomp(2) picks them out); its other calls run at full speed. At the Nth the whole
 * process group gets the signal before the call is made, or, with --after, once it is done. With
 * --fail the call is not made and returns that error; with --onward so do all points after it.
 *
 *	--signal NAME	KILL (the default), TERM, ...
 *	--reads		calls that only ask are points, too
 *	--from TEXT	points begin with the first whose object contains TEXT
 *	--log FILE	a line a point: number, call, object
 *
 * Exit code: the program's own; 128 and the signal's number when a signal ended it; 125 for a
 * mistake of the driver's.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "registers.h"

enum {
	EXIT_DRIVER = 125,
	THREADS = 128, /* that can have a chosen call at the same time */
};

struct options {
	unsigned long at; /* 0: only count */
	bool after, reads, onward;
	int signal;
	int error; /* to fail with; 0: kill */
	const char *from;
	FILE *log;
};

struct run {
	struct options options;
	pid_t leader;
	bool begun;
	unsigned long points;
	pid_t acted_on[THREADS]; /* whose chosen call has not returned yet; 0: none */
	int status;		 /* of the leader */
};

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("crash-driver: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("\n", stderr);
	va_end(arguments);
	exit(EXIT_DRIVER);
}

static const struct {
	const char *name;
	int number;
} names[] = {
	{"KILL", SIGKILL},  {"TERM", SIGTERM},		{"INT", SIGINT},    {"HUP", SIGHUP},
	{"EIO", EIO},	    {"ENOSPC", ENOSPC},		{"EACCES", EACCES}, {"ENOMEM", ENOMEM},
	{"EMFILE", EMFILE}, {"EDQUOT", EDQUOT},		{"EROFS", EROFS},   {"EPERM", EPERM},
	{"EINTR", EINTR},   {"ECONNRESET", ECONNRESET},
};

static int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].number;
	fail("%s is no signal or error that is known here", name);
}

/* --- one stop of one thread */

static bool is_acted_on(const struct run *run, pid_t thread)
{
	for (size_t i = 0; i < THREADS; i++)
		if (run->acted_on[i] == thread)
			return true;
	return false;
}

/* True when `thread` was in the list; it is `to` from now on. */
static bool acted_on_replace(struct run *run, pid_t thread, pid_t to)
{
	for (size_t i = 0; i < THREADS; i++)
		if (run->acted_on[i] == thread) {
			run->acted_on[i] = to;
			return true;
		}
	return false;
}

static void act_before(struct run *run, pid_t thread, uint64_t number)
{
	if (!run->options.error && !run->options.after) {
		kill(-run->leader, run->options.signal);
		return;
	}
	if (!acted_on_replace(run, 0, thread))
		fail("too many threads");
	if (run->options.error && !call_is_made_anyway(number) && registers_skip_call(thread) < 0)
		fail("cannot skip a call: %s", strerror(errno));
}

static bool is_chosen(const struct run *run)
{
	const struct options *options = &run->options;
	return options->at &&
	       (run->points == options->at || (options->onward && run->points > options->at));
}

static void on_entry(struct run *run, pid_t thread, const struct __ptrace_syscall_info *info)
{
	char text[CALL_TEXT_SIZE];
	uint64_t arguments[6];
	for (size_t i = 0; i < 6; i++)
		arguments[i] = info->seccomp.args[i];
	if (!call_is_point(thread, info->seccomp.nr, arguments, run->options.reads, text))
		return;
	run->begun = run->begun || strstr(text, run->options.from);
	if (!run->begun)
		return;
	run->points++;
	if (run->options.log)
		fprintf(run->options.log, "%lu\t%s\n", run->points, text);
	if (is_chosen(run))
		act_before(run, thread, info->seccomp.nr);
}

static void on_exit_of(struct run *run, pid_t thread)
{
	if (!acted_on_replace(run, thread, 0))
		return;
	if (!run->options.error)
		kill(-run->leader, run->options.signal);
	else if (registers_set_result(thread, -run->options.error) < 0)
		fail("cannot set the result of a call: %s", strerror(errno));
}

static void on_call(struct run *run, pid_t thread)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, (void *)sizeof(info), &info) <= 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_SECCOMP)
		on_entry(run, thread, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of(run, thread);
}

static void on_stop(struct run *run, pid_t thread, int status)
{
	int signal = WSTOPSIG(status);
	int event = status >> 16;

	if (signal == (SIGTRAP | 0x80) || event == PTRACE_EVENT_SECCOMP) {
		on_call(run, thread);
		signal = 0;
	} else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
		ptrace(PTRACE_LISTEN, thread, NULL, NULL); /* stopped by somebody, as a whole */
		return;
	} else if (event) {
		signal = 0;
	}
	/* Of a chosen call the return is waited for, too. Fails for a thread that was killed; its
	 * end is told in its own time. */
	ptrace(is_acted_on(run, thread) ? PTRACE_SYSCALL : PTRACE_CONT, thread, NULL,
	       (void *)(intptr_t)signal);
}

static void follow(struct run *run)
{
	for (;;) {
		int status;
		pid_t thread = waitpid(-1, &status, __WALL);
		if (thread < 0 && errno == EINTR)
			continue;
		if (thread < 0)
			return;
		if (WIFSTOPPED(status))
			on_stop(run, thread, status);
		else if (thread == run->leader)
			run->status = status;
	}
}

/* --- start */

/* From now on the calls that may be points, and only these, stop for the tracer. No privileges are
 * given up for it: the program must find what it would find without us. */
static void stop_at_calls(bool reads)
{
	struct sock_filter filter[CALL_FILTER_SIZE];
	struct sock_fprog program = {call_filter(reads, filter), filter};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		fail("seccomp: %s", strerror(errno));
}

static void start(struct run *run, char **command)
{
	int gate[2];
	if (pipe(gate) < 0)
		fail("pipe: %s", strerror(errno));
	run->leader = fork();
	if (run->leader < 0)
		fail("fork: %s", strerror(errno));
	if (run->leader == 0) {
		char byte;
		setpgid(0, 0);
		close(gate[1]);
		while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
			;
		close(gate[0]);
		stop_at_calls(run->options.reads);
		execvp(command[0], command);
		fprintf(stderr, "crash-driver: %s: %s\n", command[0], strerror(errno));
		_exit(EXIT_DRIVER);
	}
	close(gate[0]);
	setpgid(run->leader, run->leader);
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SEIZE, run->leader, NULL, (void *)options) < 0)
		fail("ptrace: %s", strerror(errno));
	close(gate[1]);
}

static unsigned long count_of(const char *text)
{
	char *end = NULL;
	unsigned long count = strtoul(text, &end, 10);
	if (count == 0 || *end)
		fail("%s is not the number of a point; they count from 1", text);
	return count;
}

static void parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"count", no_argument, NULL, 'c'},	{"at", required_argument, NULL, 'n'},
		{"after", no_argument, NULL, 'a'},	{"signal", required_argument, NULL, 's'},
		{"fail", required_argument, NULL, 'f'}, {"onward", no_argument, NULL, 'o'},
		{"reads", no_argument, NULL, 'r'},	{"from", required_argument, NULL, 'b'},
		{"log", required_argument, NULL, 'l'},	{NULL, 0, NULL, 0},
	};
	*options = (struct options){.signal = SIGKILL, .from = ""};
	for (int letter; (letter = getopt_long(argc, argv, "+", known, NULL)) != -1;)
		switch (letter) {
		case 'c':
			options->at = 0;
			break;
		case 'n':
			options->at = count_of(optarg);
			break;
		case 'a':
			options->after = true;
			break;
		case 's':
			options->signal = number_of(optarg);
			break;
		case 'f':
			options->error = number_of(optarg);
			break;
		case 'o':
			options->onward = true;
			break;
		case 'r':
			options->reads = true;
			break;
		case 'b':
			options->from = optarg;
			break;
		case 'l':
			options->log = fopen(optarg, "we");
			if (!options->log)
				fail("%s: %s", optarg, strerror(errno));
			break;
		default:
			exit(EXIT_DRIVER);
		}
	if (optind == argc)
		fail("no command; usage: crash-driver --count|--at N [OPTION]... -- COMMAND...");
}

int main(int argc, char **argv)
{
	struct run run = {0};
	parse(argc, argv, &run.options);
	start(&run, argv + optind);
	follow(&run);
	if (run.options.log && fclose(run.options.log) != 0)
		fail("the log: %s", strerror(errno));
	return WIFEXITED(run.status) ? WEXITSTATUS(run.status) : 128 + WTERMSIG(run.status);
}
