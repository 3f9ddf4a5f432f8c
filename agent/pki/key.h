/*
 * key.h - private keys: made, written as PKCS#8 PEM, read back. OpenSSL 3's EVP only.
 */
#ifndef ORIGIN_CA_PKI_KEY_H
#define ORIGIN_CA_PKI_KEY_H

#include <openssl/evp.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/model.h"

/* Makes a key. Class local when OpenSSL cannot. Free with EVP_PKEY_free(). */
int key_generate(enum key_type type, EVP_PKEY **ret_key, struct error *error);

/* "-----BEGIN PRIVATE KEY-----" (PKCS#8, unencrypted) appended to `pem`; wipe it after use. */
int key_write_pem(EVP_PKEY *key, struct buffer *pem, struct error *error);

/*
 * Reads the first private key in PEM text (PKCS#8, SEC 1 or PKCS#1) with anything around it; never
 * asks for a password. -EKEYREJECTED (class configuration, with a remedy) when it is encrypted,
 * -EBADMSG (class local) when there is none or it does not parse, -EFBIG above 1 MiB.
 */
int key_read_pem(const char *pem, size_t length, EVP_PKEY **ret_key, struct error *error);

/*
 * Reads the user's own key from a file (absolute path). All errors of what is in it are class
 * configuration, start with the path and have a remedy: absent, not readable by this user,
 * encrypted
 * (-EKEYREJECTED), no key in it (-EBADMSG), a type that is none of ours (-EINVAL). `ret_warning`
 * (may be NULL) gets a sentence to free(), or NULL: that everyone on this host can read it.
 */
int key_read_file(const char *path, EVP_PKEY **ret_key, char **ret_warning, struct error *error);

/* False for a key of which only the public half is here. */
bool key_is_private(const EVP_PKEY *key);

/* The words for a type in a sentence: "an ECDSA P-256 key". */
const char *key_type_words(enum key_type type);

/* What kind of key it is in a word or two, for one that is none of ours: "Ed25519", "EC". */
const char *key_algorithm_name(const EVP_PKEY *key);

/* Which of our types it is; -EINVAL for any other (another curve, another size). */
int key_type_of(const EVP_PKEY *key, enum key_type *ret_type);

/* The digest to sign with: SHA-384 for P-384, SHA-256 for all others. */
const EVP_MD *key_digest(const EVP_PKEY *key);

enum {
	SHA256_TEXT_SIZE = 65
}; /* lower-case hex and a final 0 */

/* SHA-256 of the DER SubjectPublicKeyInfo: what makes a key the same key (RFC 7469's pin). */
int key_spki_sha256(const EVP_PKEY *key, char text[static SHA256_TEXT_SIZE], struct error *error);

/* SHA-256 of bytes, as lower-case hex. Returns `text`. An OpenSSL without SHA-256 ends the process,
 * as running out of memory does (memory.h). */
const char *digest_sha256(const void *data, size_t length, char text[static SHA256_TEXT_SIZE]);

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

#endif
