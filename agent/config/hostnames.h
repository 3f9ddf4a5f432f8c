/* hostnames.h - the hostnames of one certificate. */
#ifndef ORIGIN_CA_CONFIG_HOSTNAMES_H
#define ORIGIN_CA_CONFIG_HOSTNAMES_H

#include "config/value.h"

/*
 * Puts the items of `hostnames =` into the certificate, normalised; without any, the section's
 * name and its wildcard. More than Cloudflare takes, and two that are the same, are problems.
 */
int hostnames_read(const struct ini_section *section, const struct value_items *items,
		   struct config_certificate *certificate, struct problem_list *problems);

#endif
