/*
 * apart.h - work on files that may never answer (a share whose server is away), in a process of its
 * own, so that it has an end for us whatever becomes of it.
 *
 * A process that waits for such a file system may not even be killed: the kernel lets it go when
 * the share answers or is unmounted. Then it is left behind, which is told. It keeps nothing of
 * ours but the descriptors that it was given: neither the lock of the state directory nor the pipes
 * of who waits for our output.
 */
#ifndef ORIGIN_CA_TARGET_APART_H
#define ORIGIN_CA_TARGET_APART_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* Runs in a copy of this process; what it does to memory is seen by nobody but in `answer`, which
 * holds no pointers. */
typedef void (*apart_work)(void *context, void *answer);

struct apart {
	apart_work work;
	void *context;
	void *answer; /* as it is now; replaced by what the work made of it */
	size_t size;
	const int *descriptors; /* that the work needs; all others are closed for it, 0 to 2 are
				   /dev/null */
	size_t descriptor_count;
	int64_t deadline_ms; /* clock_monotonic_ms() */
	const char *where;   /* the path, for messages */
};

/*
 * 0 when the work came to its end, whatever came of it. -ETIMEDOUT (class transient) when it did
 * not in time: it was killed; *ret_left is its number when the kernel did not let it go, else 0.
 * -EPIPE (class bug) when it died of something else. Not while other threads run.
 */
int apart_run(const struct apart *apart, pid_t *ret_left, struct error *error);

/* True while a process that was left behind is there; `started` as apart_started() said. */
bool apart_is_left(pid_t pid, int64_t started);

/* When it was started, in ticks since the boot (proc_pid_stat(5)); 0: it is not there. */
int64_t apart_started(pid_t pid);

#endif
