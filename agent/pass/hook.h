/*
 * hook.h - `event_hook`: the administrator's program, run once for every event of a pass.
 *
 * It gets what is known in its environment, and nothing else of ours:
 *
 *	ORIGIN_CA_EVENT        the event's name (base/event.h): "issued", "failed" ...
 *	ORIGIN_CA_MESSAGE_ID   as in the journal
 *	ORIGIN_CA_PRIORITY     as in the journal: 2 critical, 3 error, 4 warning, 5 notice
 *	ORIGIN_CA_TIME         when it happened, RFC 3339
 *	ORIGIN_CA_CERTIFICATE  the section's name
 *	ORIGIN_CA_HOSTNAMES    separated by blanks
 *	ORIGIN_CA_TARGET       of an event of one target
 *	ORIGIN_CA_GENERATION   a number
 *	ORIGIN_CA_SERIAL       of the newest certificate, decimal
 *	ORIGIN_CA_NOT_AFTER    of the newest certificate, RFC 3339
 *	ORIGIN_CA_CLASS        of a failure: "transient", "configuration" ...
 *	ORIGIN_CA_MESSAGE      what happened
 *	ORIGIN_CA_REMEDY       what to do
 *	ORIGIN_CA_RAY          CF-Ray of the answer that the failure is about
 *	ORIGIN_CA_SINCE        of a state that lasts, RFC 3339
 *	ORIGIN_CA_REPEATED     "yes" or "no": it was told before and is still so
 */
#ifndef ORIGIN_CA_PASS_HOOK_H
#define ORIGIN_CA_PASS_HOOK_H

#include "pass/pass.h"

enum {
	HOOK_TIMEOUT = 30, /* seconds, of one run */
	HOOK_TOTAL = 60,   /* of all runs after one pass */
	HOOK_LINES = 100,  /* of what one run says that are logged */
	HOOK_TOGETHER = 8, /* certificates whose events are told at the same time */
};

/* The names above, for whoever documents them; NULL ends them. */
extern const char *const hook_variables[];

/*
 * Runs it for pass->events: those of one certificate one after the other, in a process group of its
 * own each, with what it says in the log (64 KiB and HOOK_LINES at most). What fails or hangs is
 * told and changes nothing else. To be called when all else is done and the lock is given up.
 */
void hook_run(struct pass *pass);

#endif
