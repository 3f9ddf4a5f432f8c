#include "cloudflare/zone_cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

bool zone_holds(const char *zone, const char *hostname)
{
	size_t outer = strlen(zone);
	size_t inner = strlen(hostname);
	return inner >= outer && strcasecmp(hostname + inner - outer, zone) == 0 &&
	       (inner == outer || hostname[inner - outer - 1] == '.');
}

static const struct zone *zone_keep(struct zone_cache *cache, const struct zone *zone)
{
	struct zone *kept = memory_alloc(1, sizeof(*kept));
	*kept = *zone;
	cache->items = memory_grow(cache->items, cache->count, sizeof(struct zone *));
	cache->items[cache->count++] = kept;
	return kept;
}

/* The innermost of those that are known. */
static const struct zone *zone_known(const struct zone_cache *cache, const char *hostname)
{
	const struct zone *found = NULL;
	for (size_t i = 0; i < cache->count; i++)
		if (zone_holds(cache->items[i]->name, hostname) &&
		    (!found || strlen(cache->items[i]->name) > strlen(found->name)))
			found = cache->items[i];
	return found;
}

int zone_cache_find(struct zone_cache *cache, struct client *client, const char *hostname,
		    const struct zone **ret_zone, struct error *error)
{
	const char *name = string_starts(hostname, "*.") ? hostname + 2 : hostname;
	const struct zone *known = zone_known(cache, name);
	if (known) {
		*ret_zone = known;
		return 0;
	}
	if (cache->refusal.code) {
		if (error)
			*error = cache->refusal;
		return cache->refusal.code;
	}
	if (string_list_has(&cache->absent, name))
		return error_set(error, ERROR_CONFIGURATION, -ENOENT,
				 "no zone that the token can see holds %s", name);

	struct zone zone = {0};
	struct error failure = {0};
	int result = zone_find(client, name, &zone, &failure);
	if (result == 0) {
		*ret_zone = zone_keep(cache, &zone);
		return 0;
	}
	if (failure.class == ERROR_AUTHORIZATION)
		cache->refusal = failure;
	else if (failure.class == ERROR_CONFIGURATION)
		string_list_add(&cache->absent, name);
	if (error)
		*error = failure;
	return result;
}

static const struct zone *zone_by_id(const struct zone_cache *cache, const char *id)
{
	for (size_t i = 0; i < cache->count; i++)
		if (strcasecmp(cache->items[i]->id, id) == 0)
			return cache->items[i];
	return NULL;
}

int zone_cache_find_or(struct zone_cache *cache, struct client *client, const char *hostname,
		       const char *zone_id, const struct zone **ret_zone, struct error *error)
{
	struct error refused = {0};
	int result = zone_cache_find(cache, client, hostname, ret_zone, &refused);
	if (result != -EACCES || !zone_id) {
		if (result < 0 && error)
			*error = refused;
		return result;
	}
	*ret_zone = zone_by_id(cache, zone_id);
	if (*ret_zone)
		return 0;
	/* GET /zones/ID is open to a token that may read the zone's certificates. */
	struct zone zone = {0};
	if (zone_get(client, zone_id, &zone, NULL) < 0) {
		snprintf(zone.id, sizeof(zone.id), "%.32s", zone_id);
		snprintf(zone.name, sizeof(zone.name), "%.32s", zone_id);
	}
	*ret_zone = zone_keep(cache, &zone);
	return 0;
}

void zone_cache_free(struct zone_cache *cache)
{
	for (size_t i = 0; i < cache->count; i++)
		free(cache->items[i]);
	free(cache->items);
	string_list_free(&cache->absent);
	*cache = (struct zone_cache){0};
}
