/* unit_may.h - what this process may ask of systemd, found out without doing it. */
#ifndef ORIGIN_CA_TARGET_UNIT_MAY_H
#define ORIGIN_CA_TARGET_UNIT_MAY_H

#include "target/unit.h"

/*
 * Whether unit_job() with this verb would be let: 0, or -EACCES (class authorization) with the
 * remedy for this host: polkit is not installed, or its rule lacks the unit. Nothing is done to the
 * unit. Not for UNIT_TEST, which harms nobody: start it.
 */
int unit_may(struct unit_bus *bus, const char *unit, enum unit_verb verb, struct error *error);

/* The rule that an administrator writes for a unit that the packaged one does not list: the name of
 * the file, and what is in it, on one line. Free both. */
char *unit_rule_path(const char *unit);
char *unit_rule_text(const char *unit);

#endif
