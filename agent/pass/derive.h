/*
 * derive.h - other files of the same key and leaf (a format that was added, another chain, another
 * password, a file that somebody damaged): a new generation, and nobody is asked for it.
 */
#ifndef ORIGIN_CA_PASS_DERIVE_H
#define ORIGIN_CA_PASS_DERIVE_H

#include "pass/pass.h"

/* Why the newest generation's files are not what they should be, into job->derive. `look`: they
 * are read, not only listed; until they are right, the next pass looks again. */
void derive_plan(const struct pass *pass, struct pass_job *job, int directory, bool look);

/* Once more for all, with roots that have become known since. */
void derive_plan_again(struct pass *pass);

/* Makes what derive_plan() asked for. Errors stay in the jobs. */
void derive_all(struct pass *pass);

#endif
