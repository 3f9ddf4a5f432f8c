/* tokens.h - who may do what (cloudflare/API.md, "Authentication"). */
#ifndef ORIGIN_CA_SANDBOX_TOKENS_H
#define ORIGIN_CA_SANDBOX_TOKENS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/list.h"

enum permission {
	PERMISSION_SSL_READ = 1 << 0, /* SSL and Certificates */
	PERMISSION_SSL_EDIT = 1 << 1,
	PERMISSION_ZONE_READ = 1 << 2,
	PERMISSION_SETTINGS_READ = 1 << 3, /* Zone Settings */
	PERMISSION_SETTINGS_EDIT = 1 << 4,
	PERMISSION_DNS_READ = 1 << 5,
	PERMISSION_RULES_READ = 1 << 6, /* Config Rules */
	PERMISSION_RULES_EDIT = 1 << 7,
	PERMISSION_PAGERULES_READ = 1 << 8,
	PERMISSION_ALL = (1 << 9) - 1,
};

struct token {
	char *secret;
	char *name; /* for journals; never the secret */
	char id[33];
	unsigned permissions;
	struct string_list zones; /* names; empty: all of them */
	const char *status;	  /* "active", "disabled" or "expired" */
};

struct tokens {
	struct token *items;
	size_t count;
};

enum {
	TOKEN_LENGTH = 40,
	TOKEN_LENGTH_LEAST = 20,
	TOKEN_LENGTH_MOST = 200
};

/*
 * "SECRET[:WORD,WORD...]": permissions (ssl:edit, ssl:read, zone:read, settings:edit,
 * settings:read, dns:read, rules:edit, rules:read, pagerules:read, all, none; edit implies read),
 * name=NAME, zone=NAME (repeatable), status=disabled|expired. Without a permission: all.
 */
int tokens_add(struct tokens *tokens, const char *specification, struct error *error);
void tokens_free(struct tokens *tokens);

/* True when `secret` looks like a token at all; the API answers 6003/6111 otherwise. */
bool token_well_formed(const char *secret);

/* NULL when unknown. */
const struct token *tokens_find(const struct tokens *tokens, const char *secret);

/* True when it has one of `permissions`, on the zone named (NULL: on any zone). */
bool token_may(const struct token *token, unsigned permissions, const char *zone);

#endif
