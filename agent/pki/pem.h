/*
 * pem.h - the blocks of PEM text (RFC 7468), with any text around them.
 *
 * OpenSSL's own readers of keys and certificates ask for a password on the terminal when a block
 * is encrypted; this reads the armour only and never asks.
 */
#ifndef ORIGIN_CA_PKI_PEM_H
#define ORIGIN_CA_PKI_PEM_H

#include <openssl/bio.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

enum {
	PEM_TEXT_LIMIT = 1 << 20,  /* bytes of text that are looked at */
	PEM_BLOCK_LIMIT = 1 << 16, /* bytes of DER in one block */
};

struct pem_block {
	char *name; /* "CERTIFICATE", "PRIVATE KEY" ... */
	unsigned char *data;
	size_t length;
	bool encrypted; /* by RFC 1421's header or by its name: `data` is of no use */
	char *header;
};

/* Reads from `text`, which must outlive the result. Free with BIO_free(). -EFBIG above the limit;
 * `what` ("certificate") is for the message. */
int pem_open(const char *text, size_t length, const char *what, BIO **ret_text,
	     struct error *error);

/* The next block: 1 and a block to free, 0 at the end, -EBADMSG (class local) for armour that
 * starts and does not parse. Frees what `block` held before. */
int pem_next(BIO *text, struct pem_block *block, struct error *error);

/* The same of the next certificate, not decoded; other blocks are passed over. */
int pem_next_certificate_block(BIO *text, struct pem_block *block, struct error *error);

/* The next certificate, other blocks passed over: 1 and one to free with X509_free(), 0 at the
 * end, -EBADMSG (class local) for one that does not parse. */
int pem_next_certificate(BIO *text, X509 **ret_certificate, struct error *error);

/* Overwrites, then frees. */
void pem_block_free(struct pem_block *block);

DEFINE_CLEANUP(BIO *, BIO_free)

#endif
