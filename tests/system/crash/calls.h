/*
 * calls.h - which system calls of a traced process matter to a crash, and what each is about.
 *
 * Every call that changes files or speaks to someone is a point at which a crash can come between
 * it and the one before it. With `reads`, calls that only ask (and can fail) are points, too.
 */
#ifndef ORIGIN_CA_TESTS_CRASH_CALLS_H
#define ORIGIN_CA_TESTS_CRASH_CALLS_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	CALL_TEXT_SIZE = 2 * 4096,
	CALL_FILTER_SIZE = 128, /* instructions */
};

/* Fills a seccomp filter that stops a traced process at every call that call_is_point() may be
 * true for, and lets the others pass. Returns its length. */
unsigned short call_filter(bool reads, struct sock_filter filter[static CALL_FILTER_SIZE]);

/*
 * True when the call that `thread` is about to make is a point. `text` gets its name and, behind a
 * tab, its object: the path, both paths, or where the socket leads ("127.0.0.1:8443",
 * "/run/dbus/system_bus_socket").
 */
bool call_is_point(pid_t thread, uint64_t number, const uint64_t arguments[6], bool reads,
		   char text[static CALL_TEXT_SIZE]);

/* True for a call that must be made although it is to fail: a descriptor that close(2) reported an
 * error for is closed all the same. */
bool call_is_made_anyway(uint64_t number);

#endif
