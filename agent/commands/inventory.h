/* inventory.h - what `list`, `show` and `revoke` say about one certificate of the API. */
#ifndef ORIGIN_CA_COMMANDS_INVENTORY_H
#define ORIGIN_CA_COMMANDS_INVENTORY_H

#include "commands/command.h"
#include "pass/accounts.h"
#include "pass/holdings.h"
#include "pass/serving.h"

/* What all three are made of. */
struct inventory {
	const struct config *config;
	struct store store;
	struct holdings holdings;
	struct accounts accounts;
	int64_t now;
};

/* Opens the state directory, if there is one, and reads what this host holds. With `lock` no pass
 * can run meanwhile: -EWOULDBLOCK while one does. */
int inventory_open(const struct config *config, bool lock, struct inventory *ret_inventory,
		   struct error *error);
void inventory_close(struct inventory *inventory);

/* A certificate of the API, joined with what this host holds. Points into both. */
struct inventory_entry {
	const struct origin_certificate *certificate;
	const struct holding *holding; /* or NULL */
	enum holding_state state;
	int64_t not_after;
};

struct inventory_entry inventory_join(const struct inventory *inventory,
				      const struct origin_certificate *certificate);

/* {"id", "state", "hostnames", "not_after", "revoked_at", "certificate", "generation",
 * "serving" (targets that were last seen serving it)}, appended to `json`. */
void inventory_entry_json(const struct inventory_entry *entry, cJSON *json);

/*
 * The certificate that ID|NAME means (of NAME, the newest generation's), as the API has it; an id
 * in hexadecimal is asked for in decimal as well, when there is none. -ENOENT and -EINVAL, class
 * configuration, with words that fit.
 */
int inventory_get(struct inventory *inventory, const char *argument,
		  struct origin_certificate *ret_certificate, struct account **ret_account,
		  struct error *error);

/* The names to ask servers for, and the type of its key, from the leaf; question->id and hostnames
 * point into the certificate. */
struct serving_question inventory_question(const struct origin_certificate *certificate);

#endif
