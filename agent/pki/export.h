/*
 * export.h - the other forms in which servers and their tools take a key and its certificates.
 *
 * Each appends to a buffer. PEM forms need none of this: they are the texts themselves, one after
 * the other.
 */
#ifndef ORIGIN_CA_PKI_EXPORT_H
#define ORIGIN_CA_PKI_EXPORT_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/model.h"

enum {
	EXPORT_PASSWORD_LIMIT = 1024, /* bytes of a keystore's password */
};

/* The leaf in DER (".cer", ".der"): class local when OpenSSL cannot. */
int export_der(X509 *leaf, struct buffer *der, struct error *error);

/* A degenerate PKCS#7 SignedData (RFC 2315, 9.1) with the leaf and, unless it is NULL, the root, as
 * PEM "PKCS7": what Windows, Java and Tomcat's tools import. The same input gives the same bytes.
 */
int export_p7b(X509 *leaf, X509 *root, struct buffer *p7b, struct error *error);

/* The certificate with this SHA-256 (lower-case hex) in a file of export_p7b(); free it. -ENOENT
 * when it has none of it, -EBADMSG when it is no such file. */
int export_p7b_find(const char *p7b, size_t length, const char *sha256, X509 **ret_certificate,
		    struct error *error);

/*
 * A PKCS#12 keystore (RFC 7292) with the key, the leaf and, unless it is NULL, the root, all under
 * the friendly name `name` (Java's alias). AES-256-CBC with PBKDF2 over SHA-256 and a SHA-256 MAC:
 * read by OpenSSL 1.1 and later, Java 8u301, 11.0.12, 17 and later. Salts are random: two exports
 * differ. `password` is UTF-8 (but see export_password_suits_java()). Wipe the buffer after use.
 */
int export_p12(EVP_PKEY *key, X509 *leaf, X509 *root, const char *name, const char *password,
	       struct buffer *p12, struct error *error);

/* As above, for readers that know nothing newer: KEYSTORE_3DES is 3DES with PKCS#12's own
 * derivation and a SHA-1 MAC, which Windows Server 2012 to 2016 need (AES-256 is read from 2019
 * on). */
int export_p12_as(enum keystore_encryption encryption, EVP_PKEY *key, X509 *leaf, X509 *root,
		  const char *name, const char *password, struct buffer *p12, struct error *error);

/* Which of the two a keystore was made with, by its MAC; -EBADMSG (class local) when it is none. */
int export_p12_encryption(const void *data, size_t length, enum keystore_encryption *ret_encryption,
			  struct error *error);

/*
 * Holds a keystore against what it should be: 0 when the password opens it and it has this leaf,
 * its key, and the root or (NULL) nothing above it. -EKEYREJECTED when the password is another,
 * -EBADMSG when it is no keystore or holds something else. Both class local.
 */
int export_p12_check(const void *data, size_t length, const char *password, EVP_PKEY *key,
		     X509 *leaf, X509 *root, struct error *error);

/*
 * Reads a keystore's password: the first line of the file, without its end. -EINVAL (class
 * configuration, with a remedy) when it is empty, longer than EXPORT_PASSWORD_LIMIT, holds a 0 byte
 * or is not UTF-8; what the system says when it cannot be read. Free with secret_free().
 */
int export_password_read(const char *path, char **ret_password, struct error *error);

/* False for a password with anything but printable ASCII in it: OpenSSL takes it, Java (17) refuses
 * it with "Password is not ASCII" for these algorithms, and so does Tomcat. */
bool export_password_suits_java(const char *password);

#endif
