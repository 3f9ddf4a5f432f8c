/* reload.h - asking the target's unit to take its configuration again. */
#ifndef ORIGIN_CA_PASS_RELOAD_H
#define ORIGIN_CA_PASS_RELOAD_H

#include "pass/group.h"

enum reload_flag {
	RELOAD_REVIVE = 1 << 0, /* a unit that is down is started: it ran before we touched it */
	RELOAD_FULL = 1 << 1,	/* the configuration changed, not only certificates */
	/* A unit that is failed is started: it ran when we reloaded it, and has died since. One
	 * that is inactive was stopped by somebody. */
	RELOAD_REVIVE_FAILED = 1 << 2,
};

enum {
	RELOAD_STARTED = 1 /* what reload_target() returns for a unit that was down */
};

/* False when too little is left of the pass's time to ask for another reload. */
bool reload_in_time(const struct pass *pass);

/*
 * Reloads (or restarts) the unit of the group's target and waits for the job's end: 0, or
 * RELOAD_STARTED. Of a remote target, delivers each of the group's certificates (delivery.h).
 * Nothing to do for `reload = none`. -ESHUTDOWN when the unit does not run and is not to be
 * started, -ENOENT when there is no such unit: then nobody has read the new snippet yet. Other
 * errors: it was refused; -EHOSTDOWN when the unit went down over it, -EBADMSG when its own test of
 * the configuration refused it (config_test.h): the server was not touched then. After whatever
 * error of that test, pass->only_tested: nobody has read the new snippet. `flags`: enum
 * reload_flag.
 */
int reload_target(const struct group *group, unsigned flags, struct error *error);

/* True, with an error of class deploy, when the unit took its reload in this pass, and has died
 * since. */
bool reload_went_down(struct pass *pass, const struct config_target *target, struct error *error);

/*
 * When all is in place: starts the units that are down because of us (owed.h), of this pass or of
 * an earlier one; what cannot be started now is logged, and stays owed.
 */
void reload_pay_all(struct pass *pass);

/* Only the test: 0 when it passes or there is none, otherwise as above. */
int reload_test(struct pass *pass, const struct config_target *target, struct error *error);

/* The unit of a target: as configured, or the first of its type that exists. */
int reload_unit(struct unit_bus *bus, const struct config_target *target, const char **ret_unit,
		struct error *error);

#endif
