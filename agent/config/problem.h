/*
 * problem.h - what is wrong in the files, collected while they are read.
 *
 * A reader goes on after a problem, so that one look at `check` shows them all. Only the first
 * hundred in a row of one file are kept: a binary file must not fill the memory with messages.
 */
#ifndef ORIGIN_CA_CONFIG_PROBLEM_H
#define ORIGIN_CA_CONFIG_PROBLEM_H

#include "config/model.h"

enum {
	PROBLEM_FILE_LIMIT = 100
};

struct problem_list {
	struct config_problem *items;
	size_t count;
	const char *file; /* of the last one */
	size_t in_row;	  /* how many of that file came in a row */
};

/* Adds an error (a warning). Returns -EINVAL (0), so that a reader can return it. */
int problem_error(struct problem_list *problems, struct config_place place, const char *format, ...)
	PRINTF_LIKE(3, 4);
int problem_warning(struct problem_list *problems, struct config_place place, const char *format,
		    ...) PRINTF_LIKE(3, 4);

/* Says what to do about the problem that was added last. Returns -EINVAL. */
int problem_remedy(struct problem_list *problems, const char *format, ...) PRINTF_LIKE(2, 3);

/* Adds what a function of another room or file said. Returns -EINVAL. */
int problem_from_error(struct problem_list *problems, struct config_place place,
		       const struct error *error);

/* The first error of `file` from line `first` to `last`; NULL when there is none. */
const struct config_problem *problem_find(const struct problem_list *problems, const char *file,
					  unsigned first, unsigned last);

/* By file, then line. */
void problem_sort(struct problem_list *problems);

void problem_list_free(struct problem_list *problems);

#endif
