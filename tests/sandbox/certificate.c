#include "certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "authority.h"
#include "base/memory.h"

enum {
	SERIAL_BITS = 158
};

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)

X509_NAME *subject_new(const char *const *fields)
{
	X509_NAME *name = X509_NAME_new();
	for (; name && *fields; fields += 2) {
		if (!X509_NAME_add_entry_by_txt(name, fields[0], MBSTRING_UTF8,
						(const unsigned char *)fields[1], -1, -1, 0)) {
			X509_NAME_free(name);
			return NULL;
		}
	}
	return name;
}

BIGNUM *serial_new(void)
{
	BIGNUM *serial = BN_new();
	if (serial && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
	    !BN_is_zero(serial))
		return serial;
	BN_free(serial);
	return NULL;
}

static int extension_add(X509 *certificate, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, context, nid, value);
	int added = extension && X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

static int certificate_fill(X509 *certificate, const struct certificate_plan *plan)
{
	CLEANUP(BN_freep) BIGNUM *serial = serial_new();
	const X509_NAME *issuer = plan->issuer ? plan->issuer : plan->subject;
	if (!serial || !X509_set_version(certificate, X509_VERSION_3) ||
	    !BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) ||
	    !X509_set_subject_name(certificate, plan->subject) ||
	    !X509_set_issuer_name(certificate, issuer) ||
	    !X509_set_pubkey(certificate, plan->key) ||
	    !ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)plan->not_before) ||
	    !ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)plan->not_after))
		return 0;

	X509V3_CTX context;
	X509V3_set_ctx(&context, plan->issuer_certificate ? plan->issuer_certificate : certificate,
		       certificate, NULL, NULL, 0);
	for (size_t i = 0; i < plan->extension_count; i++)
		if (!extension_add(certificate, &context, plan->extensions[i].nid,
				   plan->extensions[i].value))
			return 0;
	return !plan->alternative_names ||
	       extension_add(certificate, &context, NID_subject_alt_name, plan->alternative_names);
}

X509 *certificate_new(const struct certificate_plan *plan)
{
	X509 *certificate = X509_new();
	if (certificate && certificate_fill(certificate, plan) &&
	    X509_sign(certificate, plan->signer, EVP_sha256()))
		return certificate;
	X509_free(certificate);
	ERR_clear_error();
	return NULL;
}

static char *bio_text(BIO *bio)
{
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	return length > 0 ? string_copy_n(data, (size_t)length) : NULL;
}

char *certificate_pem(X509 *certificate)
{
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	return bio && PEM_write_bio_X509(bio, certificate) ? bio_text(bio) : NULL;
}

char *key_pem(EVP_PKEY *key)
{
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || !PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return NULL;
	return bio_text(bio);
}
