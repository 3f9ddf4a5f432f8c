#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pki/leaf.h"
#include "pki/openssl_error.h"
#include "pki/san.h"

enum {
	SLACK_VALIDITY = 2 * 24 * 3600, /* seconds around the validity that was asked for */
	SLACK_START = 3600,		/* seconds that notBefore may be ahead of our clock */
	NAMES_SHOWN = 350,		/* bytes of hostnames in one half of a message */
	NAMES_BUFFER = 700,		/* room for those, the count and one more name */
};

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static int check_key(const X509 *leaf, const EVP_PKEY *key, const struct leaf_facts *facts,
		     struct error *error)
{
	const EVP_PKEY *public = X509_get0_pubkey(leaf);
	if (public && EVP_PKEY_eq(key, public) == 1)
		return 0;
	ERR_clear_error();

	char asked[SHA256_TEXT_SIZE];
	int result = key_spki_sha256(key, asked, error);
	if (result < 0)
		return result;
	return error_set(error, ERROR_BUG, -EBADMSG,
			 "the certificate is for another key: asked for the public key with "
			 "SHA-256 %s, got %s",
			 asked, facts->spki_sha256);
}

/* Comparing public halves would not notice a key file whose private half is damaged. */
static int check_private_key(const X509 *leaf, EVP_PKEY *key, struct error *error)
{
	static const unsigned char text[] = "origin-ca-agent";
	unsigned char signature[1024]; /* RSA with 8192 bits */
	size_t length = sizeof(signature);

	ERR_clear_error();
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *signing = EVP_MD_CTX_new();
	CLEANUP(EVP_MD_CTX_freep) EVP_MD_CTX *verifying = EVP_MD_CTX_new();
	if (!signing || !verifying ||
	    EVP_DigestSignInit(signing, NULL, EVP_sha256(), NULL, key) <= 0 ||
	    EVP_DigestSign(signing, signature, &length, text, sizeof(text)) <= 0)
		return openssl_error(error, ERROR_LOCAL, -EKEYREJECTED,
				     "the private key is damaged: it cannot sign");
	if (EVP_DigestVerifyInit(verifying, NULL, EVP_sha256(), NULL, X509_get0_pubkey(leaf)) <=
		    0 ||
	    EVP_DigestVerify(verifying, signature, length, text, sizeof(text)) != 1) {
		ERR_clear_error();
		return error_set(error, ERROR_LOCAL, -EKEYREJECTED,
				 "the private key is damaged: its own public key does not verify "
				 "what it signs");
	}
	return 0;
}

/* "a.example, b.example and 7 more": what `names` has and `without` has not. */
static void names_describe(struct buffer *text, const char *word, const struct string_list *names,
			   const struct string_list *without)
{
	size_t left_out = 0;
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		if (string_list_has(without, name))
			continue;
		struct buffer part = BUFFER(NAMES_BUFFER);
		buffer_add_format(&part, "%s%s", text->length ? ", " : word, name);
		if (left_out || text->length + part.length > NAMES_SHOWN)
			left_out++;
		else
			buffer_add(text, part.data, part.length);
		buffer_free(&part);
	}
	if (left_out)
		buffer_add_format(text, "%s%zu%s", text->length ? " and " : word, left_out,
				  text->length ? " more" : " long names");
}

static void names_lower(struct string_list *to, const struct string_list *from)
{
	for (size_t i = 0; i < from->count; i++) {
		char *name = string_copy(from->items[i]);
		for (char *at = name; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		string_list_take(to, name);
	}
}

static int check_names(const X509 *leaf, const struct string_list *hostnames, struct error *error)
{
	CLEANUP(string_list_free) struct string_list got = {0};
	CLEANUP(string_list_free) struct string_list others = {0};
	CLEANUP(string_list_free) struct string_list asked = {0};
	int result = san_read(leaf, &got, &others, error);
	if (result < 0)
		return result;
	string_list_copy(&got, &others);
	string_list_sort(&got);
	names_lower(&asked, hostnames);
	if (string_list_same_set(&asked, &got))
		return 0;

	CLEANUP(buffer_free) struct buffer missing = BUFFER(NAMES_BUFFER);
	CLEANUP(buffer_free) struct buffer extra = BUFFER(NAMES_BUFFER);
	names_describe(&missing, "missing ", &asked, &got);
	names_describe(&extra, "extra ", &got, &asked);
	return error_set(error, ERROR_BUG, -EBADMSG,
			 "the certificate is for other hostnames: asked for %zu, got %zu; %s%s%s",
			 asked.count, got.count, buffer_text(&missing),
			 missing.length && extra.length ? "; " : "", buffer_text(&extra));
}

static int check_dates(const struct leaf_facts *facts, int64_t now, struct error *error)
{
	char then[CLOCK_TEXT_SIZE];
	char today[CLOCK_TEXT_SIZE];

	if (facts->not_after <= now)
		error_set(error, ERROR_LOCAL, -ETIME,
			  "the certificate has expired: valid until %s, and it is %s",
			  clock_format(facts->not_after, then), clock_format(now, today));
	else if (facts->not_before > now + SLACK_START)
		error_set(error, ERROR_LOCAL, -ETIME,
			  "the certificate is not yet valid: valid from %s, and it is %s",
			  clock_format(facts->not_before, then), clock_format(now, today));
	else
		return 0;
	error_remedy(error, "look at this host's clock (timedatectl)");
	return -ETIME;
}

static int check_validity(const struct leaf_facts *facts, const struct leaf_request *request,
			  struct error *error)
{
	int64_t asked = request->validity_days * CLOCK_DAY;
	int64_t lifetime = facts->not_after - facts->not_before;
	int64_t left = facts->not_after - request->now;
	if (request->validity_days == 0 || llabs(lifetime - asked) <= SLACK_VALIDITY ||
	    (facts->not_before <= request->now && llabs(left - asked) <= SLACK_VALIDITY))
		return 0;

	int64_t days = (lifetime + CLOCK_DAY / 2) / CLOCK_DAY;
	char first[CLOCK_TEXT_SIZE];
	char last[CLOCK_TEXT_SIZE];
	error_set(error, ERROR_BUG, -EBADMSG,
		  "the certificate has another validity: asked for %" PRId64 " days, got %" PRId64
		  " days (%s to %s)",
		  request->validity_days, days, clock_format(facts->not_before, first),
		  clock_format(facts->not_after, last));
	if (days >= 5470)
		error_remedy(error,
			     "Cloudflare gives 15 years when requested_validity does not reach it: "
			     "look for a proxy that changes requests, and revoke certificate %s",
			     facts->serial);
	else
		error_remedy(error, "revoke certificate %s unless you want to keep it",
			     facts->serial);
	return -EBADMSG;
}

/* EVP_PKEY_RSA, EVP_PKEY_EC ...: RSASSA-PSS is made with ordinary RSA keys as well. */
static int algorithm_normalise(int algorithm)
{
	return algorithm == EVP_PKEY_RSA_PSS ? EVP_PKEY_RSA : algorithm;
}

static int signature_algorithm(X509 *leaf)
{
	int algorithm = NID_undef;
	X509_get_signature_info(leaf, NULL, &algorithm, NULL, NULL);
	return algorithm_normalise(algorithm);
}

static int refuse_signature(const X509 *leaf, const struct leaf_facts *facts, size_t tried,
			    struct error *error)
{
	char issuer[256];
	X509_NAME_oneline(X509_get_issuer_name(leaf), issuer, sizeof(issuer));
	ERR_clear_error();
	error_set(error, ERROR_BUG, -EKEYREJECTED,
		  "the certificate is not signed by the Origin CA: asked for a signature by one of "
		  "%zu known roots of its kind, got one by \"%s\" that none of them verifies",
		  tried, issuer);
	error_remedy(error,
		     "revoke certificate %s if it is not yours; if Cloudflare has published a new "
		     "Origin CA root, the agent has to know it",
		     facts->serial);
	return -EKEYREJECTED;
}

static int check_signature(X509 *leaf, const struct leaf_facts *facts,
			   const struct root_list *roots, unsigned *notices, struct error *error)
{
	int algorithm = signature_algorithm(leaf);
	size_t tried = 0;

	for (size_t i = 0; roots && i < roots->count; i++) {
		X509 *root = roots->items[i];
		EVP_PKEY *key = X509_get0_pubkey(root);
		if (!key || algorithm_normalise(EVP_PKEY_get_base_id(key)) != algorithm)
			continue;
		tried++;
		if (X509_verify(leaf, key) != 1)
			continue;
		if (ASN1_TIME_compare(X509_get0_notAfter(leaf), X509_get0_notAfter(root)) > 0)
			*notices |= LEAF_OUTLIVES_ROOT;
		ERR_clear_error();
		return 0;
	}
	if (tried)
		return refuse_signature(leaf, facts, tried, error);
	ERR_clear_error();
	*notices |= LEAF_SIGNATURE_UNCHECKED;
	return 0;
}

int leaf_check(X509 *leaf, const struct leaf_request *request, unsigned *ret_notices,
	       struct error *error)
{
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	int result = leaf_facts_read(leaf, &facts, error);
	if (result < 0) {
		/* Whatever it is, the API sent it. */
		if (error)
			error->class = ERROR_BUG;
		return result;
	}

	unsigned notices = 0;
	result = check_key(leaf, request->key, &facts, error);
	if (result == 0)
		result = check_names(leaf, request->hostnames, error);
	if (result == 0)
		result = check_dates(&facts, request->now, error);
	if (result == 0)
		result = check_validity(&facts, request, error);
	if (result == 0)
		result = check_signature(leaf, &facts, request->roots, &notices, error);
	if (result == 0 && key_is_private(request->key))
		result = check_private_key(leaf, request->key, error);
	if (result == 0 && ret_notices)
		*ret_notices = notices;
	return result;
}
