/* What comes from files and from the API as PEM: keys, certificates, requests, PKCS#7. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "pki/csr.h"
#include "pki/export.h"
#include "pki/key.h"
#include "pki/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read once can be written, and read again as the same. */
static void fuzz_key(const char *text, size_t size)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY *again = NULL;
	enum key_type type = KEY_TYPE_COUNT;
	struct error error = {0};
	if (key_read_pem(text, size, &key, &error) < 0) {
		if (key || error.code == 0 || error.message[0] == '\0')
			abort();
		return;
	}
	/* Only our own kinds: OpenSSL reads a few others that it cannot write. */
	if (key_type_of(key, &type) == 0) {
		struct buffer pem = BUFFER(1 << 20);
		if (key_write_pem(key, &pem, &error) == 0 &&
		    (key_read_pem(pem.data, pem.length, &again, &error) < 0 ||
		     EVP_PKEY_eq(key, again) != 1))
			abort();
		buffer_wipe(&pem);
	}
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
}

static void fuzz_leaf(const char *text, size_t size)
{
	X509 *leaf = NULL;
	struct leaf_facts facts = {0};
	struct error error = {0};
	if (leaf_read_pem(text, size, &leaf, &error) < 0) {
		if (leaf || error.code == 0 || error.message[0] == '\0')
			abort();
		return;
	}
	if (leaf_facts_read(leaf, &facts, &error) == 0) {
		/* Names that are given out are plain text. */
		for (size_t i = 0; i < facts.hostnames.count; i++)
			for (const char *at = facts.hostnames.items[i]; *at; at++)
				if (*at <= 0x20 || *at >= 0x7f)
					abort();
		const struct leaf_request request = {.key = X509_get0_pubkey(leaf),
						     .hostnames = &facts.hostnames,
						     .now = facts.not_before};
		/* Its own public key and names are what it is for; whether it is accepted hangs on
		 * its dates alone. */
		if (request.key && key_is_private(request.key))
			abort();
		if (request.key && leaf_check(leaf, &request, NULL, &error) < 0 &&
		    error.message[0] == '\0')
			abort();
	}
	leaf_facts_free(&facts);
	X509_free(leaf);
}

/* A request is its key's owner's, or it is refused. */
static void fuzz_request(const char *text, size_t size)
{
	EVP_PKEY *key = NULL;
	struct string_list hostnames = {0};
	struct error error = {0};
	enum key_type type;
	if (csr_read(text, size, &key, &hostnames, &error) < 0) {
		if (key || hostnames.count || error.class != ERROR_CONFIGURATION ||
		    error.remedy[0] == '\0')
			abort();
	} else if (key_is_private(key) || key_type_of(key, &type) < 0) {
		abort();
	}
	EVP_PKEY_free(key);
	string_list_free(&hostnames);
}

static void fuzz_bag(const char *text, size_t size)
{
	static const char digest[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	X509 *found = NULL;
	X509 *root = NULL;
	struct error error = {0};
	if (export_p7b_find(text, size, digest, &found, &error) == 0 ||
	    root_read_pem(ROOT_PULL, text, size, NULL, &root, &error) == 0)
		abort();
}

/* Base64 hides the DER from the fuzzer: a first byte of 1 to 6 stands for the armour of the rest.
 */
static char *text_make(const uint8_t *data, size_t *size)
{
	static const char *const names[] = {"CERTIFICATE",	   "PRIVATE KEY",
					    "RSA PRIVATE KEY",	   "EC PRIVATE KEY",
					    "CERTIFICATE REQUEST", "PKCS7"};
	if (*size < 2 || data[0] < 1 || data[0] > ARRAY_SIZE(names)) {
		char *text = memory_alloc(*size + 1, 1);
		if (*size)
			memcpy(text, data, *size);
		return text;
	}
	struct buffer text = BUFFER(1 << 22);
	BIO *bio = BIO_new(BIO_s_mem());
	char *armoured = NULL;
	if (!bio || !PEM_write_bio(bio, names[data[0] - 1], "", data + 1, (long)*size - 1))
		abort();
	long length = BIO_get_mem_data(bio, &armoured);
	buffer_add(&text, armoured, (size_t)length);
	BIO_free(bio);
	*size = text.length;
	return buffer_take(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_make(data, &size);
	fuzz_key(text, size);
	fuzz_request(text, size);
	fuzz_bag(text, size);
	fuzz_leaf(text, size);
	free(text);
	ERR_clear_error(); /* EVP_PKEY_eq() here may leave one */
	return 0;
}
