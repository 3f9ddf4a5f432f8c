/*
 * settings.h - a zone's settings (cloudflare/API.md, "Neighbours").
 *
 * The token that issues certificates need not have the permission for any of them: -EACCES, class
 * authorization, then has a remedy that names the permission.
 */
#ifndef ORIGIN_CA_CLOUDFLARE_SETTINGS_H
#define ORIGIN_CA_CLOUDFLARE_SETTINGS_H

#include "cloudflare/client.h"

enum {
	SETTING_SIZE = 32
};

#define SETTING_SSL	  "ssl"		       /* off flexible full strict origin_pull */
#define SETTING_AUTOMATIC "ssl_automatic_mode" /* auto: the zone changes its mode by itself */
#define SETTING_PULLS	  "tls_client_auth"    /* on: Authenticated Origin Pulls */

/* GET /zones/ZONE/settings/NAME. A value that is no short word is -EPROTO. */
int setting_get(struct client *client, const char *zone_id, const char *name,
		char value[static SETTING_SIZE], struct error *error);

/* PATCH /zones/ZONE/settings/NAME. */
int setting_set(struct client *client, const char *zone_id, const char *name, const char *value,
		struct error *error);

/* In both of these Cloudflare verifies the origin's certificate: "strict", "origin_pull". */
bool setting_is_strict(const char *ssl);

#endif
