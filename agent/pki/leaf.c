#include "pki/leaf.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pki/openssl_error.h"
#include "pki/pem.h"
#include "pki/san.h"

DEFINE_CLEANUP(BIGNUM *, BN_free)

int leaf_read_pem(const char *pem, size_t length, X509 **ret_leaf, struct error *error)
{
	CLEANUP(BIO_freep) BIO *text = NULL;
	int result = pem_open(pem, length, "certificate", &text, error);
	if (result < 0)
		return result;

	result = pem_next_certificate(text, ret_leaf, error);
	if (result < 0) {
		error_prefix(error, "cannot read the certificate");
		return result;
	}
	if (result == 0)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "cannot read the certificate: none in %zu bytes of text", length);
	return 0;
}

int leaf_write_pem(X509 *certificate, struct buffer *pem, struct error *error)
{
	ERR_clear_error();
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || !PEM_write_bio_X509(bio, certificate))
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot write a certificate as PEM");

	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	int result = buffer_add(pem, data, (size_t)length);
	if (result < 0)
		return error_set(error, ERROR_BUG, result,
				 "cannot write a certificate as PEM: more than %zu bytes",
				 pem->limit);
	return 0;
}

void leaf_facts_free(struct leaf_facts *facts)
{
	string_list_free(&facts->hostnames);
	*facts = (struct leaf_facts){0};
}

void leaf_facts_copy(struct leaf_facts *to, const struct leaf_facts *from)
{
	*to = *from;
	to->hostnames = (struct string_list){0};
	string_list_copy(&to->hostnames, &from->hostnames);
}

static int serial_read(const X509 *leaf, char text[static 64], struct error *error)
{
	/* RFC 5280, 4.1.2.2: at most 20 bytes, 49 digits. Zero and negative numbers exist. */
	const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
	if (ASN1_STRING_length(serial) > 20)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "cannot read the serial number: %d bytes, at most 20 are allowed",
				 ASN1_STRING_length(serial));
	CLEANUP(BN_freep) BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
	char *decimal = number ? BN_bn2dec(number) : NULL;
	if (!decimal)
		return openssl_error(error, ERROR_LOCAL, -ENOMEM, "cannot read the serial number");
	snprintf(text, 64, "%s", decimal);
	OPENSSL_free(decimal);
	return 0;
}

static int time_read(const ASN1_TIME *value, const char *what, int64_t *ret_time,
		     struct error *error)
{
	struct tm utc = {0};
	if (!ASN1_TIME_to_tm(value, &utc))
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "cannot read %s", what);
	*ret_time = (int64_t)timegm(&utc);
	return 0;
}

/* The DER as it stands in the leaf; the key itself need not be one that OpenSSL knows. */
static int spki_read(const X509 *leaf, char text[static SHA256_TEXT_SIZE], struct error *error)
{
	unsigned char *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	if (length <= 0)
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "cannot read the public key");
	digest_sha256(der, (size_t)length, text);
	OPENSSL_free(der);
	return 0;
}

int leaf_sha256(X509 *certificate, char text[static SHA256_TEXT_SIZE], struct error *error)
{
	ERR_clear_error();
	unsigned char *der = NULL;
	int length = i2d_X509(certificate, &der);
	if (length <= 0)
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "cannot encode the certificate");
	digest_sha256(der, (size_t)length, text);
	OPENSSL_free(der);
	return 0;
}

static int facts_fill(X509 *leaf, struct leaf_facts *facts, struct error *error)
{
	int result = serial_read(leaf, facts->serial, error);
	if (result == 0)
		result = time_read(X509_get0_notBefore(leaf), "notBefore", &facts->not_before,
				   error);
	if (result == 0)
		result = time_read(X509_get0_notAfter(leaf), "notAfter", &facts->not_after, error);
	if (result == 0)
		result = leaf_sha256(leaf, facts->sha256, error);
	if (result == 0)
		result = spki_read(leaf, facts->spki_sha256, error);
	if (result == 0)
		result = san_read(leaf, &facts->hostnames, NULL, error);
	string_list_sort(&facts->hostnames);

	const EVP_PKEY *key = X509_get0_pubkey(leaf);
	if (key)
		key_type_of(key, &facts->key_type);
	ERR_clear_error();
	return result;
}

int leaf_facts_read(X509 *leaf, struct leaf_facts *ret_facts, struct error *error)
{
	struct leaf_facts facts = {.key_type = KEY_TYPE_COUNT};
	ERR_clear_error();
	int result = facts_fill(leaf, &facts, error);
	if (result < 0) {
		leaf_facts_free(&facts);
		error_prefix(error, "cannot read the certificate");
		return result;
	}
	*ret_facts = facts;
	return 0;
}
