/*
 * schedule.h - when: renewal moments, backoff by failure class, and the daily budget. All times are
 * seconds of the wall clock (DESIGN 9).
 */
#ifndef ORIGIN_CA_PASS_SCHEDULE_H
#define ORIGIN_CA_PASS_SCHEDULE_H

#include "config/model.h"
#include "pki/leaf.h"
#include "store/state.h"

#define SCHEDULE_NEVER INT64_MAX

enum {
	SCHEDULE_BUDGET = 5,		 /* certificates a day, whatever the cause */
	SCHEDULE_FULL_CHECK = 12 * 3600, /* seconds between full checks */
};

struct renewal {
	int64_t window;	   /* from here on --renew-now renews */
	int64_t moment;	   /* window plus splay: when the agent renews by itself */
	int64_t emergency; /* less than a twentieth of the lifetime is left */
};

/* The splay is stable for this host (by its machine id) and this certificate's name. */
struct renewal schedule_renewal(const struct config *config,
				const struct config_certificate *certificate,
				const struct leaf_facts *facts);

/*
 * When to try again after failure number `count` (from 1) of a class: transient and deploy with
 * full jitter doubling from 30 s to 6 h, configuration and authorization every 6 h (a changed
 * definition or token is tried at once, see state_attempt.fingerprint), bug after 6 h doubling to a
 * day, because each try may cost a certificate, local every 5 minutes; never before the other
 * side's Retry-After. From the moment `emergency` at least hourly, whatever else is said, except
 * that the daily budget (-EDQUOT) stands; 0, nothing is there yet: hourly, but not before
 * Retry-After. `jitter` is any number, the same for all
 * that fail in one pass, so that they are tried again in one pass.
 */
int64_t schedule_retry(const struct error *error, unsigned count, int64_t emergency,
		       uint32_t jitter, int64_t now);

/*
 * 0 when another certificate may be issued now, else the moment when one may. An issue noted up to
 * a day ahead of `now` counts: the clock was set back since. One further ahead was noted by a clock
 * that was wrong.
 */
int64_t schedule_budget(const struct state *state, int64_t now);

#endif
