/* hostnames.h - which names a certificate may carry (cloudflare/API.md, `hostnames`, 1010, 1016).
 */
#ifndef ORIGIN_CA_SANDBOX_HOSTNAMES_H
#define ORIGIN_CA_SANDBOX_HOSTNAMES_H

#include "exchange.h"

enum {
	HOSTNAMES_LIMIT = 100 /* a certificate */
};

/* Copies without what differs in case only; says how many were left out. */
size_t hostnames_unique(const struct string_list *from, struct string_list *to);

void hostnames_lower(const struct string_list *from, struct string_list *to);

/* Another order, the same one for the same seed. */
void hostnames_shuffle(struct string_list *list, const char *seed);

/* True for a fully qualified name, at most one wildcard label, leftmost; no addresses. */
bool hostname_valid(const char *hostname);

/* 0 and `issued->zone_ids` when the token may have a certificate for all of its hostnames, else
 * a negative errno and the reply. */
int hostnames_allow(struct sandbox *sandbox, const struct request *request, struct issued *issued,
		    struct reply *reply);

#endif
