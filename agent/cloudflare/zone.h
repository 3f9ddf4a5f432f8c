/* zone.h - zones, found by the names of hosts (GET /zones, needs Zone:Read). */
#ifndef ORIGIN_CA_CLOUDFLARE_ZONE_H
#define ORIGIN_CA_CLOUDFLARE_ZONE_H

#include "cloudflare/client.h"

enum {
	ZONE_ID_SIZE = 33
};

struct zone {
	char id[ZONE_ID_SIZE]; /* 32 hex digits */
	char name[254];
	char status[32]; /* "active", "pending", ... */
	bool paused;
	char account_id[ZONE_ID_SIZE];
};

/*
 * The zone that holds `hostname` (an A-label name, perhaps a wildcard): asks for each parent name,
 * longest first, until one exists. -ENOENT (class configuration) when none does, naming what was
 * tried; -EACCES (class authorization) when the token may not read zones, with the remedy
 * (`zone_id =`, or the permission Zone > Zone > Read).
 */
int zone_find(struct client *client, const char *hostname, struct zone *ret_zone,
	      struct error *error);

/* GET /zones/ID. */
int zone_get(struct client *client, const char *id, struct zone *ret_zone, struct error *error);

enum token_status {
	TOKEN_ACTIVE,
	TOKEN_DISABLED,
	TOKEN_EXPIRED,
	TOKEN_UNKNOWN
};

/*
 * GET /user/tokens/verify. An account token ("cfat_") is refused there and needs its account's id
 * (GET /accounts/ID/tokens/verify): `account_id` NULL then gives TOKEN_UNKNOWN and success.
 */
int token_verify(struct client *client, const char *account_id, enum token_status *ret_status,
		 struct error *error);

#endif
