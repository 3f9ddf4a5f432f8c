#include "pki/export.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <string.h>

#include "pki/leaf.h"
#include "pki/openssl_error.h"
#include "pki/own_file.h"
#include "pki/pem.h"

enum {
	PASSWORD_FILE_LIMIT = 1 << 16, /* bytes of which the first line counts */
};

DEFINE_CLEANUP(PKCS7 *, PKCS7_free)

static int too_long(const char *what, const struct buffer *buffer, struct error *error)
{
	return error_set(error, ERROR_BUG, -EMSGSIZE, "cannot write %s: more than %zu bytes", what,
			 buffer->limit);
}

int export_der(X509 *leaf, struct buffer *der, struct error *error)
{
	ERR_clear_error();
	unsigned char *data = NULL;
	int length = i2d_X509(leaf, &data);
	if (length <= 0)
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot write a certificate as DER");
	int result = buffer_add(der, data, (size_t)length);
	OPENSSL_free(data);
	return result < 0 ? too_long("a certificate as DER", der, error) : 0;
}

/* "Degenerate": certificates, and nothing that is signed. The version is the oldest, as there are
 * neither attributes nor keys named by their identifiers (RFC 2315, 9.1). */
static PKCS7 *bag_make(X509 *leaf, X509 *root)
{
	CLEANUP(PKCS7_freep) PKCS7 *bag = PKCS7_new();
	if (!bag || !PKCS7_set_type(bag, NID_pkcs7_signed) ||
	    !PKCS7_content_new(bag, NID_pkcs7_data) || !PKCS7_add_certificate(bag, leaf) ||
	    (root && !PKCS7_add_certificate(bag, root)))
		return NULL;
	/* No content at all: content_new() has put an empty string there. */
	PKCS7 *contents = bag->d.sign->contents;
	ASN1_OCTET_STRING_free(contents->d.data);
	contents->d.data = NULL;
	return TAKE_PTR(bag);
}

int export_p7b(X509 *leaf, X509 *root, struct buffer *p7b, struct error *error)
{
	ERR_clear_error();
	CLEANUP(PKCS7_freep) PKCS7 *bag = bag_make(leaf, root);
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	if (!bag || !bio || !PEM_write_bio_PKCS7(bio, bag))
		return openssl_error(error, ERROR_LOCAL, -EIO,
				     "cannot write certificates as PKCS#7");
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	return buffer_add(p7b, data, (size_t)length) < 0
		       ? too_long("certificates as PKCS#7", p7b, error)
		       : 0;
}

static int bag_read(const char *p7b, size_t length, PKCS7 **ret_bag, struct error *error)
{
	CLEANUP(BIO_freep) BIO *text = NULL;
	CLEANUP(pem_block_free) struct pem_block block = {0};
	int result = pem_open(p7b, length, "PKCS#7 file", &text, error);
	if (result < 0)
		return result;
	do
		result = pem_next(text, &block, error);
	while (result > 0 && strcmp(block.name, PEM_STRING_PKCS7) != 0);
	if (result < 0)
		return result;
	const unsigned char *at = block.data;
	CLEANUP(PKCS7_freep)
	PKCS7 *bag = result ? d2i_PKCS7(NULL, &at, (long)block.length) : NULL;
	if (!bag || !PKCS7_type_is_signed(bag) || !bag->d.sign) {
		ERR_clear_error();
		return error_set(error, ERROR_LOCAL, -EBADMSG, "no certificates as PKCS#7");
	}
	*ret_bag = TAKE_PTR(bag);
	return 0;
}

int export_p7b_find(const char *p7b, size_t length, const char *sha256, X509 **ret_certificate,
		    struct error *error)
{
	CLEANUP(PKCS7_freep) PKCS7 *bag = NULL;
	int result = bag_read(p7b, length, &bag, error);
	if (result < 0)
		return result;
	const STACK_OF(X509) *certificates = bag ? bag->d.sign->cert : NULL;
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *certificate = sk_X509_value(certificates, i);
		char digest[SHA256_TEXT_SIZE];
		if (leaf_sha256(certificate, digest, NULL) == 0 && strcmp(digest, sha256) == 0 &&
		    X509_up_ref(certificate)) {
			*ret_certificate = certificate;
			return 0;
		}
	}
	return error_set(error, ERROR_LOCAL, -ENOENT, "no certificate with SHA-256 %s", sha256);
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool utf8_valid(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	while (*at) {
		unsigned long value;
		int used = UTF8_getc(at, (int)strnlen((const char *)at, 4), &value);
		if (used <= 0 || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
			return false;
		at += used;
	}
	return true;
}

static int password_refuse(const char *path, const char *why, struct error *error)
{
	error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s: the keystore password %s", path, why);
	error_remedy(error,
		     "write one line of 1 to %d bytes of UTF-8, for example: umask 077; openssl "
		     "rand -hex 24 > %s",
		     EXPORT_PASSWORD_LIMIT, path);
	return -EINVAL;
}

int export_password_read(const char *path, char **ret_password, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(PASSWORD_FILE_LIMIT);
	int result = own_file_read(path, "the keystore password", &text, NULL, error);
	if (result < 0)
		return result;
	const char *data = buffer_text(&text);
	const char *end = memchr(data, '\n', text.length);
	size_t length = end ? (size_t)(end - data) : text.length;
	if (length > 0 && data[length - 1] == '\r')
		length--;
	if (length == 0)
		return password_refuse(path, "is empty", error);
	if (length > EXPORT_PASSWORD_LIMIT)
		return password_refuse(path, "is too long", error);
	if (memchr(data, '\0', length))
		return password_refuse(path, "holds a 0 byte", error);
	char *password = string_copy_n(data, length);
	if (!utf8_valid(password)) {
		secret_free(password);
		return password_refuse(path, "is not UTF-8", error);
	}
	*ret_password = password;
	return 0;
}

bool export_password_suits_java(const char *password)
{
	for (const unsigned char *at = (const unsigned char *)password; *at; at++)
		if (*at < 0x20 || *at > 0x7e)
			return false;
	return true;
}
