#include "authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "certificate.h"

#define ORGANISATION "Origin CA Sandbox (not Cloudflare)"

enum {
	ROOT_NOT_BEFORE = 1566594480, /* 2019-08-23T21:08:00Z, as both published roots */
	TLS_DAYS = 3650,
	RSA_BITS = 2048,
	TEXT_LIMIT = 64 << 10,
};

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(X509_NAME *, X509_NAME_free)

const char *algorithm_request_type(enum algorithm algorithm)
{
	return algorithm == ALGORITHM_RSA ? "origin-rsa" : "origin-ecc";
}

int algorithm_parse(const char *request_type, enum algorithm *ret_algorithm)
{
	for (enum algorithm one = ALGORITHM_ECC; one < ALGORITHM_COUNT; one++) {
		if (request_type && strcmp(request_type, algorithm_request_type(one)) == 0) {
			*ret_algorithm = one;
			return 0;
		}
	}
	return -EINVAL;
}

static EVP_PKEY *key_new(enum algorithm algorithm)
{
	return algorithm == ALGORITHM_RSA ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
}

/* One certificate with its key, as a pair of files. */
struct pair {
	const char *certificate_name, *key_name;
	X509 *certificate;
	EVP_PKEY *key;
};

static void pair_clear(struct pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
	pair->certificate = NULL;
	pair->key = NULL;
}

static BIO *file_bio(int directory, const char *where, const char *name, struct buffer *contents)
{
	if (file_read_at(directory, where, name, contents, NULL) < 0)
		return NULL;
	return BIO_new_mem_buf(buffer_text(contents), (int)contents->length);
}

/* True when both files are there and belong together. */
static bool pair_load(int directory, const char *where, struct pair *pair)
{
	CLEANUP(buffer_wipe) struct buffer key_text = BUFFER(TEXT_LIMIT);
	CLEANUP(buffer_free) struct buffer certificate_text = BUFFER(TEXT_LIMIT);
	CLEANUP(BIO_freep) BIO *key_bio = file_bio(directory, where, pair->key_name, &key_text);
	CLEANUP(BIO_freep)
	BIO *certificate_bio =
		file_bio(directory, where, pair->certificate_name, &certificate_text);

	if (key_bio && certificate_bio) {
		pair->key = PEM_read_bio_PrivateKey(key_bio, NULL, NULL, NULL);
		pair->certificate = PEM_read_bio_X509(certificate_bio, NULL, NULL, NULL);
	}
	if (pair->key && pair->certificate &&
	    X509_check_private_key(pair->certificate, pair->key) == 1)
		return true;
	ERR_clear_error();
	pair_clear(pair);
	return false;
}

static int pair_save(int directory, const char *where, const struct pair *pair, struct error *error)
{
	CLEANUP(freep) char *key = key_pem(pair->key);
	CLEANUP(freep) char *certificate = certificate_pem(pair->certificate);
	if (!key || !certificate)
		return error_set(error, ERROR_LOCAL, -EIO, "cannot encode %s",
				 pair->certificate_name);
	/* The key first: a certificate without its key is made anew at the next start. */
	int result = file_write_at(directory, where, pair->key_name, key, strlen(key),
				   &FILE_ACCESS(0600), FILE_NO_SYNC, error);
	if (result < 0)
		return result;
	return file_write_at(directory, where, pair->certificate_name, certificate,
			     strlen(certificate), &FILE_ACCESS(0644), FILE_NO_SYNC, error);
}

static const struct extension ca_extensions[] = {
	{NID_key_usage, "critical,keyCertSign,cRLSign"},
	{NID_basic_constraints, "critical,CA:TRUE,pathlen:2"},
	{NID_subject_key_identifier, "hash"},
};

static int pair_failed(const struct pair *pair, struct error *error)
{
	return error_set(error, ERROR_LOCAL, -EIO, "cannot make %s: OpenSSL failed",
			 pair->certificate_name);
}

/* Loads, or makes and saves, a self-signed authority. */
static int ca_open(int directory, const char *where, enum algorithm algorithm,
		   const char *const *fields, int64_t not_before, int64_t not_after,
		   struct pair *pair, struct error *error)
{
	if (pair_load(directory, where, pair))
		return 0;
	CLEANUP(X509_NAME_freep) X509_NAME *subject = subject_new(fields);
	pair->key = key_new(algorithm);
	if (!subject || !pair->key)
		return pair_failed(pair, error);
	pair->certificate = certificate_new(&(struct certificate_plan){
		.subject = subject,
		.key = pair->key,
		.signer = pair->key,
		.not_before = not_before,
		.not_after = not_after,
		.extensions = ca_extensions,
		.extension_count = ARRAY_SIZE(ca_extensions),
	});
	return pair->certificate ? pair_save(directory, where, pair, error)
				 : pair_failed(pair, error);
}

/* Loads, or makes by `ca` and saves, an end entity's certificate. */
static int entity_open(int directory, const char *where, const char *const *fields,
		       const char *names, const char *purpose, const struct pair *ca,
		       struct pair *pair, struct error *error)
{
	if (pair_load(directory, where, pair) &&
	    X509_verify(pair->certificate, X509_get0_pubkey(ca->certificate)) == 1)
		return 0;
	pair_clear(pair);
	ERR_clear_error();

	const struct extension extensions[] = {
		{NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, purpose},
		{NID_basic_constraints, "critical,CA:FALSE"}, {NID_subject_key_identifier, "hash"},
		{NID_authority_key_identifier, "keyid"},
	};
	int64_t now = clock_now();
	CLEANUP(X509_NAME_freep) X509_NAME *subject = subject_new(fields);
	pair->key = key_new(ALGORITHM_ECC);
	if (!subject || !pair->key)
		return pair_failed(pair, error);
	pair->certificate = certificate_new(&(struct certificate_plan){
		.subject = subject,
		.issuer = X509_get_subject_name(ca->certificate),
		.issuer_certificate = ca->certificate,
		.key = pair->key,
		.signer = ca->key,
		.not_before = now - CLOCK_DAY,
		.not_after = now + TLS_DAYS * CLOCK_DAY,
		.extensions = extensions,
		.extension_count = ARRAY_SIZE(extensions),
		.alternative_names = names,
	});
	return pair->certificate ? pair_save(directory, where, pair, error)
				 : pair_failed(pair, error);
}

/* The published roots differ in the order of their subjects' fields, too. */
static const char *const root_subject[ALGORITHM_COUNT][11] = {
	[ALGORITHM_ECC] = {"C", "US", "ST", "California", "L", "San Francisco", "O", ORGANISATION,
			   "OU", "CloudFlare Origin SSL ECC Certificate Authority", NULL},
	[ALGORITHM_RSA] = {"C", "US", "O", ORGANISATION, "OU",
			   "CloudFlare Origin SSL Certificate Authority", "L", "San Francisco",
			   "ST", "California", NULL},
};

static int roots_open(int directory, const char *where, int64_t expires,
		      struct authority *authority, struct error *error)
{
	static const char *const names[ALGORITHM_COUNT][2] = {
		{"origin_ca_ecc_root.pem", "origin_ca_ecc_root.key"},
		{"origin_ca_rsa_root.pem", "origin_ca_rsa_root.key"},
	};
	for (enum algorithm one = ALGORITHM_ECC; one < ALGORITHM_COUNT; one++) {
		struct pair pair = {names[one][0], names[one][1], NULL, NULL};
		int result = ca_open(directory, where, one, root_subject[one], ROOT_NOT_BEFORE,
				     expires, &pair, error);
		authority->root[one] = pair.certificate;
		authority->root_key[one] = pair.key;
		if (result < 0)
			return result;
		authority->root_pem[one] = certificate_pem(pair.certificate);
		if (!authority->root_pem[one])
			return pair_failed(&pair, error);
	}
	return 0;
}

/* What Cloudflare's edge shows to an origin, so that a test can play the edge. */
static int pull_open(int directory, const char *where, int64_t expires, struct authority *authority,
		     struct error *error)
{
	static const char *const fields[] = {
		"C",  "US",	     "O",  ORGANISATION,
		"OU", "Origin Pull", "CN", "origin-pull.cloudflare.net",
		NULL};
	CLEANUP(pair_clear)
	struct pair ca = {"authenticated_origin_pull_ca.pem", "authenticated_origin_pull_ca.key",
			  NULL, NULL};
	CLEANUP(pair_clear)
	struct pair client = {"origin_pull_client.pem", "origin_pull_client.key", NULL, NULL};

	int result = ca_open(directory, where, ALGORITHM_RSA, fields, ROOT_NOT_BEFORE, expires, &ca,
			     error);
	if (result < 0)
		return result;
	authority->pull_ca_pem = certificate_pem(ca.certificate);
	if (!authority->pull_ca_pem)
		return pair_failed(&ca, error);
	result = entity_open(directory, where, fields, NULL, "clientAuth", &ca, &client, error);
	authority->pull_ca = TAKE_PTR(ca.certificate);
	return result;
}

static int tls_open(int directory, const char *where, struct authority *authority,
		    struct error *error)
{
	static const char *const ca_fields[] = {"O", ORGANISATION, "CN", "Sandbox TLS authority",
						NULL};
	static const char *const server_fields[] = {"O", ORGANISATION, "CN", "localhost", NULL};
	CLEANUP(pair_clear) struct pair ca = {"ca.pem", "ca.key", NULL, NULL};
	CLEANUP(pair_clear) struct pair server = {"tls.pem", "tls.key", NULL, NULL};

	int64_t now = clock_now();
	int result = ca_open(directory, where, ALGORITHM_ECC, ca_fields, now - CLOCK_DAY,
			     now + TLS_DAYS * CLOCK_DAY, &ca, error);
	if (result == 0)
		result = entity_open(directory, where, server_fields,
				     "DNS:localhost,IP:127.0.0.1,IP:::1", "serverAuth", &ca,
				     &server, error);
	if (result < 0)
		return result;
	authority->tls_certificate_pem = certificate_pem(server.certificate);
	authority->tls_key_pem = key_pem(server.key);
	if (!authority->tls_certificate_pem || !authority->tls_key_pem)
		return pair_failed(&server, error);
	return 0;
}

int authority_open(int directory, const char *where, int64_t root_expires,
		   struct authority *ret_authority, struct error *error)
{
	struct authority authority = {.stranger = key_new(ALGORITHM_ECC)};
	int result = authority.stranger ? 0
					: error_set(error, ERROR_LOCAL, -EIO,
						    "cannot make a key: OpenSSL failed");
	if (result == 0)
		result = roots_open(directory, where, root_expires, &authority, error);
	if (result == 0)
		result = pull_open(directory, where, root_expires, &authority, error);
	if (result == 0)
		result = tls_open(directory, where, &authority, error);
	if (result < 0) {
		authority_free(&authority);
		return result;
	}
	*ret_authority = authority;
	return 0;
}

void authority_free(struct authority *authority)
{
	for (enum algorithm one = ALGORITHM_ECC; one < ALGORITHM_COUNT; one++) {
		X509_free(authority->root[one]);
		EVP_PKEY_free(authority->root_key[one]);
		free(authority->root_pem[one]);
	}
	X509_free(authority->pull_ca);
	free(authority->pull_ca_pem);
	secret_free(authority->tls_key_pem);
	free(authority->tls_certificate_pem);
	EVP_PKEY_free(authority->stranger);
	*authority = (struct authority){0};
}
