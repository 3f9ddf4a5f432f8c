/* reload_command: what a program of the administrator can do to us, and what it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "target/command.h"

enum {
	LONG_MS = 30 * 1000
};

struct heard {
	struct string_list lines;
	size_t bytes;
};

static void hear(const char *text, void *context)
{
	struct heard *heard = context;
	heard->bytes += strlen(text) + 1;
	string_list_add(&heard->lines, text);
	for (const char *at = text; *at; at++)
		assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
}

/* Runs a script of sh; nobody of ours may be left behind. */
static int run(const char *script, const struct string_list *environment, int64_t timeout_ms,
	       struct heard *heard, struct error *error)
{
	struct string_list argv = {0};
	string_list_add(&argv, "/bin/sh");
	string_list_add(&argv, "-c");
	string_list_add(&argv, script);
	int result = reload_command_run(&argv, environment, timeout_ms, heard ? hear : NULL, heard,
					error);
	string_list_free(&argv);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return result;
}

static void assert_ends(const char *script, int code, const char *words)
{
	struct error error = {0};
	assert_int_equal(run(script, NULL, LONG_MS, NULL, &error), code);
	assert_int_equal(error.class, ERROR_DEPLOY);
	if (!strstr(error.message, words))
		fail_msg("\"%s\" is not in \"%s\"", words, error.message);
}

static void assert_heard(const char *script, const char *expected)
{
	struct heard heard = {0};
	struct error error = {0};
	if (run(script, NULL, LONG_MS, &heard, &error) < 0)
		fail_msg("%s", error.message);
	CLEANUP(freep) char *said = string_list_join(&heard.lines, "|");
	assert_string_equal(said, expected);
	string_list_free(&heard.lines);
}

static void test_success_is_status_0_and_nothing_else(void **state)
{
	(void)state;
	struct error error = {0};
	assert_int_equal(run("exit 0", NULL, LONG_MS, NULL, &error), 0);
	assert_int_equal(error.class, ERROR_NONE);
	assert_ends("exit 3", -ECANCELED, "/bin/sh exited with status 3");
	assert_ends("echo first; echo the reason >&2; exit 1", -ECANCELED,
		    "exited with status 1: the reason");
	assert_ends("kill -KILL $$", -ECANCELED, "was ended by signal 9 (SIGKILL)");
	assert_ends("echo gone; kill -TERM $$", -ECANCELED, "signal 15 (SIGTERM): gone");
}

static void test_output_comes_as_clean_lines_of_both_streams(void **state)
{
	(void)state;
	assert_heard("exit 0", "");
	assert_heard("echo a; echo b >&2; printf c", "a|b|c");
	assert_heard("printf '\\n\\n  \\n'", "");
	assert_heard("printf 'a\\033[31mb\\tc\\r\\n'", "a [31mb c");
	assert_heard("printf 'x\\377y\\000z\\n\\303\\274\\n'", "x?y z|\xc3\xbc");
	assert_heard("printf 'c1\\302\\233m\\n'", "c1 m");
	assert_heard("printf 'turn\\342\\200\\256ed\\n'", "turn ed");
}

static void test_too_much_output_is_dropped_and_does_not_stop_the_program(void **state)
{
	(void)state;
	struct heard heard = {0};
	struct error error = {0};
	assert_int_equal(run("head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | "
			     "tr '\\0' '\\n'; exit 5",
			     NULL, LONG_MS, &heard, &error),
			 -ECANCELED);
	assert_non_null(strstr(error.message, "exited with status 5"));
	assert_non_null(strstr(error.remedy, "journalctl --unit origin-ca-agent"));
	assert_true(heard.bytes >= COMMAND_OUTPUT_LIMIT);
	assert_true(heard.bytes <= COMMAND_OUTPUT_LIMIT + 100);
	for (size_t i = 0; i < heard.lines.count; i++)
		assert_true(strlen(heard.lines.items[i]) <= 2000);
	string_list_free(&heard.lines);
}

static void test_grandchild_that_keeps_the_pipe_open_does_not_hang_us(void **state)
{
	(void)state;
	struct heard heard = {0};
	struct error error = {0};
	int64_t start = clock_monotonic_ms();
	assert_int_equal(run("sleep 20 & echo $!", NULL, LONG_MS, &heard, &error), 0);
	assert_true(clock_monotonic_ms() - start < 10000);
	/* A daemon that the command started lives on: only a command that hangs is stopped. */
	assert_int_equal(heard.lines.count, 1);
	pid_t grandchild = (pid_t)atoi(heard.lines.items[0]);
	assert_true(grandchild > 1);
	assert_int_equal(kill(grandchild, SIGKILL), 0);
	string_list_free(&heard.lines);
}

/* True once the process is gone, or only its entry is left. */
static bool is_gone(pid_t pid)
{
	CLEANUP(freep) char *path = string_format("/proc/%d/stat", (int)pid);
	for (int64_t end = clock_monotonic_ms() + 10000; clock_monotonic_ms() < end;) {
		char text[512] = "";
		CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
			return true;
		const char *name_end = strrchr(text, ')');
		if (name_end && (name_end[2] == 'Z' || name_end[2] == 'X'))
			return true;
		clock_sleep_ms(10);
	}
	return false;
}

static void test_command_that_hangs_is_stopped_with_all_its_group(void **state)
{
	(void)state;
	struct heard heard = {0};
	struct error error = {0};
	int64_t start = clock_monotonic_ms();
	/* Neither of the two listens to SIGTERM. */
	assert_int_equal(run("trap '' TERM; sleep 60 & echo $!; echo waiting; while :; do sleep 1; "
			     "done",
			     NULL, 500, &heard, &error),
			 -ETIMEDOUT);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(
		strstr(error.message, "did not end within 500 ms and was stopped: waiting"));
	assert_true(error.remedy[0] != '\0');
	int64_t took = clock_monotonic_ms() - start;
	assert_true(took >= 2000 && took < 20000);
	assert_int_equal(heard.lines.count, 2);
	assert_true(is_gone((pid_t)atoi(heard.lines.items[0])));
	string_list_free(&heard.lines);
}

static void test_command_that_can_end_itself_may(void **state)
{
	(void)state;
	struct heard heard = {0};
	struct error error = {0};
	int64_t start = clock_monotonic_ms();
	assert_int_equal(run("trap 'echo cleaned up; exit 0' TERM; sleep 60 & wait", NULL, 300,
			     &heard, &error),
			 -ETIMEDOUT);
	assert_true(clock_monotonic_ms() - start < 10000);
	CLEANUP(freep) char *said = string_list_join(&heard.lines, "|");
	assert_string_equal(said, "cleaned up");
	string_list_free(&heard.lines);
}

static void test_command_that_writes_without_end_is_stopped_in_time(void **state)
{
	(void)state;
	struct error error = {0};
	int64_t start = clock_monotonic_ms();
	assert_int_equal(run("yes", NULL, 300, NULL, &error), -ETIMEDOUT);
	assert_true(clock_monotonic_ms() - start < 20000);
	/* The child has ended, what it left behind writes on: that is not ours to wait for. */
	struct heard heard = {0};
	start = clock_monotonic_ms();
	assert_int_equal(run("echo $$; yes & sleep 0.2", NULL, LONG_MS, &heard, &error), 0);
	assert_true(clock_monotonic_ms() - start < 10000);
	/* Our end of the pipe is closed: it gets SIGPIPE, which is at its default. */
	assert_true(heard.lines.count > 1);
	kill(-(pid_t)atoi(heard.lines.items[0]), SIGKILL);
	string_list_free(&heard.lines);
}

static void test_nothing_of_ours_reaches_the_program(void **state)
{
	(void)state;
	struct string_list environment = {0};
	string_list_add(&environment, "ORIGIN_CA_NAME=shop one");
	setenv("API_TOKEN_SECRET", "secret", 1);
	setenv("LANG", "C.UTF-8", 1);
	CLEANUP(closep) int fd = open("/etc/passwd", O_RDONLY); /* without O_CLOEXEC */
	assert_true(fd > 2);
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	struct heard heard = {0};
	struct error error = {0};
	/* `env` inherits what the shell has; the shell's own variables are PWD and the like.
	 * SIGPIPE is ignored here and must not be there; 32 and 33 are glibc's own, which it
	 * ignores for what it spawns. */
	assert_int_equal(run("env | grep -vE '^(PATH|PWD|SHLVL|_|OLDPWD)=' | sort; "
			     "ls /proc/self/fd | tr '\\n' ' '; echo; pwd; readlink /proc/self/fd/0;"
			     "grep -E 'Sig(Ign|Blk)' /proc/self/status | "
			     "sed s/0000000180000000/0000000000000000/; "
			     "test $$ = $(ps -o pgid= $$) && echo own group",
			     &environment, LONG_MS, &heard, &error),
			 0);
	CLEANUP(freep) char *said = string_list_join(&heard.lines, "|");
	/* ls has opened the directory as 3. */
	assert_string_equal(said, "LANG=C.UTF-8|ORIGIN_CA_NAME=shop one|0 1 2 3|/|/dev/null|"
				  "SigBlk: 0000000000000000|SigIgn: 0000000000000000|own group");
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &blocked, NULL), 0);
	string_list_free(&heard.lines);
	string_list_free(&environment);
}

static void assert_cannot_run(const char *path, int code, const char *words)
{
	struct string_list argv = {0};
	struct error error = {0};
	string_list_add(&argv, path);
	assert_int_equal(reload_command_run(&argv, NULL, LONG_MS, NULL, NULL, &error), code);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, path));
	assert_true(error.remedy[0] != '\0');
	if (!strstr(error.message, words) && !strstr(error.remedy, words))
		fail_msg("\"%s\" is not in \"%s\", \"%s\"", words, error.message, error.remedy);
	string_list_free(&argv);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void program_put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_what_cannot_be_executed_is_the_configuration_s_fault(void **state)
{
	(void)state;
	char path[] = "/tmp/origin-ca-command-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_cannot_run("/nonexistent/program", -ENOENT, "whole path");
	assert_cannot_run("/etc/passwd/program", -ENOENT, "Not a directory");
	assert_cannot_run("/tmp", -EACCES, "execute");
	program_put(path, "#!/bin/sh\nexit 0\n", 0600);
	assert_cannot_run(path, -EACCES, "chmod");
	program_put(path, "exit 0\n", 0700); /* no shell takes it up, as execvp() would */
	assert_cannot_run(path, -ENOEXEC, "#!/bin/sh");
	program_put(path, "", 0700);
	assert_cannot_run(path, -ENOEXEC, "#!/bin/sh");
	program_put(path, "#!/nonexistent/interpreter\n", 0700);
	assert_cannot_run(path, -ENOENT, "\"#!\"");
	unlink(path);
}

static void test_arguments_stay_what_they_are(void **state)
{
	(void)state;
	struct string_list argv = {0};
	struct heard heard = {0};
	struct error error = {0};
	string_list_add(&argv, "/usr/bin/printf");
	string_list_add(&argv, "[%s]\n");
	string_list_add(&argv, "$HOME; `id` \"x\" *");
	string_list_add(&argv, "");
	assert_int_equal(reload_command_run(&argv, NULL, LONG_MS, hear, &heard, &error), 0);
	CLEANUP(freep) char *said = string_list_join(&heard.lines, "|");
	assert_string_equal(said, "[$HOME; `id` \"x\" *]|[]");
	string_list_free(&heard.lines);
	string_list_free(&argv);
}

static void test_a_path_given_replaces_ours(void **state)
{
	(void)state;
	struct string_list environment = {0};
	struct heard heard = {0};
	struct error error = {0};
	string_list_add(&environment, "PATH=/nowhere");
	assert_int_equal(run("echo $PATH", &environment, LONG_MS, &heard, &error), 0);
	assert_int_equal(heard.lines.count, 1);
	assert_string_equal(heard.lines.items[0], "/nowhere");
	string_list_free(&heard.lines);
	string_list_free(&environment);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success_is_status_0_and_nothing_else),
		cmocka_unit_test(test_output_comes_as_clean_lines_of_both_streams),
		cmocka_unit_test(test_too_much_output_is_dropped_and_does_not_stop_the_program),
		cmocka_unit_test(test_grandchild_that_keeps_the_pipe_open_does_not_hang_us),
		cmocka_unit_test(test_command_that_hangs_is_stopped_with_all_its_group),
		cmocka_unit_test(test_command_that_can_end_itself_may),
		cmocka_unit_test(test_command_that_writes_without_end_is_stopped_in_time),
		cmocka_unit_test(test_nothing_of_ours_reaches_the_program),
		cmocka_unit_test(test_what_cannot_be_executed_is_the_configuration_s_fault),
		cmocka_unit_test(test_arguments_stay_what_they_are),
		cmocka_unit_test(test_a_path_given_replaces_ours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
