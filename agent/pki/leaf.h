/*
 * leaf.h - the certificate that came back: what it says, and whether it is what was asked.
 */
#ifndef ORIGIN_CA_PKI_LEAF_H
#define ORIGIN_CA_PKI_LEAF_H

#include <openssl/x509.h>

#include "base/list.h"
#include "pki/key.h"
#include "pki/root.h"

/* What is worth knowing without parsing again. */
struct leaf_facts {
	char serial[64];		    /* decimal, as the API's ids are */
	char sha256[SHA256_TEXT_SIZE];	    /* of the DER */
	char spki_sha256[SHA256_TEXT_SIZE]; /* of its public key */
	int64_t not_before, not_after;	    /* seconds since 1970 UTC */
	enum key_type key_type;		    /* KEY_TYPE_COUNT for a type that is none of ours */
	struct string_list hostnames;	    /* dNSName SANs, lower case, sorted */
};

void leaf_facts_free(struct leaf_facts *facts);

/* What `to` held before is not freed. */
void leaf_facts_copy(struct leaf_facts *to, const struct leaf_facts *from);

/* The first certificate in PEM text, with or without a final newline and with any text around it.
 * Free with X509_free(). Class local: -EBADMSG when there is none or it does not parse, -EFBIG
 * above 1 MiB of text. Where the text is the API's answer, the caller makes the class ERROR_BUG. */
int leaf_read_pem(const char *pem, size_t length, X509 **ret_leaf, struct error *error);

/*
 * Only the notAfter of the first certificate in PEM text, at a twentieth of what leaf_read_pem()
 * and leaf_facts_read() cost (which decode the public key): for lists of many. Seconds since 1970
 * UTC. -EBADMSG when the text holds no certificate, or one whose fields up to its dates (RFC 5280,
 * 4.1) are not as they should be; what follows them is not looked at.
 */
int leaf_read_end(const char *pem, size_t length, int64_t *ret_not_after, struct error *error);

int leaf_write_pem(X509 *certificate, struct buffer *pem, struct error *error);

/* SHA-256 of the DER. */
int leaf_sha256(X509 *certificate, char text[static SHA256_TEXT_SIZE], struct error *error);

/*
 * -EBADMSG (class local) for what no certificate authority should issue: dates that are none, a
 * serial number of more than 20 bytes, a dNSName with a NUL, a space or another byte that is in no
 * name. A key of a type that is none of ours is a fact, not an error.
 */
int leaf_facts_read(X509 *leaf, struct leaf_facts *ret_facts, struct error *error);

/* What was asked for, to hold a leaf against. */
struct leaf_request {
	EVP_PKEY *key;
	const struct string_list *hostnames; /* A-labels; compared as a set, CN ignored */
	int64_t validity_days;		     /* 0: do not check (a leaf from earlier, adopted) */
	int64_t now;
	const struct root_list *roots; /* NULL or empty: the signature cannot be checked */
};

enum leaf_notice {
	LEAF_SIGNATURE_UNCHECKED = 1 << 0, /* no root of that key algorithm is known */
	LEAF_OUTLIVES_ROOT = 1 << 1,	   /* notAfter is after the root's own */
};

/*
 * Refuses a leaf that is not what was asked: another public key, another set of names (a name that
 * is no dNSName is one too many), already expired, not yet valid (more than an hour ahead of
 * `now`), a validity that differs from validity_days by more than two days (absent or misspelt
 * requested_validity silently gives 5475 days; counted from notBefore or, because Cloudflare may
 * backdate that, from `now`), no signature by a known root (by the root's key; its own dates do not
 * matter). Class bug (the API broke the contract) with the asked and the got value in the message.
 * Dates that do not fit this host's clock are -ETIME, class local: the clock may be what is wrong.
 * One more is refused, as class local: a private key that does not sign for its own public key
 * (a damaged file), because every server would take it and every handshake would fail. A
 * request->key with no private half (key_is_private()) is the user's, on another host: what cannot
 * be tried here is not.
 * `ret_notices` (may be NULL) gets enum leaf_notice bits when the leaf is good.
 */
int leaf_check(X509 *leaf, const struct leaf_request *request, unsigned *ret_notices,
	       struct error *error);

/*
 * A self-signed leaf for `hostnames` from `key`, for servers that must start before the API has
 * answered (DESIGN 4, placeholder): CN "origin-ca-agent placeholder", notBefore an hour before
 * `now`, 7 days long, as PEM.
 */
int leaf_make_placeholder(EVP_PKEY *key, const struct string_list *hostnames, int64_t now,
			  struct buffer *pem, struct error *error);

DEFINE_CLEANUP(X509 *, X509_free)

#endif
