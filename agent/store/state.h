/*
 * state.h - certificates/NAME/state.json: what was done, what is next. A hint, never the truth.
 *
 * A missing or unusable file gives an empty state; the pass then looks at the files and writes a
 * fresh one. Unknown members are dropped. A file of a newer version is left as it is, and so is the
 * certificate: STATE_VERSION is raised with any change of a state directory that an older program
 * must not touch.
 */
#ifndef ORIGIN_CA_STORE_STATE_H
#define ORIGIN_CA_STORE_STATE_H

#include "pki/leaf.h"
#include "store/store.h"

enum {
	STATE_VERSION = 1,
	STATE_HISTORY = 40,    /* events kept */
	STATE_ALARMS = 300,    /* of one certificate, that are read */
	STATE_SUPERSEDED = 16, /* certificates that wait for their revocation */
	STATE_ISSUES = 32,     /* moments of issuing kept, for the daily budget */
	STATE_NAMES = 100,     /* hostnames of one of these */
	STATE_REVOKED = 100,   /* revoked serials kept: as many as generations can be */
	STATE_FILE_LIMIT = 1 << 20,
};

/* What the last attempt that failed left behind. `count` 0: none. */
struct state_attempt {
	unsigned count; /* failures in a row */
	int64_t last;	/* when */
	int64_t next;	/* not before (backoff or Retry-After); ignored by --renew-now */
	int64_t since;	/* when the row began: "stuck since" */
	enum error_class class;
	char *message, *remedy;
	char *fingerprint; /* of the definition that failed: a changed one is tried at once */
};

struct state_target {
	char *name;
	unsigned generation;	      /* that the snippet in place names */
	char *rendered_from;	      /* SHA-256 over everything the rendering depended on */
	char *snippet_stamp;	      /* file_stamp_format() of the snippet as we left it */
	char *keystore_stamp;	      /* the same of the keystore beside it, or NULL */
	bool reload_pending;	      /* snippet replaced, and no reload was confirmed since */
	bool restart_pending;	      /* the same, for a server that reads it only at its start */
	unsigned verified_generation; /* that a handshake (or probe = none) last confirmed */
	int64_t verified_at;
	unsigned refused_generation; /* newest that was rolled back here, 0 none */
	unsigned awaited_generation; /* delivered, and its platform has not shown it; 0 none */
	int64_t awaited_since;	     /* when it was delivered */
	int64_t awaited_next;	     /* when to look again (pass/awaited.h) */
	struct state_attempt attempt;
};

struct state_event {
	int64_t at;
	char *event; /* a name of base/event.h: "issued", "deployed", "failed" ... */
	char *message;
	char *target;	     /* that it is of, or NULL */
	unsigned generation; /* that it is of, 0 none */
	unsigned count;	     /* how often it happened in a row, 1 once */
	int64_t last;	     /* when it last did */
	bool untold;	     /* nobody was told yet (pass/tell.h) */
};

/* Something that is wrong and was told of; told again while it lasts (pass/tell.h). */
struct state_alarm {
	char *scope; /* "issue", "expiry", "target NAME" */
	char *event; /* a name of base/event.h */
	enum error_class class;
	char *message, *remedy;
	int64_t since; /* when it began */
	int64_t told;  /* when somebody was last told */
};

/* For metrics, from the first day on; a counter that is lost begins at 0 again. */
struct state_counts {
	uint64_t attempts; /* to issue */
	uint64_t failures[ERROR_BUG + 1];
	int64_t success_at; /* when the last certificate was issued or adopted */
};

/* A certificate that a newer one of this host took the place of. */
struct state_superseded {
	char *id; /* the API's */
	int64_t not_after;
	struct string_list hostnames; /* that it covers; none: of a state of before */
};

struct state {
	unsigned active; /* generation that every target was verified with; 0 none yet */
	unsigned newest; /* newest complete generation; 0 none but a placeholder */
	/* What the newest generation's files were and said when they were last fully checked. */
	char *fingerprint;	 /* generation_fingerprint() */
	int64_t checked_at;	 /* 0: never */
	int64_t validity_days;	 /* that the newest was asked with */
	char *id;		 /* of the newest */
	struct leaf_facts facts; /* of the newest */
	struct state_target *targets;
	size_t target_count;
	struct state_attempt issue; /* the last failing issue */
	int64_t renew_at;	    /* the moment that was drawn for the newest, kept */
	int64_t issues[STATE_ISSUES];
	size_t issue_count;
	struct state_event *history; /* the newest last; the states of a thousand are in memory */
	size_t history_count;	     /* at most STATE_HISTORY */
	struct state_alarm *alarms;
	size_t alarm_count;
	struct state_counts counts;
	/* What Cloudflare does with it besides. */
	bool imported;		    /* the newest was brought by the administrator */
	char *issued_mark;	    /* machine and serial of the newest that was issued here */
	char *revoked_serial;	    /* of a newest that is revoked at Cloudflare, or NULL */
	int64_t revocation_at;	    /* when that was last asked, 0 never */
	struct string_list revoked; /* serials that never serve again, the oldest first */
	struct state_superseded superseded[STATE_SUPERSEDED]; /* oldest first */
	size_t superseded_count;
	struct state_attempt revoke; /* the last failing revocation of these */
	char *ssl_mode_done;	     /* digest of what `ssl_mode` was carried out for, or NULL */
	struct state_attempt ssl_mode;
};

void state_free(struct state *state);

/* Reads; an unusable file gives an empty state and *ret_rebuilt true. -EPROTO with a remedy for one
 * of a newer version. */
int state_load(int certificate, const char *where, struct state *ret_state, bool *ret_rebuilt,
	       struct error *error);

/* Writes atomically, mode 0600; not synced, because it is a hint. Writes nothing when the bytes
 * would be the same as in the file. */
int state_save(int certificate, const char *where, const struct state *state, struct error *error);

/* The target's entry, made when it is not there. Pointers into state->targets end with the next
 * call that makes one. */
struct state_target *state_target_get(struct state *state, const char *name);

/* NULL when there is none. */
const struct state_target *state_target_find(const struct state *state, const char *name);

/* Removes the entry, e.g. of a target that the certificate no longer names. */
void state_target_drop(struct state *state, const char *name);

/*
 * Appends to the bounded history, as yet untold. A failure ("failed", "rolled-back", "held") of
 * `target` (NULL: of none) that happened before, with nothing else in between, counts there. The
 * entry is the history's.
 */
struct state_event *state_event_add(struct state *state, int64_t at, const char *event,
				    const char *format, ...) PRINTF_LIKE(4, 5);
struct state_event *state_event_add_of(struct state *state, int64_t at, const char *event,
				       const char *target, const char *format, ...)
	PRINTF_LIKE(5, 6);

/* NULL when there is none of that scope. */
struct state_alarm *state_alarm_find(const struct state *state, const char *scope);

/* Appends an empty one. Pointers into state->alarms end with it. */
struct state_alarm *state_alarm_add(struct state *state, const char *scope);
void state_alarm_drop(struct state *state, size_t index);

/* Records a failure: count, times, class and words. `next` is the caller's (pass/schedule). */
void state_attempt_fail(struct state_attempt *attempt, const struct error *error, int64_t now,
			int64_t next, const char *fingerprint);
void state_attempt_clear(struct state_attempt *attempt);

/* Notes a certificate that is superseded, once; the oldest goes when there are too many. */
void state_superseded_add(struct state *state, const char *id, int64_t not_after,
			  const struct string_list *hostnames);
void state_superseded_drop(struct state *state, size_t index);

/* Notes that a certificate (id or serial, either form) is revoked; the oldest goes when there are
 * STATE_REVOKED. */
void state_revoked_add(struct state *state, const char *id);
bool state_is_revoked(const struct state *state, const char *id);

/* Records an issue for the daily budget, and counts those after `since`. */
void state_issue_add(struct state *state, int64_t at);
size_t state_issues_after(const struct state *state, int64_t since);

#endif
