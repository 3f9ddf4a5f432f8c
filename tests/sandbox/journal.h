/* journal.h - a file of JSON lines that is only ever appended to. */
#ifndef ORIGIN_CA_SANDBOX_JOURNAL_H
#define ORIGIN_CA_SANDBOX_JOURNAL_H

#include "base/error.h"
#include "base/json.h"

typedef int journal_visit(const cJSON *line, void *context);

/*
 * Opens for appending, after calling `visit` (which may be NULL: nothing is read) for each line;
 * what follows the last newline is cut off, lines that are no JSON objects are passed over.
 */
int journal_open(int directory, const char *where, const char *name, journal_visit *visit,
		 void *context, int *ret_fd, struct error *error);

/* Appends one line by one write(2). A negative errno when not all of it was written. */
int journal_append(int fd, const cJSON *line);

#endif
