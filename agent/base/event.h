/*
 * event.h - what can happen that somebody wants to be told of: one table of events with their
 * MESSAGE_IDs, and how one event reaches the journal.
 *
 * The names are the words of ORIGIN_CA_EVENT (event_hook), of the history in state.json and of
 * `status --json`; the MESSAGE_IDs are those of the catalog (etc/origin-ca-agent.catalog) and
 * never change. A failure has one name, "failed", and a MESSAGE_ID for each class (DESIGN 9).
 */
#ifndef ORIGIN_CA_BASE_EVENT_H
#define ORIGIN_CA_BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/log.h"

enum event_kind {
	EVENT_NONE,
	/* Of one certificate; some of one target of it. */
	EVENT_ISSUED,
	EVENT_ADOPTED,
	EVENT_DERIVED,
	EVENT_RESUMED,
	EVENT_REPAIRED,
	EVENT_DEPLOYED,
	EVENT_RECOVERED,
	EVENT_ROLLED_BACK,
	EVENT_HELD,
	EVENT_EXPIRING,
	EVENT_EXPIRED,
	EVENT_REVOKED,
	EVENT_WITHDRAWN,
	EVENT_SSL_MODE,
	EVENT_STOPPED,
	/* In the order of enum error_class, from ERROR_TRANSIENT on: event_of_failure(). */
	EVENT_FAILED_TRANSIENT,
	EVENT_FAILED_CONFIGURATION,
	EVENT_FAILED_AUTHORIZATION,
	EVENT_FAILED_LOCAL,
	EVENT_FAILED_DEPLOY,
	EVENT_FAILED_BUG,
	/* Of the agent itself. */
	EVENT_CONFIGURATION,
	EVENT_PASS_FAILED,
	EVENT_CLOCK,
	EVENT_HOOK_FAILED,
	EVENT_COUNT,
};

struct event_type {
	const char *name;
	const char *message_id; /* 128 bits, 32 lower-case hex digits */
	enum log_level level;	/* the journal's PRIORITY */
	const char *summary;	/* when it is told, one sentence without its full stop */
};

/* By enum event_kind; that of EVENT_NONE is empty. */
extern const struct event_type event_types[EVENT_COUNT];

enum event_kind event_of_failure(enum error_class class);

/* The first of that name; EVENT_NONE for NULL and an unknown one. */
enum event_kind event_find(const char *name);

/* One event. All strings are its own; those that are not known are NULL, numbers 0. */
struct event {
	enum event_kind kind;
	int64_t at;    /* when it happened */
	int64_t since; /* of a state: when it began */
	bool repeated; /* it was told before and still is so */
	enum error_class class;
	unsigned generation;
	int64_t not_after; /* of the newest certificate */
	char *certificate, *target;
	char *serial; /* decimal, of the newest certificate */
	char *hostnames;
	char *message; /* what happened; no secrets */
	char *remedy;
	char *text;  /* the line of a log, without the certificate's name before it */
	char *alike; /* what it has in common with the same event of others (base/summary.h) */
};

void event_free(struct event *event);

/* The structured fields that systemd-journald keeps: MESSAGE_ID, ORIGIN_CA_EVENT and what is known
 * of ORIGIN_CA_CERTIFICATE, _TARGET, _GENERATION, _SERIAL, _CLASS, _REMEDY and _RAY. */
void event_fields(const struct event *event, struct string_list *fields);

/* The CF-Ray that a message of the API client names, as a new string; NULL when there is none. */
char *event_ray(const char *message);

/* One line of an event that is not of a certificate, at its level. */
void event_say(enum event_kind kind, const char *format, ...) PRINTF_LIKE(2, 3);

/* "MESSAGE; REMEDY" of an error; event_of_failure() is the kind of one that has no other. */
void event_say_error(enum event_kind kind, const struct error *error);

#endif
