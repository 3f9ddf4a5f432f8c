#include "pki/csr.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "pki/openssl_error.h"
#include "pki/pem.h"
#include "pki/san.h"

enum {
	COMMON_NAME_LIMIT = 64, /* X.520's ub-common-name */
};

DEFINE_CLEANUP(X509_EXTENSION *, X509_EXTENSION_free)

static bool subject_set(X509_REQ *request, const char *hostname)
{
	return X509_NAME_add_entry_by_NID(X509_REQ_get_subject_name(request), NID_commonName,
					  MBSTRING_UTF8, (const unsigned char *)hostname, -1, -1,
					  0) == 1;
}

static bool extension_set(X509_REQ *request, X509_EXTENSION *extension)
{
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	bool added = extensions && sk_X509_EXTENSION_push(extensions, extension) > 0 &&
		     X509_REQ_add_extensions(request, extensions) == 1;
	sk_X509_EXTENSION_free(extensions);
	return added;
}

int csr_make(EVP_PKEY *key, const struct string_list *hostnames, struct buffer *pem,
	     struct error *error)
{
	bool named = hostnames->count > 0 && strlen(hostnames->items[0]) <= COMMON_NAME_LIMIT;
	CLEANUP(X509_EXTENSION_freep) X509_EXTENSION *names = NULL;
	/* RFC 5280, 4.2.1.6: critical when there is no subject. */
	int result = san_make(hostnames, !named, &names, error);
	if (result < 0) {
		error_prefix(error, "cannot make the certificate signing request");
		return result;
	}

	ERR_clear_error();
	CLEANUP(X509_REQ_freep) X509_REQ *request = X509_REQ_new();
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	if (!request || !bio || !X509_REQ_set_version(request, X509_REQ_VERSION_1) ||
	    (named && !subject_set(request, hostnames->items[0])) ||
	    !X509_REQ_set_pubkey(request, key) || !extension_set(request, names) ||
	    X509_REQ_sign(request, key, key_digest(key)) <= 0 ||
	    !PEM_write_bio_X509_REQ(bio, request))
		return openssl_error(error, ERROR_LOCAL, -EIO,
				     "cannot make the certificate signing request");

	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	result = buffer_add(pem, data, (size_t)length);
	if (result < 0)
		return error_set(error, ERROR_BUG, result,
				 "cannot make the certificate signing request: more than %zu bytes",
				 pem->limit);
	return 0;
}
