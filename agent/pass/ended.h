/*
 * ended.h - STATE/last-pass.json: how the last pass ended when it left no result, for `status`.
 *
 * Written by the supervisor, which links this and nothing else of the pass; it is removed once a
 * pass has come to its end again.
 */
#ifndef ORIGIN_CA_PASS_ENDED_H
#define ORIGIN_CA_PASS_ENDED_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"

struct ended {
	int64_t at;	    /* when the last one ended */
	int64_t since;	    /* when the first of this row did */
	int64_t next_at;    /* when another is tried, unless something changes before */
	int64_t count;	    /* in a row */
	int signal;	    /* that ended it, or 0 */
	int exit_status;    /* when there was no signal */
	bool out_of_time;   /* it did not end at pass_timeout and was ended */
	bool configuration; /* [agent] or the main file cannot be used: nothing was tried */
};

int ended_save(int state_directory, const char *where, const struct ended *ended,
	       struct error *error);

/* -ENOENT when the last pass ended well; an unusable file is like none. */
int ended_load(int state_directory, const char *where, struct ended *ret_ended,
	       struct error *error);

int ended_remove(int state_directory, const char *where, struct error *error);

/* "was ended by signal 11 (Segmentation fault)", appended to `text`. */
void ended_words(const struct ended *ended, struct buffer *text);

#endif
