/*
 * tell.h - who is told what, and how often.
 *
 * What happened (a certificate was issued, a target serves it) stands in the history of its state
 * as untold until a pass has told of it, so that a pass that is killed in between takes nothing
 * along. What is wrong is an alarm in the state: told when it begins, when it turns into something
 * else, and again while it lasts, every day, every six hours in the last twentieth of the
 * certificate's lifetime, every hour once it has ended. When all of it is over, that is told, too.
 *
 * The same events go to the journal (report.h), to event_hook (hook.h), and into the history.
 */
#ifndef ORIGIN_CA_PASS_TELL_H
#define ORIGIN_CA_PASS_TELL_H

#include "pass/pass.h"

/* Fills pass->events, when all work is done and before the states are saved. */
void tell_collect(struct pass *pass);

/* When the certificate ends that a target serves as far as is known, or that is there for other
 * readers; the earliest of all targets. 0: none is. */
int64_t tell_served_until(const struct pass *pass, const struct pass_job *job);

/* The same of one target; 0 when it was never seen serving one of ours. */
int64_t tell_target_until(const struct pass *pass, const struct pass_job *job,
			  const struct pass_target_job *target_job);

/* True when pass->events have what went wrong with the certificate itself (`target_job` NULL) or
 * on that target. */
bool tell_told(const struct pass *pass, const struct pass_job *job,
	       const struct pass_target_job *target_job);

/* The line of a log for such a failure, without the certificate's name; free it. */
char *tell_failure_text(const struct pass_job *job, const struct pass_target_job *target_job);

#endif
