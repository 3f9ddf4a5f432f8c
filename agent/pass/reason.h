/*
 * reason.h - why something is to be done. Two lists, kept apart (DESIGN 2): reissue reasons need
 * the API, redeploy reasons are local and never issue.
 */
#ifndef ORIGIN_CA_PASS_REASON_H
#define ORIGIN_CA_PASS_REASON_H

#include "base/list.h"

enum reissue_reason {
	REISSUE_ABSENT = 1 << 0,     /* no generation yet */
	REISSUE_EXPIRING = 1 << 1,   /* the renewal moment has come */
	REISSUE_HOSTNAMES = 1 << 2,  /* the leaf's names are not the configured ones */
	REISSUE_KEY_TYPE = 1 << 3,   /* the key is not of the configured type */
	REISSUE_VALIDITY = 1 << 4,   /* it was asked for with another validity */
	REISSUE_UNREADABLE = 1 << 5, /* a file of the newest generation is gone or does not parse */
	REISSUE_MISMATCH = 1 << 6,   /* key and leaf do not belong together */
	REISSUE_KEY = 1 << 7,	     /* the user's own key or request is another one */
	REISSUE_FORCED = 1 << 8,     /* --force */
	REISSUE_REVOKED = 1 << 9,    /* Cloudflare has revoked it */
	REISSUE_REASONS = 10,
};

enum redeploy_reason {
	REDEPLOY_GENERATION = 1 << 0,  /* the snippet names another generation than the newest */
	REDEPLOY_MISSING = 1 << 1,     /* there is no snippet */
	REDEPLOY_DIFFERS = 1 << 2,     /* somebody changed the snippet */
	REDEPLOY_TEMPLATE = 1 << 3,    /* template or definition would render another snippet */
	REDEPLOY_PERMISSIONS = 1 << 4, /* owner, group or mode of the snippet drifted */
	REDEPLOY_UNCONFIRMED = 1 << 5, /* replaced, but no reload was confirmed since */
	REDEPLOY_UNVERIFIED = 1 << 6,  /* no handshake has shown this generation yet */
	REDEPLOY_SERVED = 1 << 7,      /* a handshake showed another leaf */
	REDEPLOY_KEYSTORE = 1 << 8,    /* somebody changed the keystore beside the snippet */
	/* Of a certificate: its files are made anew from the same key and leaf. */
	REDEPLOY_FORMATS = 1 << 9,   /* a format that is asked for is not there */
	REDEPLOY_CHAIN = 1 << 10,    /* chain.pem is not what is asked for */
	REDEPLOY_PASSWORD = 1 << 11, /* keystore.p12 has another password */
	REDEPLOY_DAMAGED = 1 << 12,  /* somebody changed one of the other formats */
	REDEPLOY_REASONS = 13,
};

/* Appends the stable words for a set of reasons ("absent", "expiring", ...). */
void reissue_reason_names(unsigned reasons, struct string_list *names);
void redeploy_reason_names(unsigned reasons, struct string_list *names);

/* The same as one text, "expiring, hostnames"; free() it. */
char *reissue_reason_text(unsigned reasons);
char *redeploy_reason_text(unsigned reasons);

#endif
