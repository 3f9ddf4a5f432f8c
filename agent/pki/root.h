/*
 * root.h - the Origin CA roots that a leaf's signature is checked with, and the third certificate
 * that Cloudflare publishes beside them, the authority of its own client certificate.
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

enum root_kind {
	ROOT_ORIGIN_ECC,
	ROOT_ORIGIN_RSA,
	ROOT_PULL, /* Authenticated Origin Pulls: signs no leaf of an origin */
	ROOT_KIND_COUNT,
};

/* What is published at ADDRESS/FILE (cloudflare/API.md), and the name under which it is kept. */
struct root_publication {
	const char *file;    /* "origin_ca_ecc_root.pem" */
	const char *sha256;  /* of the DER, upper-case hex */
	const char *purpose; /* "the Origin CA ECC root", for messages */
};
extern const struct root_publication root_publications[ROOT_KIND_COUNT];

enum {
	ROOT_TEXT_LIMIT = 1 << 16, /* bytes of a published file */
};

/*
 * Takes the certificate from the text of a published file: exactly one, whose SHA-256 is the
 * published one of that very file or among `pins` (may be NULL). Free it with X509_free(). Class
 * configuration, with a remedy, for another (-EKEYREJECTED); -EBADMSG (class transient: a proxy's
 * page, a body that was cut) when the text is not one certificate; -EFBIG when it is too long.
 */
int root_read_pem(enum root_kind kind, const char *pem, size_t length,
		  const struct string_list *pins, X509 **ret_root, struct error *error);

/* The root that signed the leaf, by verifying the signature (its dates do not matter), or NULL. It
 * stays the list's. */
X509 *root_list_signer(const struct root_list *roots, X509 *leaf);

/*
 * Reads every `*.pem` of an open directory and keeps the certificates whose SHA-256 is published
 * or among `pins` (upper- or lower-case hex, may be NULL). A file that does not parse or is not
 * pinned is not used; its message is appended to `ret_warnings` (may be NULL). The file of
 * ROOT_PULL is passed over without a word. An absent or empty directory (fd -1) gives an empty
 * list. Negative errno only when the directory cannot be listed.
 */
int root_list_load(int directory, const char *where, const struct string_list *pins,
		   struct root_list *ret_roots, struct string_list *ret_warnings,
		   struct error *error);

void root_list_free(struct root_list *roots);

#endif
