/*
 * holdings.h - what this host holds: every generation below certificates/, by serial number.
 *
 * Told by meta.json and state.json, so of what was last seen and without a handshake (serving.h
 * looks now). Also of certificates that are configured no longer.
 */
#ifndef ORIGIN_CA_PASS_HOLDINGS_H
#define ORIGIN_CA_PASS_HOLDINGS_H

#include "config/model.h"
#include "pki/serial.h"
#include "store/store.h"

struct holding {
	char serial[SERIAL_TEXT_SIZE];
	char *name; /* of the certificate */
	unsigned generation;
	int64_t not_after;
	bool configured; /* [certificate NAME] is there */
	bool newest;	 /* no generation of NAME is newer */
	struct string_list hostnames;
	struct string_list targets;  /* that were last seen serving it */
	struct string_list snippets; /* targets whose snippet names it */
};

struct holdings {
	struct holding *items; /* sorted by serial */
	size_t count;
};

/* A store without certificates/ holds nothing. What cannot be read is left out and logged. */
int holdings_load(const struct config *config, const struct store *store,
		  struct holdings *ret_holdings, struct error *error);
void holdings_free(struct holdings *holdings);

/* NULL for a certificate that is not here. Of several generations with one leaf, the one that is
 * served, else the newest. `id`: either form of an id. */
const struct holding *holdings_find(const struct holdings *holdings, const char *id);

/* The newest generation of certificate NAME; NULL when there is none. */
const struct holding *holdings_newest(const struct holdings *holdings, const char *name);

/* What a certificate of the API is to this host. */
enum holding_state {
	HOLDING_SERVED,	    /* ours, and seen served */
	HOLDING_CURRENT,    /* ours and the newest, for readers of live/NAME: no target serves it */
	HOLDING_WAITING,    /* ours and the newest, but no target was seen serving it */
	HOLDING_SUPERSEDED, /* ours, with a newer one, or configured no longer */
	HOLDING_FOREIGN,    /* not this host's */
	HOLDING_EXPIRED,
	HOLDING_REVOKED,
};

/* "served", "current", "waiting", "superseded", "foreign", "expired", "revoked". */
const char *holding_state_name(enum holding_state state);

/* `holding` may be NULL. `not_after` and `revoked_at` (0: not) as the API tells. */
enum holding_state holding_state(const struct config *config, const struct holding *holding,
				 int64_t not_after, int64_t revoked_at, int64_t now);

#endif
