/*
 * hostname.h - the names that Cloudflare's Origin CA takes (cloudflare API, POST /certificates).
 */
#ifndef ORIGIN_CA_CONFIG_HOSTNAME_H
#define ORIGIN_CA_CONFIG_HOSTNAME_H

#include <stdbool.h>

#include "base/error.h"

/*
 * Checks and normalises one hostname: IDNA 2008 (UTS #46, non-transitional) to A-labels by
 * libidn2, lower case, no final dot, at most 253 bytes, at least two labels, at most one wildcard
 * label and only leftmost ("*.example.com"), no IP address. Pure ASCII does not load libidn2's
 * tables. `ret_ascii` is the caller's (free()). Errors are of class configuration, with a remedy
 * where there is one.
 */
int hostname_normalise(const char *text, char **ret_ascii, struct error *error);

/* True when certificate name `pattern` (perhaps a wildcard) covers `name`; both normalised. A
 * wildcard covers exactly one label (RFC 6125, 6.4.3). `name` may itself be a wildcard. */
bool hostname_covers(const char *pattern, const char *name);

#endif
