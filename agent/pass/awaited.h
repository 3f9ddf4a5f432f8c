/*
 * awaited.h - a remote target that has its delivery and does not show it yet.
 *
 * Some platforms take it up in their own time: a script that configuration management runs, the
 * store of IIS, a load balancer. A pass holds the lock that all others wait for, so it looks for a
 * few seconds only, writes down since when the delivery stands, and ends. Later passes, which the
 * schedule asks for, look again and deliver nothing; what was there before comes back when
 * `probe_timeout` has passed since that moment, however many passes and restarts lie between.
 */
#ifndef ORIGIN_CA_PASS_AWAITED_H
#define ORIGIN_CA_PASS_AWAITED_H

#include <cjson/cJSON.h>

#include "pass/group.h"

/* How long a pass looks for what was just delivered, ms: the time of the first certificate of a
 * target that is not shown is not spent again for the next. */
int64_t awaited_patience_ms(const struct group *group);

/* To be called when a remote target has its delivery, before the look: from here on it is waited
 * for, unless that has begun with this very delivery before. Written down at once. */
void awaited_begin(struct group *group);

/* After a look that did not show it: true while there is time left. Then the item has no error any
 * more, its target_job is `awaited`, and nothing is to be done there. False for all that is a
 * service of this host. */
bool awaited_goes_on(const struct group *group, struct group_item *item);

/* It is over, one way or the other. */
void awaited_end(struct state_target *state);

/* When somebody is to look again: 0, nothing of `generation` is awaited. */
int64_t awaited_due(const struct state_target *state, unsigned generation);

/* "generation 2 is delivered, and waits since 2026-... (5m) for its platform ..."; free it. NULL
 * where nothing is awaited. */
char *awaited_text(const struct pass *pass, const struct pass_job *job,
		   const struct pass_target_job *target_job);

/* The same for programs: "awaited_since" and "awaited_until", where something is awaited. */
void awaited_json(const struct pass_job *job, const struct pass_target_job *target_job,
		  cJSON *object);

#endif
