#include "pki/pem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "pki/openssl_error.h"

int pem_open(const char *text, size_t length, const char *what, BIO **ret_text, struct error *error)
{
	if (length > PEM_TEXT_LIMIT)
		return error_set(error, ERROR_LOCAL, -EFBIG,
				 "cannot read a %s: %zu bytes of PEM text, at most %d are taken",
				 what, length, PEM_TEXT_LIMIT);
	ERR_clear_error();
	BIO *bio = BIO_new_mem_buf(text, (int)length);
	if (!bio)
		return openssl_error(error, ERROR_LOCAL, -ENOMEM, "cannot read a %s", what);
	*ret_text = bio;
	return 0;
}

static void wipe(void *data, size_t length)
{
	OPENSSL_secure_clear_free(data, length);
}

void pem_block_free(struct pem_block *block)
{
	wipe(block->name, block->name ? strlen(block->name) : 0);
	wipe(block->header, block->header ? strlen(block->header) : 0);
	wipe(block->data, block->length);
	*block = (struct pem_block){0};
}

/* The name goes into messages. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text >= 0x7f)
			*text = '?';
}

int pem_next(BIO *text, struct pem_block *block, struct error *error)
{
	struct pem_block next = {0};
	long length = 0;

	pem_block_free(block);
	ERR_clear_error();
	if (!PEM_read_bio_ex(text, &next.name, &next.header, &next.data, &length,
			     PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE)) {
		unsigned long reason = ERR_peek_last_error();
		if (ERR_GET_LIB(reason) == ERR_LIB_PEM &&
		    ERR_GET_REASON(reason) == PEM_R_NO_START_LINE) {
			ERR_clear_error();
			return 0;
		}
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "cannot read PEM text");
	}
	next.length = (size_t)length;
	make_printable(next.name);
	next.encrypted = strstr(next.header, "ENCRYPTED") != NULL ||
			 strcmp(next.name, PEM_STRING_PKCS8) == 0;
	*block = next;
	if (next.length > PEM_BLOCK_LIMIT) {
		pem_block_free(block);
		error_set(error, ERROR_LOCAL, -EFBIG,
			  "cannot read PEM text: a block of %zu bytes, at most %d are taken",
			  next.length, PEM_BLOCK_LIMIT);
		return -EFBIG;
	}
	return 1;
}

static bool certificate_block(const struct pem_block *block)
{
	return strcmp(block->name, PEM_STRING_X509) == 0 ||
	       strcmp(block->name, PEM_STRING_X509_OLD) == 0;
}

int pem_next_certificate_block(BIO *text, struct pem_block *block, struct error *error)
{
	int result = 0;
	do {
		result = pem_next(text, block, error);
	} while (result > 0 && !certificate_block(block));
	return result;
}

int pem_next_certificate(BIO *text, X509 **ret_certificate, struct error *error)
{
	CLEANUP(pem_block_free) struct pem_block block = {0};
	int result = pem_next_certificate_block(text, &block, error);
	if (result <= 0)
		return result;

	const unsigned char *at = block.data;
	X509 *certificate = d2i_X509(NULL, &at, (long)block.length);
	if (!certificate)
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "not a certificate");
	if (at != block.data + block.length) {
		X509_free(certificate);
		return error_set(error, ERROR_LOCAL, -EBADMSG, "bytes after the certificate's end");
	}
	ERR_clear_error();
	*ret_certificate = certificate;
	return 1;
}
