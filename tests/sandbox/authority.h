/*
 * authority.h - the sandbox's own certificate authorities and the leaves that they sign.
 *
 * What it makes is named like Cloudflare's (subject style, extensions, end date of the roots) but
 * says in its organisation that it is not. Everything is made once and kept in the state directory.
 */
#ifndef ORIGIN_CA_SANDBOX_AUTHORITY_H
#define ORIGIN_CA_SANDBOX_AUTHORITY_H

#include <openssl/x509.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"

enum algorithm {
	ALGORITHM_ECC,
	ALGORITHM_RSA,
	ALGORITHM_COUNT
};

/* "origin-ecc", "origin-rsa"; parsing gives -EINVAL for another word. */
const char *algorithm_request_type(enum algorithm algorithm);
int algorithm_parse(const char *request_type, enum algorithm *ret_algorithm);

struct authority {
	X509 *root[ALGORITHM_COUNT];
	EVP_PKEY *root_key[ALGORITHM_COUNT];
	char *root_pem[ALGORITHM_COUNT];
	X509 *pull_ca; /* signs the client certificate of Authenticated Origin Pulls */
	char *pull_ca_pem;
	char *tls_key_pem; /* the API's own server certificate, by a CA of its own (ca.pem) */
	char *tls_certificate_pem;
	EVP_PKEY *stranger; /* nobody's key, for leaves that must not be accepted */
};

enum {
	ROOT_EXPIRES_DEFAULT = 1881507600 /* 2029-08-15T17:00:00Z, as both published roots */
};

/* Loads from the directory, or makes what is missing there. `root_expires`: seconds UTC. */
int authority_open(int directory, const char *where, int64_t root_expires,
		   struct authority *ret_authority, struct error *error);
void authority_free(struct authority *authority);

/* Ways in which a leaf can be made wrong on purpose. */
enum leaf_defect {
	LEAF_SOUND,
	LEAF_WRONG_KEY,	   /* another public key than the CSR's */
	LEAF_WRONG_SIGNER, /* right issuer name, signed by nobody's key */
};

struct leaf_request {
	EVP_PKEY *key;
	enum algorithm algorithm; /* of the root that signs */
	const struct string_list *hostnames;
	int64_t not_before, not_after;
	enum leaf_defect defect;
};

/* Signs a leaf. `ret_pem` ends with a newline for every other serial, as seen in the wild.
 * Returns 0, or -EIO when OpenSSL fails. Safe to call from several threads. */
int leaf_sign(const struct authority *authority, const struct leaf_request *request, char **ret_id,
	      char **ret_pem);

/*
 * Reads the key of a PEM request. -EINVAL: not PEM, not a CSR, or not signed by its key. -ENOTSUP:
 * not RSA (2048 to 8192 bits) nor ECDSA on P-256, P-384 or P-521.
 */
int csr_read(const char *pem, EVP_PKEY **ret_key, enum algorithm *ret_algorithm);

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_CLEANUP(X509 *, X509_free)

#endif
