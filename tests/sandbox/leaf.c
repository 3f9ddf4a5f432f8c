/* leaf.c - one request to one leaf (declared in authority.h). */
#include "authority.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "certificate.h"

/* Real leaves name a responder that does not answer for them; ours cannot even be resolved. */
static const struct extension leaf_extensions[] = {
	{NID_key_usage, "critical,digitalSignature,keyEncipherment"},
	{NID_ext_key_usage, "clientAuth,serverAuth"},
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid"},
	{NID_info_access, "OCSP;URI:http://ocsp.origin-ca-sandbox.invalid/origin_ca"},
	{NID_crl_distribution_points, "URI:http://crl.origin-ca-sandbox.invalid/origin_ca.crl"},
};

static const char *const leaf_subject[] = {
	"O",  "Origin CA Sandbox (not Cloudflare)", "OU", "CloudFlare Origin CA",
	"CN", "CloudFlare Origin Certificate",	    NULL};

enum {
	RSA_BITS_LEAST = 2048,
	RSA_BITS_MOST = 8192, /* what verifies in a few milliseconds */
};

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(BIGNUM *, BN_free)
DEFINE_CLEANUP(X509_NAME *, X509_NAME_free)
DEFINE_CLEANUP(X509_REQ *, X509_REQ_free)

static char *alternative_names(const struct string_list *hostnames)
{
	CLEANUP(freep) char *names = string_list_join(hostnames, ",DNS:");
	return string_format("DNS:%s", names);
}

/* The serial in decimal, and the PEM with or without its last newline. */
static int leaf_describe(X509 *leaf, char **ret_id, char **ret_pem)
{
	CLEANUP(BN_freep) BIGNUM *serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *decimal = serial ? BN_bn2dec(serial) : NULL;
	char *pem = certificate_pem(leaf);
	if (!decimal || !pem) {
		OPENSSL_free(decimal);
		free(pem);
		return -EIO;
	}
	size_t length = strlen(pem);
	if (BN_is_odd(serial) && length > 0)
		pem[length - 1] = '\0';
	*ret_id = string_copy(decimal);
	OPENSSL_free(decimal);
	*ret_pem = pem;
	return 0;
}

int leaf_sign(const struct authority *authority, const struct leaf_request *request, char **ret_id,
	      char **ret_pem)
{
	X509 *root = authority->root[request->algorithm];
	EVP_PKEY *signer = authority->root_key[request->algorithm];
	EVP_PKEY *key = request->key;
	if (request->defect == LEAF_WRONG_SIGNER)
		signer = authority->stranger;
	if (request->defect == LEAF_WRONG_KEY)
		key = authority->stranger;

	CLEANUP(freep) char *names = alternative_names(request->hostnames);
	CLEANUP(X509_NAME_freep) X509_NAME *subject = subject_new(leaf_subject);
	if (!subject)
		return -EIO;
	CLEANUP(X509_freep)
	X509 *leaf = certificate_new(&(struct certificate_plan){
		.subject = subject,
		.issuer = X509_get_subject_name(root),
		.issuer_certificate = root,
		.key = key,
		.signer = signer,
		.not_before = request->not_before,
		.not_after = request->not_after,
		.extensions = leaf_extensions,
		.extension_count = ARRAY_SIZE(leaf_extensions),
		.alternative_names = names,
	});
	return leaf ? leaf_describe(leaf, ret_id, ret_pem) : -EIO;
}

static int key_algorithm(EVP_PKEY *key, enum algorithm *ret_algorithm)
{
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
		int bits = EVP_PKEY_get_bits(key);
		*ret_algorithm = ALGORITHM_RSA;
		return bits >= RSA_BITS_LEAST && bits <= RSA_BITS_MOST ? 0 : -ENOTSUP;
	}
	char group[32];
	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
	    !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL))
		return -ENOTSUP;
	*ret_algorithm = ALGORITHM_ECC;
	bool known = strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
		     strcmp(group, "secp521r1") == 0;
	return known ? 0 : -ENOTSUP;
}

int csr_read(const char *pem, EVP_PKEY **ret_key, enum algorithm *ret_algorithm)
{
	CLEANUP(BIO_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
	CLEANUP(X509_REQ_freep)
	X509_REQ *csr = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = csr ? X509_REQ_get_pubkey(csr) : NULL;

	int result = -EINVAL;
	if (key) {
		/* The key's kind first: a signature by a huge key is slow to check. */
		result = key_algorithm(key, ret_algorithm);
		if (result == 0 && X509_REQ_verify(csr, key) != 1)
			result = -EINVAL;
	}
	ERR_clear_error();
	if (result == 0)
		*ret_key = TAKE_PTR(key);
	return result;
}
