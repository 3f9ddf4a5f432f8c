/* preview.h - what a dry run shows: the snippet that a pass would put in place. */
#ifndef ORIGIN_CA_PASS_PREVIEW_H
#define ORIGIN_CA_PASS_PREVIEW_H

#include "pass/pass.h"

/*
 * Appends a unified diff from the snippet in place to the one that the pass would render (for the
 * next number, where a generation is to be made first); nothing when they are the same. A
 * keystore's password stands there as asterisks.
 */
int preview_snippet(struct pass *pass, struct pass_job *job,
		    const struct pass_target_job *target_job, struct buffer *text,
		    struct error *error);

#endif
