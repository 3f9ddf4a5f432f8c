/* rules.h - configuration rules of a zone: what replaced page rules (cloudflare/API.md). */
#ifndef ORIGIN_CA_CLOUDFLARE_RULES_H
#define ORIGIN_CA_CLOUDFLARE_RULES_H

#include "cloudflare/client.h"

enum {
	RULE_EXPRESSION_LIMIT = 4096 /* characters that Cloudflare takes */
};

/*
 * The expression for the names of a certificate, `http.host in {"a.example"}`, a wildcard as
 * `ends_with(http.host, ".a.example")`: Cloudflare's language has no test of one label, so deeper
 * names are meant as well. -E2BIG, class configuration, with a remedy, when it is too long.
 */
int rule_expression(const struct string_list *hostnames, char **ret_expression,
		    struct error *error);

/*
 * Makes sure that a rule with this expression sets ssl to strict: looks at the zone's rules, and
 * appends one when there is none. The rules that are there are never written. Returns 1 when one
 * was added, 0 when it was there. `ret_stale` (free() it) gets the expression of an enabled rule
 * with the same description and another expression, which stays, or NULL. -EACCES, class
 * authorization, with the permission.
 */
int rule_ssl_strict(struct client *client, const char *zone_id, const char *expression,
		    const char *description, char **ret_stale, struct error *error);

#endif
