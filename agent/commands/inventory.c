#include "commands/inventory.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "pki/leaf.h"

enum {
	DEADLINE = 600 /* seconds that all calls of a command may take */
};

int inventory_open(const struct config *config, bool lock, struct inventory *ret_inventory,
		   struct error *error)
{
	struct inventory inventory = {
		.config = config,
		.store = {.fd = -1, .certificates = -1, .lock = -1},
		.now = clock_now(),
	};
	int result = store_open(config->agent.state_dir, false, &inventory.store, error);
	/* Nothing was ever done here: this host holds nothing. */
	if (result == -ENOENT) {
		error_clear(error);
		result = 0;
	} else if (result == 0 && lock) {
		result = store_lock(&inventory.store, error);
	}
	if (result == 0)
		result = holdings_load(config, &inventory.store, &inventory.holdings, error);
	if (result < 0) {
		store_close(&inventory.store);
		return result;
	}
	accounts_init(config, DEADLINE, &inventory.accounts);
	*ret_inventory = inventory;
	return 0;
}

void inventory_close(struct inventory *inventory)
{
	accounts_free(&inventory->accounts);
	holdings_free(&inventory->holdings);
	store_close(&inventory->store);
}

/* By the certificate itself, where there is one (cloudflare/API.md, "Certificate object"). */
static int64_t end_of(const struct origin_certificate *certificate)
{
	int64_t not_after = 0;
	return certificate->pem && leaf_read_end(certificate->pem, strlen(certificate->pem),
						 &not_after, NULL) == 0
		       ? not_after
		       : certificate->expires_on;
}

struct inventory_entry inventory_join(const struct inventory *inventory,
				      const struct origin_certificate *certificate)
{
	const struct holding *holding = holdings_find(&inventory->holdings, certificate->id);
	struct inventory_entry entry = {
		.certificate = certificate,
		.holding = holding,
		.not_after = end_of(certificate),
	};
	entry.state = holding_state(inventory->config, holding, entry.not_after,
				    certificate->revoked_at, inventory->now);
	return entry;
}

void inventory_entry_json(const struct inventory_entry *entry, cJSON *json)
{
	const struct holding *holding = entry->holding;
	json_add_string(json, "id", entry->certificate->id);
	json_add_string(json, "state", holding_state_name(entry->state));
	json_add_list(json, "hostnames", &entry->certificate->hostnames);
	json_add_time(json, "not_after", entry->not_after);
	json_add_time(json, "revoked_at", entry->certificate->revoked_at);
	if (!holding)
		return;
	json_add_string(json, "certificate", holding->name);
	json_add_integer(json, "generation", holding->generation);
	json_add_list(json, "serving", &holding->targets);
}

/* NULL, and an error, when it is neither a name nor an id. */
static const char *id_of(const struct inventory *inventory, const char *argument,
			 struct error *error)
{
	char serial[SERIAL_TEXT_SIZE];
	const struct holding *newest = holdings_newest(&inventory->holdings, argument);
	if (newest)
		return newest->serial;
	if (config_certificate_find(inventory->config, argument)) {
		error_set(error, ERROR_CONFIGURATION, -ENOENT, "%s has no certificate yet",
			  argument);
		return NULL;
	}
	if (serial_read(argument, serial))
		return argument;
	error_set(error, ERROR_CONFIGURATION, -EINVAL,
		  "\"%.60s\" is neither a certificate of this host nor an id", argument);
	error_remedy(error, "`list` shows the ids, up to 49 decimal digits (or 0x and hex digits), "
			    "and `status` the names");
	return NULL;
}

/* The account that a certificate of this host was asked for at; NULL: not known. */
static struct account *account_of(const struct inventory *inventory, const struct holding *holding)
{
	const struct config_certificate *certificate =
		holding ? config_certificate_find(inventory->config, holding->name) : NULL;
	return certificate ? accounts_find(&inventory->accounts, certificate->api) : NULL;
}

int inventory_get(struct inventory *inventory, const char *argument,
		  struct origin_certificate *ret_certificate, struct account **ret_account,
		  struct error *error)
{
	char serial[SERIAL_TEXT_SIZE];
	const char *id = id_of(inventory, argument, error);
	if (!id)
		return -EINVAL;
	struct account *first = account_of(inventory, holdings_find(&inventory->holdings, id));
	int result =
		accounts_get(&inventory->accounts, first, id, ret_certificate, ret_account, error);
	if (result == -ENOENT && serial_read(id, serial) && strcmp(serial, id) != 0) {
		error_clear(error);
		result = accounts_get(&inventory->accounts, first, serial, ret_certificate,
				      ret_account, error);
	}
	return result;
}

struct serving_question inventory_question(const struct origin_certificate *certificate)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {.key_type = KEY_TYPE_COUNT};
	if (certificate->pem &&
	    leaf_read_pem(certificate->pem, strlen(certificate->pem), &leaf, NULL) == 0 &&
	    leaf_facts_read(leaf, &facts, NULL) < 0)
		facts.key_type = KEY_TYPE_COUNT;
	return (struct serving_question){certificate->id, &certificate->hostnames, facts.key_type};
}
