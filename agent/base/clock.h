/*
 * clock.h - the only place that asks the time, so that tests can turn it.
 */
#ifndef ORIGIN_CA_BASE_CLOCK_H
#define ORIGIN_CA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define CLOCK_MINUTE INT64_C(60)
#define CLOCK_HOUR   (60 * CLOCK_MINUTE)
#define CLOCK_DAY    (24 * CLOCK_HOUR)

/* Seconds since 1970-01-01T00:00:00Z, by the wall clock. */
int64_t clock_now(void);

/* Milliseconds of a clock that never goes back, for deadlines; its zero means nothing. */
int64_t clock_monotonic_ms(void);

/* Seconds since this host was started, those that it slept included; nobody can set it. */
int64_t clock_since_boot(void);

/* Sleeps; returns early (and says nothing) when a signal arrives. */
void clock_sleep_ms(int64_t milliseconds);

/* No clock that is right shows an earlier time: when this was built (SOURCE_DATE_EPOCH), or else
 * when the release was made (CMakeLists.txt). */
extern const int64_t clock_build_date;

/* Tests only: clock_now() returns `now` until called with a negative value. */
void clock_fix(int64_t now);

enum {
	CLOCK_TEXT_SIZE = sizeof("-2147483648-12-31T23:59:59Z")
};

/* RFC 3339 in UTC, e.g. "2026-11-22T18:41:56Z". Returns `text`. */
const char *clock_format(int64_t time, char text[static CLOCK_TEXT_SIZE]);

/* Reads RFC 3339 and Cloudflare's "2025-04-01 10:11:00 +0000 UTC"; -EINVAL otherwise. */
int clock_parse(const char *text, int64_t *ret_time);

#endif
