/* certificate.h - making X.509 certificates and their PEM. */
#ifndef ORIGIN_CA_SANDBOX_CERTIFICATE_H
#define ORIGIN_CA_SANDBOX_CERTIFICATE_H

#include <openssl/x509.h>
#include <stdint.h>

/* A subject as pairs of field and value, in the order of encoding, ended by NULL. */
typedef const char *const subject_fields[];

/* An extension in the syntax of OpenSSL's x509v3_config(5). */
struct extension {
	int nid;
	const char *value;
};

struct certificate_plan {
	X509_NAME *subject;
	const X509_NAME *issuer; /* NULL: self-issued */
	EVP_PKEY *key;		 /* what the certificate is for */
	EVP_PKEY *signer;
	X509 *issuer_certificate; /* for the authority key identifier; NULL: itself */
	int64_t not_before, not_after;
	const struct extension *extensions;
	size_t extension_count;
	const char *alternative_names; /* "DNS:a,DNS:b", or NULL */
};

/* NULL when OpenSSL fails. */
X509_NAME *subject_new(const char *const *fields);

/* A random serial of about 158 bits, as Cloudflare's (at most 49 decimal digits). */
BIGNUM *serial_new(void);

/* NULL when OpenSSL fails. */
X509 *certificate_new(const struct certificate_plan *plan);

/* PEM with a final newline; NULL when OpenSSL fails. free() it. */
char *certificate_pem(X509 *certificate);
char *key_pem(EVP_PKEY *key);

#endif
