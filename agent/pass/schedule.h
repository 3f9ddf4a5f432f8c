/*
 * schedule.h - when: renewal moments, backoff by failure class, and the daily budget. All times are
 * seconds of the wall clock (DESIGN 9).
 */
#ifndef ORIGIN_CA_PASS_SCHEDULE_H
#define ORIGIN_CA_PASS_SCHEDULE_H

#include "config/model.h"
#include "pki/leaf.h"
#include "store/state.h"

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
 * full jitter doubling from 30 s to 6 h, configuration, authorization and bug every 6 h (a changed
 * definition or token is tried at once, see state_attempt.fingerprint), local every 5 minutes;
 * never before the other side's Retry-After; at least hourly when `emergency`.
 */
int64_t schedule_retry(const struct error *error, unsigned count, bool emergency, int64_t now);

/* 0 when another certificate may be issued now, else the moment when one may. */
int64_t schedule_budget(const struct state *state, int64_t now);

#endif
