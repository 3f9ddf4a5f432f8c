#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "pki/leaf.h"
#include "pki/openssl_error.h"
#include "pki/san.h"

DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free)

static bool serial_set(X509 *leaf)
{
	/* Two placeholders with one issuer and one serial number are refused by some readers. */
	CLEANUP(BN_freep) BIGNUM *number = BN_new();
	return number && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
	       BN_to_ASN1_INTEGER(number, X509_get_serialNumber(leaf));
}

static bool name_set(X509 *leaf)
{
	static const unsigned char name[] = "origin-ca-agent placeholder";
	return X509_NAME_add_entry_by_NID(X509_get_subject_name(leaf), NID_commonName,
					  MBSTRING_UTF8, name, -1, -1, 0) &&
	       X509_set_issuer_name(leaf, X509_get_subject_name(leaf));
}

static bool extension_add(X509 *leaf, int kind, const char *value)
{
	CLEANUP(X509_EXTENSION_freep)
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
	return extension && X509_add_ext(leaf, extension, -1);
}

static bool usage_set(X509 *leaf, const EVP_PKEY *key)
{
	/* RSA keys also decrypt in the old TLS 1.2 suites; ECDSA keys only sign. */
	bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	return extension_add(leaf, NID_basic_constraints, "critical,CA:FALSE") &&
	       extension_add(leaf, NID_key_usage,
			     rsa ? "critical,digitalSignature,keyEncipherment"
				 : "critical,digitalSignature") &&
	       extension_add(leaf, NID_ext_key_usage, "serverAuth");
}

int leaf_make_placeholder(EVP_PKEY *key, const struct string_list *hostnames, int64_t now,
			  struct buffer *pem, struct error *error)
{
	CLEANUP(X509_EXTENSION_freep) X509_EXTENSION *names = NULL;
	int result = san_make(hostnames, false, &names, error);
	if (result < 0) {
		error_prefix(error, "cannot make the placeholder certificate");
		return result;
	}

	int64_t start = now - CLOCK_HOUR;
	ERR_clear_error();
	CLEANUP(X509_freep) X509 *leaf = X509_new();
	if (!leaf || !X509_set_version(leaf, X509_VERSION_3) || !serial_set(leaf) ||
	    !name_set(leaf) || !ASN1_TIME_set(X509_getm_notBefore(leaf), (time_t)start) ||
	    !ASN1_TIME_set(X509_getm_notAfter(leaf), (time_t)(start + 7 * CLOCK_DAY)) ||
	    !X509_set_pubkey(leaf, key) || !usage_set(leaf, key) ||
	    !X509_add_ext(leaf, names, -1) || X509_sign(leaf, key, key_digest(key)) <= 0)
		return openssl_error(error, ERROR_LOCAL, -EIO,
				     "cannot make the placeholder certificate");
	return leaf_write_pem(leaf, pem, error);
}
