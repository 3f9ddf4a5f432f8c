/*
 * export_p12.c - PKCS#12 keystores.
 *
 * What Java and OpenSSL write today (KEYSTORE_AES256): PBES2 with AES-256-CBC and PBKDF2 over
 * HMAC-SHA-256 for key and certificates, and a MAC with SHA-256 over all of it. The old algorithms
 * (RC2, 3DES, SHA-1) are refused by hardened hosts, and are there for Windows alone
 * (KEYSTORE_3DES); the newer MAC (RFC 9579) is read by too few.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "pki/export.h"
#include "pki/key.h"
#include "pki/leaf.h"
#include "pki/openssl_error.h"

enum {
	ITERATIONS = 10000,	    /* what Java writes by itself */
	ITERATIONS_LIMIT = 1000000, /* that are worked through for a file that somebody put there */
};

DEFINE_CLEANUP(PKCS12 *, PKCS12_free)

static void certificates_free(STACK_OF(X509) * certificates)
{
	sk_X509_pop_free(certificates, X509_free);
}
DEFINE_CLEANUP(STACK_OF(X509) *, certificates_free)

/* A copy, because a name that is given to a certificate stays with it. */
static STACK_OF(X509) * above_make(X509 *root, const char *name)
{
	CLEANUP(certificates_freep) STACK_OF(X509) *above = sk_X509_new_null();
	CLEANUP(X509_freep) X509 *copy = X509_dup(root);
	if (!above || !copy ||
	    !X509_alias_set1(copy, (const unsigned char *)name, (int)strlen(name)) ||
	    sk_X509_push(above, copy) <= 0)
		return NULL;
	copy = NULL;
	return TAKE_PTR(above);
}

static PKCS12 *keystore_make(enum keystore_encryption encryption, EVP_PKEY *key, X509 *leaf,
			     X509 *root, const char *name, const char *password)
{
	bool old = encryption == KEYSTORE_3DES;
	int cipher = old ? NID_pbe_WithSHA1And3_Key_TripleDES_CBC : NID_aes_256_cbc;
	CLEANUP(certificates_freep)
	STACK_OF(X509) *above = root ? above_make(root, name) : NULL;
	if (root && !above)
		return NULL;
	/* mac_iter -1: none yet, the digest of the default one has changed over the years. */
	CLEANUP(PKCS12_freep)
	PKCS12 *keystore =
		PKCS12_create(password, name, key, leaf, above, cipher, cipher, ITERATIONS, -1, 0);
	if (!keystore || !PKCS12_set_mac(keystore, password, -1, NULL, 0, ITERATIONS,
					 old ? EVP_sha1() : EVP_sha256()))
		return NULL;
	return TAKE_PTR(keystore);
}

int export_p12(EVP_PKEY *key, X509 *leaf, X509 *root, const char *name, const char *password,
	       struct buffer *p12, struct error *error)
{
	return export_p12_as(KEYSTORE_AES256, key, leaf, root, name, password, p12, error);
}

int export_p12_as(enum keystore_encryption encryption, EVP_PKEY *key, X509 *leaf, X509 *root,
		  const char *name, const char *password, struct buffer *p12, struct error *error)
{
	ERR_clear_error();
	CLEANUP(PKCS12_freep)
	PKCS12 *keystore = keystore_make(encryption, key, leaf, root, name, password);
	unsigned char *data = NULL;
	int length = keystore ? i2d_PKCS12(keystore, &data) : -1;
	if (length <= 0)
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot make a PKCS#12 keystore");
	int result = buffer_add(p12, data, (size_t)length);
	OPENSSL_clear_free(data, (size_t)length);
	ERR_clear_error();
	if (result < 0)
		return error_set(error, ERROR_BUG, result,
				 "cannot make a PKCS#12 keystore: more than %zu bytes", p12->limit);
	return 0;
}

static int refuse(struct error *error, const char *why)
{
	ERR_clear_error();
	return error_set(error, ERROR_LOCAL, -EBADMSG, "not the keystore that it should be: %s",
			 why);
}

/* The password, before anything else is believed. */
static int keystore_open(const void *data, size_t length, const char *password,
			 PKCS12 **ret_keystore, struct error *error)
{
	const unsigned char *at = data;
	CLEANUP(PKCS12_freep)
	PKCS12 *keystore = length <= INT32_MAX ? d2i_PKCS12(NULL, &at, (long)length) : NULL;
	if (!keystore)
		return refuse(error, "it is no PKCS#12 file");
	if (at != (const unsigned char *)data + length)
		return refuse(error, "there are bytes after its end");
	if (!PKCS12_mac_present(keystore))
		return refuse(error, "it has no MAC");
	const ASN1_INTEGER *iterations = NULL;
	PKCS12_get0_mac(NULL, NULL, NULL, &iterations, keystore);
	int64_t count = 1; /* when it is left out */
	if (iterations &&
	    (!ASN1_INTEGER_get_int64(&count, iterations) || count < 1 || count > ITERATIONS_LIMIT))
		return refuse(error, "its number of iterations is impossible");
	if (!PKCS12_verify_mac(keystore, password, -1)) {
		ERR_clear_error();
		return error_set(error, ERROR_LOCAL, -EKEYREJECTED,
				 "the password does not open the keystore");
	}
	*ret_keystore = TAKE_PTR(keystore);
	return 0;
}

int export_p12_encryption(const void *data, size_t length, enum keystore_encryption *ret_encryption,
			  struct error *error)
{
	const unsigned char *at = data;
	CLEANUP(PKCS12_freep)
	PKCS12 *keystore = length <= INT32_MAX ? d2i_PKCS12(NULL, &at, (long)length) : NULL;
	const X509_ALGOR *digest = NULL;
	const ASN1_OBJECT *name = NULL;
	if (!keystore || !PKCS12_mac_present(keystore))
		return refuse(error, "it is no PKCS#12 file with a MAC");
	PKCS12_get0_mac(NULL, &digest, NULL, NULL, keystore);
	X509_ALGOR_get0(&name, NULL, NULL, digest);
	*ret_encryption = OBJ_obj2nid(name) == NID_sha1 ? KEYSTORE_3DES : KEYSTORE_AES256;
	return 0;
}

/* Both halves: a keystore whose private half is another one's would be served, and fail. */
static bool key_same(EVP_PKEY *one, EVP_PKEY *other)
{
	CLEANUP(buffer_wipe) struct buffer first = BUFFER(1 << 16);
	CLEANUP(buffer_wipe) struct buffer second = BUFFER(1 << 16);
	return one && key_write_pem(one, &first, NULL) == 0 &&
	       key_write_pem(other, &second, NULL) == 0 && first.length == second.length &&
	       memcmp(buffer_text(&first), buffer_text(&second), first.length) == 0;
}

static bool above_same(const STACK_OF(X509) * above, const X509 *root)
{
	int count = above ? sk_X509_num(above) : 0;
	return root ? count == 1 && X509_cmp(sk_X509_value(above, 0), root) == 0 : count == 0;
}

int export_p12_check(const void *data, size_t length, const char *password, EVP_PKEY *key,
		     X509 *leaf, X509 *root, struct error *error)
{
	CLEANUP(PKCS12_freep) PKCS12 *keystore = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *found = NULL;
	CLEANUP(X509_freep) X509 *certificate = NULL;
	CLEANUP(certificates_freep) STACK_OF(X509) *above = NULL;
	ERR_clear_error();
	int result = keystore_open(data, length, password, &keystore, error);
	if (result < 0)
		return result;
	if (!PKCS12_parse(keystore, password, &found, &certificate, &above))
		return refuse(error, "its contents do not parse");
	if (!key_same(found, key))
		return refuse(error, "it holds another key");
	if (!certificate || X509_cmp(certificate, leaf) != 0)
		return refuse(error, "it holds another certificate");
	if (!above_same(above, root))
		return refuse(error, "it holds another chain");
	ERR_clear_error();
	return 0;
}
