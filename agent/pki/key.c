#include "pki/key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/openssl_error.h"
#include "pki/pem.h"

static const struct {
	const char *words; /* for messages */
	const char *curve; /* OpenSSL's name of the group; NULL for RSA */
	int bits;
} kinds[KEY_TYPE_COUNT] = {
	[KEY_ECDSA_P256] = {"an ECDSA P-256 key", "prime256v1", 256},
	[KEY_ECDSA_P384] = {"an ECDSA P-384 key", "secp384r1", 384},
	[KEY_RSA_2048] = {"a 2048-bit RSA key", NULL, 2048},
	[KEY_RSA_3072] = {"a 3072-bit RSA key", NULL, 3072},
	[KEY_RSA_4096] = {"a 4096-bit RSA key", NULL, 4096},
};

int key_generate(enum key_type type, EVP_PKEY **ret_key, struct error *error)
{
	if ((unsigned)type >= KEY_TYPE_COUNT)
		return error_set(error, ERROR_BUG, -EINVAL, "cannot make a key of type %d",
				 (int)type);

	ERR_clear_error();
	EVP_PKEY *key = kinds[type].curve ? EVP_EC_gen(kinds[type].curve)
					  : EVP_RSA_gen((unsigned)kinds[type].bits);
	if (!key)
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot make %s", kinds[type].words);
	*ret_key = key;
	return 0;
}

int key_write_pem(EVP_PKEY *key, struct buffer *pem, struct error *error)
{
	ERR_clear_error();
	/* Secure memory is overwritten when it is freed and when it grows. */
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_secmem());
	if (!bio || !PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL))
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot write a private key as PEM");

	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	int result = buffer_add(pem, data, (size_t)length);
	if (result < 0)
		return error_set(error, ERROR_BUG, result,
				 "cannot write a private key as PEM: more than %zu bytes",
				 pem->limit);
	return 0;
}

/* One block of DER as a key; NULL with OpenSSL's reason in the queue. */
static EVP_PKEY *key_decode(const struct pem_block *block)
{
	const unsigned char *at = block->data;
	EVP_PKEY *key = NULL;

	if (strcmp(block->name, PEM_STRING_PKCS8INF) == 0) {
		/* The algorithm is named inside; asking for it by name is what makes it quick. */
		PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)block->length);
		key = info ? EVP_PKCS82PKEY(info) : NULL;
		PKCS8_PRIV_KEY_INFO_free(info);
	} else {
		int algorithm =
			strcmp(block->name, PEM_STRING_RSA) == 0 ? EVP_PKEY_RSA : EVP_PKEY_EC;
		key = d2i_PrivateKey(algorithm, NULL, &at, (long)block->length);
	}
	if (key && at != block->data + block->length) {
		ERR_raise_data(ERR_LIB_USER, ERR_R_PASSED_INVALID_ARGUMENT,
			       "bytes after the end of the key");
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static int key_encrypted(struct error *error)
{
	error_set(error, ERROR_CONFIGURATION, -EKEYREJECTED,
		  "cannot read the private key: it is encrypted with a password");
	error_remedy(error, "write it without one: openssl pkey -in ENCRYPTED -out PLAIN, and keep "
			    "the file readable to its owner only");
	return -EKEYREJECTED;
}

static bool key_block(const struct pem_block *block)
{
	return strcmp(block->name, PEM_STRING_PKCS8INF) == 0 ||
	       strcmp(block->name, PEM_STRING_PKCS8) == 0 ||
	       strcmp(block->name, PEM_STRING_RSA) == 0 ||
	       strcmp(block->name, PEM_STRING_ECPRIVATEKEY) == 0;
}

int key_read_pem(const char *pem, size_t length, EVP_PKEY **ret_key, struct error *error)
{
	CLEANUP(BIO_freep) BIO *text = NULL;
	int result = pem_open(pem, length, "private key", &text, error);
	if (result < 0)
		return result;

	CLEANUP(pem_block_free) struct pem_block block = {0};
	char other[64] = "";
	while ((result = pem_next(text, &block, error)) > 0) {
		if (!key_block(&block)) {
			snprintf(other, sizeof(other), "%s", block.name);
			continue;
		}
		if (block.encrypted)
			return key_encrypted(error);
		EVP_PKEY *key = key_decode(&block);
		if (!key)
			return openssl_error(error, ERROR_LOCAL, -EBADMSG,
					     "cannot read the private key");
		/* Decoders leave the attempts that did not fit in the queue. */
		ERR_clear_error();
		*ret_key = key;
		return 0;
	}
	if (result < 0) {
		error_prefix(error, "cannot read the private key");
		return result;
	}
	if (other[0])
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "cannot read the private key: none in the PEM text, only \"%s\"",
				 other);
	return error_set(error, ERROR_LOCAL, -EBADMSG,
			 "cannot read the private key: the text is not PEM");
}

static bool has_curve(const EVP_PKEY *key, const char *curve)
{
	char text[64];
	size_t length = 0;
	if (!EVP_PKEY_get_group_name(key, text, sizeof(text), &length) || strcmp(text, curve) != 0)
		return false;
	/* The same curve with its parameters written out is refused by most readers. */
	return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, text, sizeof(text),
					      &length) &&
	       strcmp(text, OSSL_PKEY_EC_ENCODING_GROUP) == 0;
}

int key_type_of(const EVP_PKEY *key, enum key_type *ret_type)
{
	int algorithm = EVP_PKEY_get_base_id(key);
	int bits = EVP_PKEY_get_bits(key);

	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		bool elliptic = kinds[type].curve != NULL;
		if (algorithm != (elliptic ? EVP_PKEY_EC : EVP_PKEY_RSA) ||
		    bits != kinds[type].bits)
			continue;
		if (elliptic && !has_curve(key, kinds[type].curve))
			continue;
		*ret_type = (enum key_type)type;
		ERR_clear_error();
		return 0;
	}
	ERR_clear_error();
	return -EINVAL;
}

bool key_is_private(const EVP_PKEY *key)
{
	const char *half = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? OSSL_PKEY_PARAM_RSA_D
								     : OSSL_PKEY_PARAM_PRIV_KEY;
	BIGNUM *value = NULL;
	bool found = EVP_PKEY_get_bn_param(key, half, &value) == 1;
	BN_clear_free(value);
	ERR_clear_error();
	return found;
}

const char *key_type_words(enum key_type type)
{
	return (unsigned)type < KEY_TYPE_COUNT ? kinds[type].words : "a key of another type";
}

const char *key_algorithm_name(const EVP_PKEY *key)
{
	const char *name = EVP_PKEY_get0_type_name(key);
	return name ? name : "unknown";
}

const EVP_MD *key_digest(const EVP_PKEY *key)
{
	enum key_type type = KEY_TYPE_COUNT;
	return key_type_of(key, &type) == 0 && type == KEY_ECDSA_P384 ? EVP_sha384() : EVP_sha256();
}

int key_spki_sha256(const EVP_PKEY *key, char text[static SHA256_TEXT_SIZE], struct error *error)
{
	ERR_clear_error();
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(key, &der);
	if (length <= 0)
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot encode a public key");
	digest_sha256(der, (size_t)length, text);
	OPENSSL_free(der);
	return 0;
}

const char *digest_sha256(const void *data, size_t length, char text[static SHA256_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size = 0;

	if (!EVP_Digest(data, length, digest, &size, EVP_sha256(), NULL) ||
	    size * 2 + 1 != SHA256_TEXT_SIZE) {
		/* Any text given back would be taken for equal to another one some day. As with
		 * memory, an end here is harmless: the next pass recovers. */
		static const char message[] = "OpenSSL has no working SHA-256\n";
		ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);
		(void)ignored;
		_exit(1);
	}
	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	text[SHA256_TEXT_SIZE - 1] = '\0';
	return text;
}
