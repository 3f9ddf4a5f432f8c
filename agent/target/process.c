#include "target/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"

enum {
	MERCY_MS = 2000,     /* from SIGTERM to SIGKILL */
	KILLED_MS = 5000,    /* for the kernel to end what got SIGKILL */
	PIPE_FULL = 1 << 20, /* most that a pipe holds unless root allowed more */
	LIFTED = 10,	     /* our descriptors for a child start here, above its own */
	DESCRIPTOR_MOST = 4,
};

struct child {
	pid_t pid;
	int handle; /* pidfd: readable when it has ended */
	int pipe;   /* -1 at its end */
	const struct process *process;
	bool stoppable; /* a stop of the agent brings the wait to an end */
};

/* Copies of what the child is to get, at numbers that none of its own has: else one dup2() could
 * close what the next needs. */
static int lift(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, LIFTED);
}

static int actions_fill(posix_spawn_file_actions_t *actions, int output, const int *lifted,
			size_t count)
{
	int code =
		posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (code == 0)
		code = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	if (code == 0)
		code = posix_spawn_file_actions_adddup2(actions, output, STDERR_FILENO);
	for (size_t i = 0; i < count && code == 0; i++)
		code = posix_spawn_file_actions_adddup2(actions, lifted[i],
							STDERR_FILENO + 1 + (int)i);
	if (code == 0)
		code = posix_spawn_file_actions_addclosefrom_np(actions,
								STDERR_FILENO + 1 + (int)count);
	if (code == 0)
		code = posix_spawn_file_actions_addchdir_np(actions, "/");
	return code;
}

static int attributes_fill(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;
	sigemptyset(&none);
	sigfillset(&all);
	int code = posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (code == 0)
		code = posix_spawnattr_setpgroup(attributes, 0);
	if (code == 0)
		code = posix_spawnattr_setsigdefault(attributes, &all);
	if (code == 0)
		code = posix_spawnattr_setsigmask(attributes, &none);
	return code;
}

/* posix_spawn(), which gives what execve() said and cannot leave half a child. */
static int spawn_with(const struct process *process, int output, const int *lifted, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int code = posix_spawn_file_actions_init(&actions);
	if (code != 0)
		return -code;
	code = posix_spawnattr_init(&attributes);
	if (code == 0) {
		code = attributes_fill(&attributes);
		if (code == 0)
			code = actions_fill(&actions, output, lifted, process->descriptor_count);
		/* It changes neither strings nor lists; its prototype is older than const. */
		if (code == 0)
			code = posix_spawn(ret_pid, process->arguments[0], &actions, &attributes,
					   (char *const *)(uintptr_t)process->arguments,
					   (char *const *)(uintptr_t)process->environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -code;
}

static int spawn(const struct process *process, int output, pid_t *ret_pid)
{
	int lifted[DESCRIPTOR_MOST] = {0};
	size_t count = 0;
	int result = process->descriptor_count > DESCRIPTOR_MOST ? -E2BIG : 0;

	for (; result == 0 && count < process->descriptor_count; count++) {
		lifted[count] = lift(process->descriptors[count]);
		if (lifted[count] < 0) {
			result = -errno;
			break;
		}
	}
	if (result == 0)
		result = spawn_with(process, output, lifted, ret_pid);
	while (count > 0)
		close(lifted[--count]);
	return result;
}

/* Takes what is in the pipe, at most `most` bytes; closes it at its end. */
static void pipe_drain(struct child *child, size_t most)
{
	char chunk[16384];
	size_t taken = 0;

	while (child->pipe >= 0 && taken < most) {
		ssize_t got = read(child->pipe, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			close(TAKE_FD(child->pipe));
			return;
		}
		taken += (size_t)got;
		if (child->process->output)
			child->process->output(chunk, (size_t)got, child->process->context);
	}
}

/* Until the child has ended and, with `quiet`, everyone has closed the pipe. False when the time is
 * up before. */
static bool child_wait(struct child *child, int64_t deadline_ms, bool quiet)
{
	bool ended = false;

	for (;;) {
		int64_t until = child->stoppable ? stop_cut(deadline_ms) : deadline_ms;
		int64_t left = until - clock_monotonic_ms();
		struct pollfd ready[] = {
			{.fd = ended ? -1 : child->handle, .events = POLLIN},
			{.fd = child->pipe, .events = POLLIN},
		};
		if (left < 0)
			left = 0;
		int count =
			poll(ready, ARRAY_SIZE(ready), left > INT32_MAX ? INT32_MAX : (int)left);
		if (count < 0 && errno != EINTR)
			return ended;
		if (count > 0 && ready[1].revents)
			pipe_drain(child, PIPE_FULL);
		if (count > 0 && ready[0].revents)
			ended = true;
		if (ended && (!quiet || child->pipe < 0))
			return true;
		/* One that writes without a pause must not make the time stand still. */
		if (clock_monotonic_ms() >= until)
			return ended && !quiet;
	}
}

/* While the child is not reaped its number is not given to anyone else. */
static void child_stop(struct child *child)
{
	kill(-child->pid, SIGTERM);
	child_wait(child, clock_monotonic_ms() + MERCY_MS, true);
	kill(-child->pid, SIGKILL);
	child_wait(child, clock_monotonic_ms() + KILLED_MS, false);
}

static int child_reap(const struct child *child, int flags, int *ret_status)
{
	pid_t reaped;
	do
		reaped = waitpid(child->pid, ret_status, flags);
	while (reaped < 0 && errno == EINTR);
	return reaped < 0 ? -errno : 0;
}

static int child_run(struct child *child, int *ret_status)
{
	int64_t deadline = clock_monotonic_ms() + child->process->timeout_ms;
	int status = 0;

	child->handle = (int)syscall(SYS_pidfd_open, child->pid, 0U);
	if (child->handle < 0) {
		int result = -errno;
		kill(-child->pid, SIGKILL);
		child_reap(child, 0, &status);
		return result;
	}
	child->stoppable = true;
	bool ended = child_wait(child, deadline, false);
	child->stoppable = false;
	if (!ended) {
		int result = stop_cut_off(deadline) ? -ECANCELED : -ETIMEDOUT;
		child_stop(child);
		child_reap(child, WNOHANG, &status);
		return result;
	}
	pipe_drain(child, PIPE_FULL);
	int result = child_reap(child, 0, &status);
	if (result == 0)
		*ret_status = status;
	return result;
}

int process_run(const struct process *process, int *ret_status)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;

	struct child child = {.handle = -1, .pipe = ends[0], .process = process};
	int output = lift(ends[1]);
	int result = output < 0 ? -errno : 0;
	close(ends[1]);
	if (result == 0 && fcntl(child.pipe, F_SETFL, O_NONBLOCK) < 0)
		result = -errno;
	if (result == 0)
		result = spawn(process, output, &child.pid);
	closep(&output);
	if (result == 0)
		result = child_run(&child, ret_status);
	closep(&child.handle);
	closep(&child.pipe);
	return result;
}
