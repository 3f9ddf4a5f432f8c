/*
 * unit.h - a service of this host's systemd, over sd-bus (org.freedesktop.systemd1(5)).
 *
 * A connection is for one thread. Every call has a deadline. Without a system bus (a container)
 * unit_open() fails with -ENOENT and the remedy (`reload = none`).
 */
#ifndef ORIGIN_CA_TARGET_UNIT_H
#define ORIGIN_CA_TARGET_UNIT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"

struct unit_bus;

int unit_open(struct unit_bus **ret_bus, struct error *error);
void unit_close(struct unit_bus *bus);

struct unit_status {
	char load_state[32];   /* "loaded", "not-found", "masked", ... */
	char active_state[32]; /* "active", "reloading", "inactive", "failed", "activating", ... */
	char sub_state[32];
	char result[32]; /* of a service: "success", "exit-code", ... */
	bool can_reload;
	int main_pid;
};

/* Reads the properties. A unit that does not exist has load_state "not-found" and no error. */
int unit_status(struct unit_bus *bus, const char *unit, struct unit_status *ret_status,
		struct error *error);

/* The first of `candidates` that is loaded; -ENOENT (class configuration) names them all. */
int unit_choose(struct unit_bus *bus, const char *const *candidates, size_t count,
		const char **ret_unit, struct error *error);

enum unit_verb {
	UNIT_RELOAD,
	UNIT_TRY_RESTART,
	UNIT_START
};

/*
 * Does it and waits for the job's end: subscribes, calls ReloadUnit (TryRestartUnit, StartUnit)
 * with mode "replace", waits for the JobRemoved of our job, then reads ActiveState again. Success
 * only when the job's result is "done" and the unit is active after it. -ETIMEDOUT at the
 * deadline. Errors are of class deploy, but of class configuration for a unit that is not loaded
 * or cannot reload, and authorization when polkit refuses; with the unit's own last lines from
 * the journal (unit_journal()) where they can be read. Never starts a stopped unit (UNIT_START
 * excepted): -ESHUTDOWN, class deploy, "nginx.service is inactive".
 */
int unit_job(struct unit_bus *bus, const char *unit, enum unit_verb verb, int64_t timeout_ms,
	     struct error *error);

/*
 * The newest messages of the unit since `since` (seconds, wall clock), at most `most` lines of
 * priority `priority` or more urgent, oldest first, appended to `lines`. What cannot be read (no
 * journal, no permission) gives 0 lines and no error.
 */
int unit_journal(const char *unit, int64_t since, int priority, size_t most,
		 struct string_list *lines, struct error *error);

DEFINE_CLEANUP(struct unit_bus *, unit_close)

#endif
