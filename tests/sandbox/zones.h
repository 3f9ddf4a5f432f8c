/* zones.h - the zones of the sandbox's account and what is set in them. */
#ifndef ORIGIN_CA_SANDBOX_ZONES_H
#define ORIGIN_CA_SANDBOX_ZONES_H

#include <pthread.h>

#include "base/error.h"
#include "base/json.h"
#include "base/list.h"
#include "identifier.h"

struct zone {
	char id[IDENTIFIER_SIZE];
	char *name; /* lower-case A-labels */
	/*
	 * What can change, kept in zones.json: `status`, `paused`, `settings` (by name: value and
	 * modified_on), `dns_records`, `pagerules`, `ruleset` (absent until there is one). To be
	 * read and changed between zones_lock() and zones_unlock() only.
	 */
	cJSON *data;
};

struct zones {
	pthread_mutex_t lock;
	struct zone *items;
	size_t count;
	int directory; /* the state directory, borrowed */
	const char *where;
};

/*
 * `specifications`: "NAME[:STATUS]", STATUS active, pending, initializing, moved or paused; what
 * zones.json remembers of a zone is taken up again, save a STATUS that is given.
 */
int zones_open(int directory, const char *where, const struct string_list *specifications,
	       struct zones *ret_zones, struct error *error);
void zones_free(struct zones *zones);

void zones_lock(struct zones *zones);
void zones_unlock(struct zones *zones);
/* Writes zones.json; the lock must be held. Failing is logged only. */
void zones_save(struct zones *zones);

/* NULL when there is none. Zones never go away. */
struct zone *zones_by_id(const struct zones *zones, const char *id);
struct zone *zones_by_name(const struct zones *zones, const char *name);
/* The longest zone that holds a hostname (lower case, perhaps with a wildcard). */
struct zone *zones_of_hostname(const struct zones *zones, const char *hostname);

/* True when certificates can be had for its names. Takes the lock. */
bool zone_active(struct zones *zones, const struct zone *zone);

#endif
