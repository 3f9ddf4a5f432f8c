/* accounts.h - the accounts of the API, for commands that ask about certificates and zones. */
#ifndef ORIGIN_CA_PASS_ACCOUNTS_H
#define ORIGIN_CA_PASS_ACCOUNTS_H

#include "cloudflare/origin_ca.h"
#include "cloudflare/zone_cache.h"
#include "config/model.h"

/* One account. */
struct account {
	const struct config_api *api;
	bool used;	       /* a certificate names it, or it is the only one */
	struct client *client; /* made when first needed: account_client() */
	struct error error;    /* why there is none */
	struct zone_cache zones;
};

struct accounts {
	struct account *items; /* as config->apis */
	size_t count;
	int64_t deadline_ms; /* of all calls */
};

/* `seconds`: that all calls may take together. Reads no token yet. */
void accounts_init(const struct config *config, int64_t seconds, struct accounts *ret_accounts);
void accounts_free(struct accounts *accounts);

/* Negative, and the reason, when its token cannot be used. */
int account_client(struct account *account, const struct accounts *accounts,
		   struct client **ret_client, struct error *error);

/* NULL when there is none of that api. */
struct account *accounts_find(const struct accounts *accounts, const struct config_api *api);

/*
 * GET /certificates/ID at the account that it is in: `first` (may be NULL) is asked before the
 * others. -ENOENT when no account knows it; otherwise the error of the first that could not be
 * asked.
 */
int accounts_get(struct accounts *accounts, struct account *first, const char *id,
		 struct origin_certificate *ret_certificate, struct account **ret_account,
		 struct error *error);

#endif
