/* csr.h - the certificate signing request that POST /certificates takes. */
#ifndef ORIGIN_CA_PKI_CSR_H
#define ORIGIN_CA_PKI_CSR_H

#include "base/list.h"
#include "pki/key.h"

/*
 * A PKCS#10 request in PEM, signed by `key` (SHA-256; SHA-384 for P-384), with an empty subject
 * but for CN = the first hostname (left out when longer than 64 bytes, X.520's ub-common-name) and
 * a subjectAltName of all hostnames. Cloudflare ignores subject and SANs, other readers do not.
 */
int csr_make(EVP_PKEY *key, const struct string_list *hostnames, struct buffer *pem,
	     struct error *error);

#endif
