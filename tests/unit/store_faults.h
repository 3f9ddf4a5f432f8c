/*
 * store_faults.h - system calls that fail, or are the last one of a process, when a test says so:
 * the functions below take the place of the C library's in the executable that includes this.
 */
#ifndef ORIGIN_CA_TESTS_STORE_FAULTS_H
#define ORIGIN_CA_TESTS_STORE_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum fault {
	FAULT_NONE,
	FAULT_DIE,
	FAULT_FAIL
};

static enum fault armed;
static int fault_at, fault_code, calls;

enum {
	DIED = 77,
	MOST_CALLS = 400
};

/* True when this call must fail. */
static bool fault_now(void)
{
	if (armed == FAULT_NONE || ++calls != fault_at)
		return false;
	if (armed == FAULT_DIE)
		_exit(DIED);
	errno = fault_code;
	return true;
}

static void fault_arm(enum fault fault, int at, int code)
{
	armed = fault;
	fault_at = at;
	fault_code = code;
	calls = 0;
}

/* The C library's headers give the parameters reserved names.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int openat(int directory, const char *name, int flags, ...)
{
	va_list arguments;
	va_start(arguments, flags);
	mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
	va_end(arguments);
	return fault_now() ? -1 : (int)syscall(SYS_openat, directory, name, flags, mode);
}

ssize_t write(int fd, const void *data, size_t length)
{
	return fault_now() ? -1 : syscall(SYS_write, fd, data, length);
}

int fsync(int fd)
{
	return fault_now() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return fault_now() ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int fchmod(int fd, mode_t mode)
{
	return fault_now() ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int mkdirat(int directory, const char *name, mode_t mode)
{
	return fault_now() ? -1 : (int)syscall(SYS_mkdirat, directory, name, mode);
}

int unlinkat(int directory, const char *name, int flags)
{
	return fault_now() ? -1 : (int)syscall(SYS_unlinkat, directory, name, flags);
}

int linkat(int from, const char *name, int to, const char *new_name, int flags)
{
	return fault_now() ? -1 : (int)syscall(SYS_linkat, from, name, to, new_name, flags);
}

int renameat(int from, const char *name, int to, const char *new_name)
{
	return fault_now() ? -1 : (int)syscall(SYS_renameat2, from, name, to, new_name, 0);
}

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
	return fault_now() ? -1 : (int)syscall(SYS_renameat2, from, name, to, new_name, flags);
}

ssize_t read(int fd, void *data, size_t length)
{
	return fault_now() ? -1 : syscall(SYS_read, fd, data, length);
}

int fstatat(int directory, const char *name, struct stat *status, int flags)
{
	return fault_now() ? -1 : (int)syscall(SYS_newfstatat, directory, name, status, flags);
}

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif
