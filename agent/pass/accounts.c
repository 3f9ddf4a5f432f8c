#include "pass/accounts.h"

#include <errno.h>

#include "base/clock.h"

void accounts_init(const struct config *config, int64_t seconds, struct accounts *ret_accounts)
{
	struct accounts accounts = {
		.items = memory_alloc(config->api_count, sizeof(*accounts.items)),
		.count = config->api_count,
		.deadline_ms = clock_monotonic_ms() + seconds * 1000,
	};
	for (size_t i = 0; i < accounts.count; i++) {
		struct account *account = &accounts.items[i];
		account->api = config->apis[i];
		account->used = accounts.count == 1 || config->certificate_count == 0;
		for (size_t j = 0; j < config->certificate_count; j++)
			account->used |= config->certificates[j]->api == account->api;
	}
	*ret_accounts = accounts;
}

void accounts_free(struct accounts *accounts)
{
	for (size_t i = 0; i < accounts->count; i++) {
		client_free(accounts->items[i].client);
		zone_cache_free(&accounts->items[i].zones);
	}
	free(accounts->items);
	*accounts = (struct accounts){0};
}

int account_client(struct account *account, const struct accounts *accounts,
		   struct client **ret_client, struct error *error)
{
	if (!account->client && !account->error.code)
		client_new(account->api, accounts->deadline_ms, &account->client, &account->error);
	if (!account->client) {
		if (error)
			*error = account->error;
		return account->error.code;
	}
	*ret_client = account->client;
	return 0;
}

struct account *accounts_find(const struct accounts *accounts, const struct config_api *api)
{
	for (size_t i = 0; i < accounts->count; i++)
		if (accounts->items[i].api == api)
			return &accounts->items[i];
	return NULL;
}

static int get_from(struct accounts *accounts, struct account *account, const char *id,
		    struct origin_certificate *ret_certificate, struct error *error)
{
	struct client *client = NULL;
	int result = account_client(account, accounts, &client, error);
	return result < 0 ? result : origin_ca_get(client, id, ret_certificate, error);
}

int accounts_get(struct accounts *accounts, struct account *first, const char *id,
		 struct origin_certificate *ret_certificate, struct account **ret_account,
		 struct error *error)
{
	struct error failed = {0};
	struct error absent = {0};
	for (size_t i = 0; i <= accounts->count; i++) {
		struct account *account = i ? &accounts->items[i - 1] : first;
		struct error reason = {0};
		if (!account || (i && (account == first || !account->used)))
			continue;
		int result = get_from(accounts, account, id, ret_certificate, &reason);
		if (result == 0) {
			*ret_account = account;
			return 0;
		}
		if (result == -EINVAL && reason.class == ERROR_CONFIGURATION) {
			absent = failed = reason; /* it is no id: nobody needs to be asked */
			break;
		}
		if (result == -ENOENT)
			absent = reason;
		else if (!failed.code)
			failed = reason;
	}
	const struct error *reason = failed.code ? &failed : &absent;
	if (!reason->code)
		return error_set(error, ERROR_CONFIGURATION, -ENOENT, "no account is configured");
	if (error)
		*error = *reason;
	return reason->code;
}
