/*
 * zone_cache.h - the zones of many hostnames, each asked for once.
 *
 * A thousand names of one zone cost one request, and a token that may not read zones is asked for
 * one only. A name below a zone that is known is taken to be that zone's: zones within zones, which
 * a few accounts have, are told apart only when the inner one was asked for first.
 */
#ifndef ORIGIN_CA_CLOUDFLARE_ZONE_CACHE_H
#define ORIGIN_CA_CLOUDFLARE_ZONE_CACHE_H

#include "cloudflare/zone.h"

struct zone_cache {
	struct zone **items;
	size_t count;
	struct string_list absent; /* names, without "*.", that are in no zone of the token */
	struct error refusal;	   /* why no zone can be asked for, or nothing */
};

/* The zone stays the cache's. Errors as zone_find()'s; they are remembered, but for transient ones.
 */
int zone_cache_find(struct zone_cache *cache, struct client *client, const char *hostname,
		    const struct zone **ret_zone, struct error *error);

/*
 * The zone of a configured certificate's name: by `zone_id` where that is written and the token may
 * not read zones (then the zone may have no name but its id, and an unknown status "").
 */
int zone_cache_find_or(struct zone_cache *cache, struct client *client, const char *hostname,
		       const char *zone_id, const struct zone **ret_zone, struct error *error);

void zone_cache_free(struct zone_cache *cache);

/* True when `hostname` is `zone` or below it. */
bool zone_holds(const char *zone, const char *hostname);

#endif
