/*
 * revocation_guard.h - what stands against revoking a certificate, and what visitors would see
 * (DESIGN 6: not while it is served here, nor while the zone is Full (strict) and nothing else
 * covers the names).
 */
#ifndef ORIGIN_CA_PASS_REVOCATION_GUARD_H
#define ORIGIN_CA_PASS_REVOCATION_GUARD_H

#include "cloudflare/settings.h"
#include "pass/accounts.h"
#include "pass/holdings.h"
#include "pass/serving.h"

struct guard_zone {
	const struct zone *zone; /* of the account's cache */
	char ssl[SETTING_SIZE];	 /* "strict" ..., "" when it could not be read */
	struct error error;	 /* why not */
};

struct revocation_guard {
	struct guard_zone *zones; /* of the names */
	size_t zone_count;
	struct error zone_error;      /* why the zone of a name is not known */
	bool strict;		      /* a zone is Full (strict), or may be for all we know */
	bool coverage_known;	      /* the zones' certificates could be listed */
	struct string_list uncovered; /* names that no other certificate covers */
	struct string_list obstacles; /* sentences; empty: nothing stands against it */
	struct string_list effects;   /* sentences: what will happen */
};

/* All that is asked about. */
struct revocation_case {
	const struct config *config;
	struct account *account; /* that the certificate is in */
	struct client *client;	 /* its */
	const struct origin_certificate *certificate;
	const struct holding *holding; /* or NULL */
	const struct serving *serving; /* who shows it now */
	int64_t now;
};

/* Asks the zones; what cannot be asked counts as if it were in use. */
void revocation_guard_look(const struct revocation_case *revocation,
			   struct revocation_guard *ret_guard);
void revocation_guard_free(struct revocation_guard *guard);

#endif
