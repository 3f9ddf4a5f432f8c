#include "pass/holdings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "store/generation.h"
#include "store/state.h"

/* The targets whose snippet names the generation, and those that were last seen serving it. */
static void targets_collect(const struct state *state, unsigned generation, struct holding *holding)
{
	for (size_t i = 0; i < state->target_count; i++) {
		const struct state_target *target = &state->targets[i];
		if (target->generation == generation)
			string_list_add(&holding->snippets, target->name);
		if (target->generation == generation && target->verified_generation == generation &&
		    !target->attempt.count)
			string_list_add(&holding->targets, target->name);
	}
}

static void holding_add(struct holdings *holdings, const char *name,
			const struct generation_meta *meta, const struct state *state,
			bool configured, bool newest)
{
	struct holding holding = {
		.name = string_copy(name),
		.generation = meta->number,
		.not_after = meta->facts.not_after,
		.configured = configured,
		.newest = newest,
	};
	if (!serial_read(meta->facts.serial, holding.serial)) {
		free(holding.name);
		return;
	}
	string_list_copy(&holding.hostnames, &meta->facts.hostnames);
	targets_collect(state, meta->number, &holding);
	holdings->items = memory_grow(holdings->items, holdings->count, sizeof(*holdings->items));
	holdings->items[holdings->count++] = holding;
}

static int certificate_collect(const struct config *config, const struct store *store,
			       const char *name, struct holdings *holdings, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) char *where = string_format("%s/certificates/%s", store->path, name);
	CLEANUP(freep) unsigned *numbers = NULL;
	CLEANUP(state_free) struct state state = {0};
	size_t count = 0;
	bool rebuilt = false;
	int result = store_certificate_open(store, name, false, &directory, error);
	if (result == 0)
		result = generation_list(directory, where, &numbers, &count, error);
	/* Not known who serves it: nobody, then, until a handshake tells. */
	if (result == 0 && state_load(directory, where, &state, &rebuilt, NULL) < 0)
		state = (struct state){0};
	bool configured = config_certificate_find(config, name) != NULL;
	for (size_t i = 0; result == 0 && i < count; i++) {
		struct generation_meta meta = {0};
		struct error reason = {0};
		if (numbers[i] == 0)
			continue; /* the placeholder is no certificate of Cloudflare's */
		if (generation_describe(directory, where, numbers[i], &meta, &reason) < 0)
			log_failure(LOG_LEVEL_WARNING, &reason);
		else
			holding_add(holdings, name, &meta, &state, configured, i + 1 == count);
		generation_meta_free(&meta);
	}
	return result;
}

static int compare(const void *one, const void *other)
{
	const struct holding *left = one;
	const struct holding *right = other;
	int order = strcmp(left->serial, right->serial);
	if (order)
		return order;
	if ((left->targets.count > 0) != (right->targets.count > 0))
		return left->targets.count ? -1 : 1;
	return (left->generation < right->generation) - (left->generation > right->generation);
}

int holdings_load(const struct config *config, const struct store *store,
		  struct holdings *ret_holdings, struct error *error)
{
	CLEANUP(string_list_free) struct string_list names = {0};
	struct holdings holdings = {0};
	if (store->certificates < 0) {
		*ret_holdings = holdings;
		return 0;
	}
	int result = store_certificate_list(store, &names, error);
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		struct error reason = {0};
		if (certificate_collect(config, store, names.items[i], &holdings, &reason) < 0)
			log_failure(LOG_LEVEL_WARNING, &reason);
	}
	if (result < 0)
		return result;
	if (holdings.count)
		qsort(holdings.items, holdings.count, sizeof(*holdings.items), compare);
	*ret_holdings = holdings;
	return 0;
}

void holdings_free(struct holdings *holdings)
{
	for (size_t i = 0; i < holdings->count; i++) {
		free(holdings->items[i].name);
		string_list_free(&holdings->items[i].hostnames);
		string_list_free(&holdings->items[i].targets);
		string_list_free(&holdings->items[i].snippets);
	}
	free(holdings->items);
	*holdings = (struct holdings){0};
}

const struct holding *holdings_find(const struct holdings *holdings, const char *id)
{
	char serial[SERIAL_TEXT_SIZE];
	if (!serial_read(id, serial))
		return NULL;
	size_t low = 0;
	size_t high = holdings->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (strcmp(holdings->items[middle].serial, serial) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < holdings->count && strcmp(holdings->items[low].serial, serial) == 0
		       ? &holdings->items[low]
		       : NULL;
}

const struct holding *holdings_newest(const struct holdings *holdings, const char *name)
{
	for (size_t i = 0; i < holdings->count; i++)
		if (holdings->items[i].newest && strcmp(holdings->items[i].name, name) == 0)
			return &holdings->items[i];
	return NULL;
}

const char *holding_state_name(enum holding_state state)
{
	static const char *const names[] = {
		[HOLDING_SERVED] = "served",   [HOLDING_CURRENT] = "current",
		[HOLDING_WAITING] = "waiting", [HOLDING_SUPERSEDED] = "superseded",
		[HOLDING_FOREIGN] = "foreign", [HOLDING_EXPIRED] = "expired",
		[HOLDING_REVOKED] = "revoked",
	};
	return names[state];
}

enum holding_state holding_state(const struct config *config, const struct holding *holding,
				 int64_t not_after, int64_t revoked_at, int64_t now)
{
	if (revoked_at)
		return HOLDING_REVOKED;
	if (not_after && not_after <= now)
		return HOLDING_EXPIRED;
	if (!holding)
		return HOLDING_FOREIGN;
	if (holding->targets.count)
		return HOLDING_SERVED;
	if (!holding->newest || !holding->configured)
		return HOLDING_SUPERSEDED;
	const struct config_certificate *certificate =
		config_certificate_find(config, holding->name);
	return certificate && certificate->target_count == 0 ? HOLDING_CURRENT : HOLDING_WAITING;
}
