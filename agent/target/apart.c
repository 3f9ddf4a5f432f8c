#include "target/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

enum {
	KILLED_MS = 1000, /* for the kernel to end what got SIGKILL */
	DESCRIPTORS_MOST = 8,
	STAT_STARTED = 22, /* the field of /proc/PID/stat, from 1 */
	STAT_AFTER_NAME = 3,
};

static int compare(const void *one, const void *other)
{
	return *(const int *)one - *(const int *)other;
}

/* The lock above all: one that cannot be killed would keep it from all that follow. And whoever
 * reads what we write until its end would wait for that, too. */
static void close_others(const struct apart *apart, int pipe)
{
	int kept[DESCRIPTORS_MOST + 1];
	size_t count = 0;
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing < 0)
		_exit(EXIT_FAILURE);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		dup2(nothing, fd);
	for (; count < apart->descriptor_count; count++)
		kept[count] = apart->descriptors[count];
	kept[count++] = pipe;
	qsort(kept, count, sizeof(*kept), compare);
	unsigned from = STDERR_FILENO + 1;
	for (size_t i = 0; i < count; i++) {
		if (kept[i] < (int)from)
			continue;
		if (kept[i] > (int)from)
			close_range(from, (unsigned)kept[i] - 1, 0);
		from = (unsigned)kept[i] + 1;
	}
	close_range(from, ~0U, 0);
}

static void say(int pipe, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t written = write(pipe, data, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			_exit(EXIT_FAILURE);
		data += written;
		size -= (size_t)written;
	}
}

static void be_child(const struct apart *apart, int pipe, pid_t parent)
{
	/* Who is killed must not go on changing files. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	close_others(apart, pipe);
	apart->work(apart->context, apart->answer);
	say(pipe, apart->answer, apart->size);
	_exit(EXIT_SUCCESS);
}

/* True when there was something before the time was up. */
static bool ready(int fd, int64_t deadline_ms)
{
	for (;;) {
		int64_t left = deadline_ms - clock_monotonic_ms();
		struct pollfd one = {.fd = fd, .events = POLLIN};
		int count = poll(&one, 1, left <= 0 ? 0 : left > 60000 ? 60000 : (int)left);
		if (count > 0)
			return true;
		if (count < 0 && errno != EINTR)
			return true; /* read(2) says what is wrong */
		if (left <= 0)
			return false;
	}
}

/* 0, -ETIMEDOUT, or -EPIPE when it ended without its answer. */
static int hear(int pipe, char *data, size_t size, int64_t deadline_ms)
{
	size_t got = 0;
	while (got < size) {
		if (!ready(pipe, deadline_ms))
			return -ETIMEDOUT;
		ssize_t part = read(pipe, data + got, size - got);
		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return -EPIPE;
		got += (size_t)part;
	}
	return 0;
}

/* Its number while it cannot be reaped, else 0. */
static pid_t reap(pid_t pid, bool ended)
{
	CLEANUP(closep) int handle = (int)syscall(SYS_pidfd_open, pid, 0U);
	if (!ended)
		kill(pid, SIGKILL);
	if (handle >= 0 && !ready(handle, clock_monotonic_ms() + KILLED_MS))
		return pid;
	pid_t reaped;
	do
		reaped = waitpid(pid, NULL, 0);
	while (reaped < 0 && errno == EINTR);
	return 0;
}

static int timeout_error(const struct apart *apart, pid_t left, struct error *error)
{
	if (left)
		error_set(error, ERROR_TRANSIENT, -ETIMEDOUT,
			  "%s does not answer: process %d hangs in it and cannot be ended; it is "
			  "left to itself",
			  apart->where, (int)left);
	else
		error_set(error, ERROR_TRANSIENT, -ETIMEDOUT, "%s does not answer", apart->where);
	return error_remedy(error,
			    "look whether the server of the share is up; mounted `soft`, a share "
			    "gives up by itself, and `umount -f %s` frees what hangs in it",
			    apart->where);
}

int apart_run(const struct apart *apart, pid_t *ret_left, struct error *error)
{
	int ends[2];
	*ret_left = 0;
	if (apart->descriptor_count > DESCRIPTORS_MOST)
		return error_errno(error, -E2BIG, "cannot look at %s", apart->where);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(error, -errno, "cannot look at %s", apart->where);
	CLEANUP(closep) int ear = ends[0];
	CLEANUP(closep) int mouth = ends[1];
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid < 0)
		return error_errno(error, -errno, "cannot start a process for %s", apart->where);
	if (pid == 0)
		be_child(apart, mouth, parent);
	close(TAKE_FD(mouth));
	char *answer = memory_alloc(apart->size, 1);
	int result = hear(ear, answer, apart->size, apart->deadline_ms);
	*ret_left = reap(pid, result == 0);
	if (result == 0)
		memcpy(apart->answer, answer, apart->size);
	else if (result == -ETIMEDOUT)
		timeout_error(apart, *ret_left, error);
	else
		error_set(error, ERROR_BUG, -EPIPE, "the process that looks at %s died",
			  apart->where);
	free(answer);
	return result;
}

int64_t apart_started(pid_t pid)
{
	CLEANUP(freep) char *path = string_format("/proc/%d/stat", (int)pid);
	CLEANUP(buffer_free) struct buffer text = BUFFER(4096);
	if (pid <= 0 || file_read(path, &text, NULL) < 0)
		return 0;
	/* The name, which may hold anything, is in parentheses. */
	const char *at = strrchr(buffer_text(&text), ')');
	for (int field = STAT_AFTER_NAME; at && field <= STAT_STARTED; field++) {
		at = strchr(at + 1, ' ');
		if (at && field == STAT_STARTED)
			return strtoll(at + 1, NULL, 10);
	}
	return 0;
}

bool apart_is_left(pid_t pid, int64_t started)
{
	return started > 0 && apart_started(pid) == started;
}
