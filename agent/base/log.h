/*
 * log.h - one line per event, on standard error, or with structured fields to the journal.
 *
 * Under systemd (JOURNAL_STREAM names our standard error) each line starts with "<N>", the syslog
 * priority that journald reads (sd-daemon(3)); on a terminal or in a pipe it does not. The only
 * global state of the program. Safe to call from several threads: a line is one write(2).
 */
#ifndef ORIGIN_CA_BASE_LOG_H
#define ORIGIN_CA_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"
#include "base/list.h"

enum log_level { /* syslog(3)'s numbers */
	LOG_LEVEL_CRITICAL = 2,
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7,
};

/* Finds out where standard error goes; what is above `most` is dropped. */
void log_open(enum log_level most);

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * One line with structured fields ("NAME=value"; NULL: none). Under systemd it goes to journald by
 * its own protocol (sd_journal_sendv(3)) with all of them; elsewhere, and when journald does not
 * take it, it is a line as any other. Never both.
 */
void log_entry(enum log_level level, const char *text, const struct string_list *fields);

/* "MESSAGE; REMEDY" of an error. */
void log_failure(enum log_level level, const struct error *error);

/*
 * A progress line that overwrites itself, only when standard error is a terminal; the next log
 * line (or an empty `format`) clears it.
 */
void log_progress(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
