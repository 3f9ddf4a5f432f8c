/*
 * registers.h - how a stopped thread's system call is left out, and its result replaced.
 *
 * The only part of the driver that depends on the processor; x86-64 and aarch64.
 */
#ifndef ORIGIN_CA_TESTS_CRASH_REGISTERS_H
#define ORIGIN_CA_TESTS_CRASH_REGISTERS_H

#include <sys/types.h>

/* At the entry of a call: it will not be made. -1 with errno when that cannot be done. */
int registers_skip_call(pid_t thread);

/* At the exit of a call: what it returns; a negative errno is an error. */
int registers_set_result(pid_t thread, long result);

#endif
