/* unit_private.h - what the files of unit.h share; nothing else includes it. */
#ifndef ORIGIN_CA_TARGET_UNIT_PRIVATE_H
#define ORIGIN_CA_TARGET_UNIT_PRIVATE_H

#include <systemd/sd-bus.h>

#include "base/buffer.h"
#include "target/unit.h"

struct unit_bus {
	sd_bus *connection;
	bool subscribed; /* systemd sends its signals only to who asked for them */
};

#define SYSTEMD_NAME	  "org.freedesktop.systemd1"
#define SYSTEMD_PATH	  "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER	  "org.freedesktop.systemd1.Manager"
#define SYSTEMD_UNIT_PATH "/org/freedesktop/systemd1/unit"
#define SYSTEMD_UNIT	  "org.freedesktop.systemd1.Unit"
#define SYSTEMD_SERVICE	  "org.freedesktop.systemd1.Service"
#define SYSTEMD_JOB	  "org.freedesktop.systemd1.Job"

/* Most milliseconds of one call that only asks; PID 1 is deaf while it reloads its units. */
enum {
	UNIT_CALL_TIMEOUT_MS = 25000
};

/* A property of the unit that is a string, e.g. SYSTEMD_UNIT "Id"; free it. */
int unit_property(struct unit_bus *bus, const char *unit, const char *interface, const char *name,
		  char **ret_value, struct error *error);

/*
 * Makes an error of what a call gave: class and code by the error's D-Bus name, "UNIT: DOING: what
 * systemd said", and a remedy. `said` may be empty (no bus any more); `code` is the call's.
 */
int unit_call_error(const char *unit, const char *doing, const sd_bus_error *said, int code,
		    struct error *error);

/* "UNIT is masked" and the like for a unit whose LoadState is not "loaded". */
int unit_load_error(const char *unit, const struct unit_status *status, struct error *error);

/*
 * Handles one message, or waits for one until `deadline` (clock_monotonic_ms()). 0, or a negative
 * errno when the connection is gone. The caller looks at the clock: a busy bus never lets it wait.
 */
int unit_bus_pump(struct unit_bus *bus, int64_t deadline);

/*
 * From now on, while messages are handled, *ret_status follows the exit status of the unit's main
 * process. Heard, not asked for: once a oneshot has ended well systemd forgets the unit, and its
 * exit status. systemd sends it before the end of the job.
 */
int unit_exit_listen(struct unit_bus *bus, const char *unit, int *ret_status,
		     sd_bus_slot **ret_slot, struct error *error);

/*
 * The lines of the unit's journal, since `since_ms` (clock_monotonic_ms()), that say best why a
 * job failed, at most three, cut to a bound, with " | " between them, appended to `text`. Waits
 * for a moment, because journald writes what a process said only after it has ended. Nothing is
 * appended when nothing can be read.
 */
void unit_journal_explain(const char *unit, int64_t since_ms, struct buffer *text);

#endif
