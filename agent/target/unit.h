/*
 * unit.h - a service of this host's systemd, over sd-bus (org.freedesktop.systemd1(5)).
 *
 * A connection is for one thread. Every call has a deadline. Without a system bus (a container)
 * unit_open() fails with -ENOENT (class configuration) and the remedy (`reload = none`); with a
 * bus that does not answer with -ETIMEDOUT or another errno (class local).
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

/* A property of a service that is a string, e.g. "ProtectSystem". free() it. */
int unit_service_text(struct unit_bus *bus, const char *unit, const char *name, char **ret_text,
		      struct error *error);

/* A property of a service (org.freedesktop.systemd1.Service) that is a list of strings, e.g.
 * "SupplementaryGroups" or "ReadWritePaths". */
int unit_service_list(struct unit_bus *bus, const char *unit, const char *name,
		      struct string_list *ret_list, struct error *error);

enum unit_verb {
	UNIT_RELOAD,
	UNIT_TRY_RESTART,
	UNIT_START,
	UNIT_TEST, /* a oneshot that is started for its result */
};

/*
 * Does it and waits for the job's end: subscribes, calls ReloadUnit (TryRestartUnit, StartUnit)
 * with mode "replace", waits for the JobRemoved of our job, then looks at ActiveState again.
 * Success only when the job's result is "done" and the unit stays active for half a second after
 * it (Apache httpd dies of a bad key after its reload job was done); a oneshot that was started
 * must have succeeded instead.
 *
 * Errors are of class deploy, but of class configuration for a unit that is not there (-ENOENT),
 * is masked (-EPERM) or cannot reload (-EOPNOTSUPP), and authorization (-EACCES) when polkit
 * refuses. -ETIMEDOUT at the deadline: the job stays queued at systemd and is named; like
 * -ECONNRESET (the bus was lost) with outcome_unknown. A job that failed quotes the unit's own
 * words from the journal where they can be read, "nginx: [emerg] ... in FILE:LINE" first of all.
 * Never starts a stopped unit (UNIT_START excepted): -ESHUTDOWN, "nginx.service is inactive", and
 * nothing was asked for; -EHOSTDOWN for a unit that went down after the job. When the agent is told
 * to stop, a wait ends early with class transient, -ECANCELED (base/stop.h). Of a test that ended
 * well, the exit status of its main process: one of SuccessExitStatus=.
 */
int unit_job(struct unit_bus *bus, const char *unit, enum unit_verb verb, int64_t timeout_ms,
	     struct error *error);

/*
 * The newest messages of the unit since `since` (seconds, wall clock), at most `most` lines of
 * priority `priority` or more urgent, oldest first, each text once, appended to `lines`: what its
 * processes said and what systemd said about it. Valid UTF-8 without control characters. Ask for
 * priority 6 (info) to see what a server says on standard error: journald takes that for info
 * whatever it says. By the unit's Id, not an alias. What cannot be read (no journal, no
 * permission: the group systemd-journal may) gives 0 lines and no error.
 */
int unit_journal(const char *unit, int64_t since, int priority, size_t most,
		 struct string_list *lines, struct error *error);

DEFINE_CLEANUP(struct unit_bus *, unit_close)

#endif
