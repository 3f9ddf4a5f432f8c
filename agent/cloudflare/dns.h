/* dns.h - the DNS records of a zone: which names visitors reach through Cloudflare. */
#ifndef ORIGIN_CA_CLOUDFLARE_DNS_H
#define ORIGIN_CA_CLOUDFLARE_DNS_H

#include "cloudflare/client.h"

enum {
	DNS_RECORDS_LIMIT = 20000, /* of a zone that are looked at */
};

struct dns_record {
	const char *name; /* lower case is not promised */
	const char *type; /* "A", "AAAA", "CNAME" ... */
	bool proxied;	  /* through Cloudflare's edge */
};

/* Return 0 to go on, anything else to stop. The record lives as long as the call. */
typedef int dns_record_visit(const struct dns_record *record, void *context);

/*
 * GET /zones/ZONE/dns_records, in pages. -EACCES, class authorization, with the permission that it
 * takes (Zone > DNS > Read). Returns what stopped it, or 0.
 */
int dns_records_list(struct client *client, const char *zone_id, dns_record_visit *visit,
		     void *context, struct error *error);

#endif
