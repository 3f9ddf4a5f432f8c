/*
 * root.h - the Origin CA roots that a leaf's signature is checked with.
 */
#ifndef ORIGIN_CA_PKI_ROOT_H
#define ORIGIN_CA_PKI_ROOT_H

#include <openssl/x509.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"

struct root_list {
	X509 **items;
	size_t count;
};

/* SHA-256 of the DER of the two published Origin CA roots (cloudflare/API.md), upper-case hex. */
extern const char *const root_published_sha256[2];

/*
 * Reads every `*.pem` of an open directory and keeps the certificates whose SHA-256 is published
 * or among `pins` (upper- or lower-case hex, may be NULL). A file that does not parse or is not
 * pinned is not used; its message is appended to `ret_warnings` (may be NULL). An absent or empty
 * directory (fd -1) gives an empty list. Negative errno only when the directory cannot be listed.
 */
int root_list_load(int directory, const char *where, const struct string_list *pins,
		   struct root_list *ret_roots, struct string_list *ret_warnings,
		   struct error *error);

void root_list_free(struct root_list *roots);

#endif
