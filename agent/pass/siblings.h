/*
 * siblings.h - the targets of one certificate go together: what one of them does not take, the
 * others give back or do not get, so that all show the same leaf.
 *
 * Except when that could cost more than it saves: before the first verified leaf there is nothing
 * to go back to, and with a leaf that is about to expire (DESIGN 9) each target takes what it can.
 *
 * Remote targets (target/remote.h) have no siblings: each goes by itself, after all targets that
 * are services of this host, so that one that cannot be reached neither holds those up nor takes
 * them back, and none of theirs keeps it from what it can have.
 */
#ifndef ORIGIN_CA_PASS_SIBLINGS_H
#define ORIGIN_CA_PASS_SIBLINGS_H

#include "pass/group.h"

/*
 * The target that failed in this pass and holds the others up; NULL when there is none. One whose
 * server does not run, or is reloaded by hand (`reload = none`), holds nobody up: its next start
 * reads what is in place.
 */
const struct pass_target_job *siblings_blocker(const struct pass *pass, const struct pass_job *job);

/* True for one that failed the last time and shares its certificate: it is asked first, so that
 * the others are not led forth and back with each of its failures. */
bool siblings_ask_first(const struct pass_job *job, const struct pass_target_job *target_job);

/* Plans what is held up by a sibling that waits for its next try to wait with it. */
void siblings_wait(const struct pass *pass, struct pass_job *job);

/* True when the target keeps what it has because of `blocker`: its error then says so. */
bool siblings_hold(const struct pass *pass, struct pass_job *job,
		   struct pass_target_job *target_job);

/* Takes target `index` of every held up certificate back to what it had. */
void siblings_go_back(struct pass *pass, size_t index);

/* When the leaf that a target of the certificate shows while it waits must be replaced whatever it
 * costs (DESIGN 9): 0 at once, SCHEDULE_NEVER when each shows the newest. Of `target_job` and those
 * that it goes together with; NULL: of those of this host. */
int64_t siblings_emergency_at(const struct pass *pass, const struct pass_job *job,
			      const struct pass_target_job *target_job);

/* True when the leaf that one of these shows while it waits is about to expire. */
bool siblings_urgent(const struct pass *pass, const struct pass_job *job,
		     const struct pass_target_job *target_job);

/* True for one that goes by itself. */
bool siblings_none(const struct pass_target_job *target_job);

#endif
