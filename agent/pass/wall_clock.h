/*
 * wall_clock.h - is this host's clock to be believed? While it is plainly wrong, no certificate is
 * asked for: by a clock that is years ahead all of them have expired. What was issued goes on being
 * deployed and served.
 */
#ifndef ORIGIN_CA_PASS_WALL_CLOCK_H
#define ORIGIN_CA_PASS_WALL_CLOCK_H

#include <cjson/cJSON.h>

#include "pass/pass.h"

enum {
	WALL_CLOCK_TOLERANCE = 3600 /* seconds that it may differ from the API's */
};

/*
 * What this host itself knows: the time cannot be before the build date, nor before the notBefore
 * of a certificate that was issued. To follow the plan; sets pass->clock.error.
 */
void wall_clock_look(struct pass *pass);

/* The same for a set of dates: 0, or -ETIME and class local. `not_before` 0: none is known. */
int wall_clock_check(int64_t now, int64_t not_before, const char *name, struct error *error);

/* An API's clock against ours, `offset` seconds ahead: 0, or -ETIME and class local. */
int wall_clock_compare(int64_t now, int64_t offset, const char *label, struct error *error);

/*
 * To be called before a certificate is asked for, without job->lock: the API is asked what time it
 * is, once per pass and account, unless one of its answers has told already. 0 when the clocks
 * agree, or when the API does not say; -ETIME, class local, when they do not; else nobody answers.
 */
int wall_clock_agrees(struct pass_account *account, struct error *error);

/* The same by what was heard in this pass; asks nobody, and 0 while nobody has asked. */
int wall_clock_heard(struct pass_account *account, struct error *error);

/* After issuing: takes what the accounts' answers said of the time into pass->clock. */
void wall_clock_learn(struct pass *pass);

/* {"offset": 2, "source": "[api]", "heard_at": "...", "error": {...}}, what there is of it. */
void wall_clock_json(const struct pass *pass, cJSON *parent);

#endif
