/* leaf_end.c - when a certificate ends, without decoding what else is in it. */
#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <time.h>

#include "pki/leaf.h"
#include "pki/openssl_error.h"
#include "pki/pem.h"

DEFINE_CLEANUP(ASN1_TIME *, ASN1_TIME_free)

/* What is left of some DER. */
struct der {
	const unsigned char *at;
	long length;
};

/* The contents of the next value, which must have that tag; `der` goes on behind it. */
static bool der_take(struct der *der, int class, int tag, struct der *ret_contents)
{
	struct der contents = *der;
	int found_tag = 0;
	int found_class = 0;
	/* Bit 0x80: no header, or more than there is. Bit 1: of a length that DER does not have. */
	int kind = ASN1_get_object(&contents.at, &contents.length, &found_tag, &found_class,
				   der->length);
	if (kind & 0x81 || found_tag != tag || found_class != class)
		return false;
	const unsigned char *next = contents.at + contents.length;
	der->length -= next - der->at;
	der->at = next;
	*ret_contents = contents;
	return true;
}

static bool sequence_take(struct der *der, struct der *ret_contents)
{
	return der_take(der, V_ASN1_UNIVERSAL, V_ASN1_SEQUENCE, ret_contents);
}

/* Certificate, tbsCertificate: version (if any), serialNumber, signature, issuer, validity. */
static bool validity_find(struct der certificate, struct der *ret_validity)
{
	struct der tbs;
	struct der skipped;
	if (!sequence_take(&certificate, &certificate) || !sequence_take(&certificate, &tbs))
		return false;
	der_take(&tbs, V_ASN1_CONTEXT_SPECIFIC, 0, &skipped);
	return der_take(&tbs, V_ASN1_UNIVERSAL, V_ASN1_INTEGER, &skipped) &&
	       sequence_take(&tbs, &skipped) && sequence_take(&tbs, &skipped) &&
	       sequence_take(&tbs, ret_validity);
}

/* notBefore and notAfter, either of them UTCTime or GeneralizedTime. */
static bool end_read(struct der validity, int64_t *ret_time)
{
	const unsigned char *end = validity.at + validity.length;
	ASN1_TIME_free(d2i_ASN1_TIME(NULL, &validity.at, validity.length));
	CLEANUP(ASN1_TIME_freep)
	ASN1_TIME *time = d2i_ASN1_TIME(NULL, &validity.at, end - validity.at);
	struct tm utc = {0};
	if (!time || !ASN1_TIME_to_tm(time, &utc))
		return false;
	*ret_time = (int64_t)timegm(&utc);
	return true;
}

int leaf_read_end(const char *pem, size_t length, int64_t *ret_not_after, struct error *error)
{
	CLEANUP(BIO_freep) BIO *text = NULL;
	CLEANUP(pem_block_free) struct pem_block block = {0};
	struct der validity;
	int result = pem_open(pem, length, "certificate", &text, error);
	if (result == 0)
		result = pem_next_certificate_block(text, &block, error);
	if (result < 0)
		return result;
	bool found = result > 0 &&
		     validity_find((struct der){block.data, (long)block.length}, &validity) &&
		     end_read(validity, ret_not_after);
	ERR_clear_error();
	return found ? 0
		     : error_set(error, ERROR_LOCAL, -EBADMSG,
				 "cannot read when a certificate ends: none in %zu bytes of text",
				 length);
}
