/*
 * owed.h - starts that are owed: a unit ran when the agent told it to take something up, went down
 * over it, and could not be brought back at once, or the pass was killed before it was. A later
 * pass starts it again. One that somebody else has stopped is nobody's debt.
 *
 * STATE/owed.TARGET holds the id of the boot and the unit's name: a reboot starts what is to run.
 * Not synced, for the same reason.
 */
#ifndef ORIGIN_CA_PASS_OWED_H
#define ORIGIN_CA_PASS_OWED_H

#include "pass/pass.h"

/* Before a unit that runs is asked for anything. What cannot be written is logged, and does not
 * count. */
void owed_note(const struct pass *pass, const struct config_target *target, const char *unit);

/* Somebody else has stopped the unit; or it runs at the end of all deploying (reload_pay_all()),
 * not before: some servers take their time to die of what they were given. */
void owed_settle(const struct pass *pass, const struct config_target *target);

/* True when a start is owed to the target's unit; `unit` NULL: to whatever unit it has. */
bool owed_is(const struct pass *pass, const struct config_target *target, const char *unit);

#endif
