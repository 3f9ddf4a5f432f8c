/*
 * summary.h - the log of much that happened at once, in as many lines as a person reads.
 *
 * What is said of a few names is logged as it is, a line each. The same said of many names becomes
 * one line: how many they are and the first of them. What went wrong in more ways than anybody
 * reads through ends with the number of what was left out.
 */
#ifndef ORIGIN_CA_BASE_SUMMARY_H
#define ORIGIN_CA_BASE_SUMMARY_H

#include <stddef.h>

#include "base/log.h"

enum {
	SUMMARY_EACH = 20,    /* names that get a line each, of one kind of event */
	SUMMARY_NAMED = 3,    /* names in the one line for more of them */
	SUMMARY_FIELDS = 900, /* of one line for many; journald takes 1024 */
	SUMMARY_LINES = 100   /* of each level that summary_log() writes, whatever happened */
};

struct summary_line;

struct summary {
	struct summary_line *lines;
	size_t count;
};

/*
 * One event: "NAME: WORDS". Those of one `kind` (and level) count as the same and are told of
 * together as "N THINGS: KIND (NAME, NAME, ...)". NULL: those that differ in nothing but `name` and
 * in digits are, with the first one's words.
 */
void summary_add(struct summary *summary, enum log_level level, const char *name, const char *kind,
		 const char *words);

/*
 * As above for an event with structured fields (base/log.h), which become the summary's: one line
 * for many has the fields of all of them, each once. Only those with the same first field, the
 * MESSAGE_ID, are told of together.
 */
void summary_add_event(struct summary *summary, enum log_level level, const char *name,
		       const char *kind, const char *words, struct string_list *fields);

/* Logs all of it, in the order of summary_add(). `things`: "certificates"; `more`: where the rest
 * is to be found when it is too much. Frees the lines. */
void summary_log(struct summary *summary, const char *things, const char *more);

#endif
