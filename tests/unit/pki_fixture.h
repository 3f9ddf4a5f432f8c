/* pki_fixture.h - a small certificate authority, for tests of leaves. Include after cmocka.h. */
#ifndef ORIGIN_CA_TESTS_PKI_FIXTURE_H
#define ORIGIN_CA_TESTS_PKI_FIXTURE_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/clock.h"
#include "pki/key.h"
#include "pki/leaf.h"

#define NOW INT64_C(1795000000) /* 2026-11-18 */

/* What a leaf is to say; what is left out gets the value of a good leaf for 30 days. */
struct recipe {
	EVP_PKEY *key;		 /* the leaf's */
	EVP_PKEY *authority;	 /* signs */
	const char *names;	 /* as openssl.cnf writes subjectAltName; NULL: no extension */
	const char *common_name; /* default: Cloudflare's */
	const char *serial;	 /* decimal; default 4711 */
	int64_t not_before, not_after; /* default: NOW, NOW + 30 days */
};

static inline EVP_PKEY *make_key(enum key_type type)
{
	EVP_PKEY *key = NULL;
	struct error error = {0};
	if (key_generate(type, &key, &error) < 0)
		fail_msg("%s", error.message);
	return key;
}

static inline void set_name(X509_NAME *name, const char *text)
{
	assert_true(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
					       (const unsigned char *)text, -1, -1, 0));
}

static inline void add_extension(X509 *leaf, int kind, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
	assert_non_null(extension);
	assert_true(X509_add_ext(leaf, extension, -1));
	X509_EXTENSION_free(extension);
}

static inline void set_serial(X509 *leaf, const char *decimal)
{
	BIGNUM *number = NULL;
	assert_true(BN_dec2bn(&number, decimal) > 0);
	assert_non_null(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(leaf)));
	BN_free(number);
}

static inline void sign_leaf(X509 *leaf, EVP_PKEY *authority)
{
	assert_true(X509_sign(leaf, authority, EVP_sha256()) > 0);
}

static inline X509 *make_leaf(const struct recipe *recipe)
{
	X509 *leaf = X509_new();
	assert_non_null(leaf);
	assert_true(X509_set_version(leaf, X509_VERSION_3));
	set_serial(leaf, recipe->serial ? recipe->serial : "4711");
	set_name(X509_get_subject_name(leaf),
		 recipe->common_name ? recipe->common_name : "CloudFlare Origin Certificate");
	set_name(X509_get_issuer_name(leaf), "Test Authority");
	int64_t start = recipe->not_before ? recipe->not_before : NOW;
	int64_t end = recipe->not_after ? recipe->not_after : NOW + 30 * CLOCK_DAY;
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(leaf), (time_t)start));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(leaf), (time_t)end));
	assert_true(X509_set_pubkey(leaf, recipe->key));
	if (recipe->names)
		add_extension(leaf, NID_subject_alt_name, recipe->names);
	sign_leaf(leaf, recipe->authority ? recipe->authority : recipe->key);
	return leaf;
}

static inline X509 *make_root(EVP_PKEY *key, int64_t not_after)
{
	return make_leaf(&(struct recipe){
		.key = key, .common_name = "Test Authority", .not_after = not_after});
}

/* Nothing that failed may be left for the next one to be blamed on. */
static inline void assert_queue_empty(void)
{
	assert_int_equal(ERR_peek_error(), 0);
}

static inline void assert_says(const struct error *error, const char *words)
{
	if (!strstr(error->message, words) && !strstr(error->remedy, words))
		fail_msg("\"%s\" is not in \"%s\" nor in \"%s\"", words, error->message,
			 error->remedy);
}

#endif
