/* csr_read.c - the user's own request: a stranger's bytes until its signature is verified. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/file.h"
#include "pki/csr.h"
#include "pki/openssl_error.h"
#include "pki/own_file.h"
#include "pki/pem.h"
#include "pki/san.h"

static const char HOW[] = "make one: openssl req -new -key KEY -subj / -addext "
			  "subjectAltName=DNS:NAME,... -out CSR";

static void extensions_free(STACK_OF(X509_EXTENSION) * extensions)
{
	sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
}
DEFINE_CLEANUP(STACK_OF(X509_EXTENSION) *, extensions_free)

static int refuse(int result, struct error *error)
{
	error_prefix(error, "cannot use the certificate signing request");
	if (error)
		error->class = ERROR_CONFIGURATION;
	error_remedy(error, "%s", HOW);
	return result;
}

static int request_decode(const struct pem_block *block, X509_REQ **ret_request,
			  struct error *error)
{
	const unsigned char *at = block->data;
	CLEANUP(X509_REQ_freep)
	X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)block->length);
	if (!request)
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "it does not parse");
	if (at != block->data + block->length)
		return error_set(error, ERROR_LOCAL, -EBADMSG, "there are bytes after its end");
	*ret_request = TAKE_PTR(request);
	return 0;
}

static bool request_block(const struct pem_block *block)
{
	return strcmp(block->name, PEM_STRING_X509_REQ) == 0 ||
	       strcmp(block->name, PEM_STRING_X509_REQ_OLD) == 0;
}

static int request_parse(const char *pem, size_t length, X509_REQ **ret_request,
			 struct error *error)
{
	CLEANUP(BIO_freep) BIO *text = NULL;
	CLEANUP(pem_block_free) struct pem_block block = {0};
	int result = pem_open(pem, length, "certificate signing request", &text, error);
	if (result < 0)
		return result;
	do
		result = pem_next(text, &block, error);
	while (result > 0 && !request_block(&block));
	if (result < 0)
		return result;
	if (result == 0)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "none in %zu bytes of text (it is to be PEM)", length);
	return request_decode(&block, ret_request, error);
}

/* Public key and names of a request that is its key's owner's. */
static int request_look(X509_REQ *request, EVP_PKEY **ret_key, struct string_list *hostnames,
			struct error *error)
{
	EVP_PKEY *key = X509_REQ_get0_pubkey(request);
	enum key_type type;
	if (!key)
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "its public key does not parse");
	if (key_type_of(key, &type) < 0)
		return error_set(error, ERROR_LOCAL, -EINVAL,
				 "its key is neither ECDSA with P-256 or P-384 nor RSA with 2048, "
				 "3072 or 4096 bits (%s, %d bits)",
				 key_algorithm_name(key), EVP_PKEY_get_bits(key));
	if (X509_REQ_verify(request, key) != 1) {
		ERR_clear_error();
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "its own key does not verify its signature");
	}
	CLEANUP(extensions_freep)
	STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
	ERR_clear_error();
	CLEANUP(string_list_free) struct string_list names = {0};
	int result = san_read_extensions(extensions, &names, NULL, error);
	if (result < 0)
		return result;
	string_list_copy(hostnames, &names);
	EVP_PKEY_up_ref(key);
	*ret_key = key;
	return 0;
}

int csr_read(const char *pem, size_t length, EVP_PKEY **ret_key, struct string_list *hostnames,
	     struct error *error)
{
	CLEANUP(X509_REQ_freep) X509_REQ *request = NULL;
	int result = request_parse(pem, length, &request, error);
	if (result == 0)
		result = request_look(request, ret_key, hostnames, error);
	return result < 0 ? refuse(result, error) : 0;
}

static int request_print(X509_REQ *request, char **ret_pem, struct error *error)
{
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	if (!bio || !PEM_write_bio_X509_REQ(bio, request))
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot write it as PEM");
	long length = BIO_get_mem_data(bio, &data);
	*ret_pem = string_copy_n(data, (size_t)length);
	return 0;
}

int csr_read_file(const char *path, char **ret_pem, EVP_PKEY **ret_key,
		  struct string_list *hostnames, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(FILE_LIMIT);
	CLEANUP(X509_REQ_freep) X509_REQ *request = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int result = own_file_read(path, "the certificate signing request", &text, NULL, error);
	if (result < 0)
		return result;
	result = request_parse(buffer_text(&text), text.length, &request, error);
	if (result == 0)
		result = request_look(request, &key, hostnames, error);
	if (result == 0)
		result = request_print(request, ret_pem, error);
	if (result < 0) {
		refuse(result, error);
		return error_prefix(error, "%s", path);
	}
	*ret_key = TAKE_PTR(key);
	return 0;
}
