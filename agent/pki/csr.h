/* csr.h - the certificate signing request that POST /certificates takes: made, or the user's own.
 */
#ifndef ORIGIN_CA_PKI_CSR_H
#define ORIGIN_CA_PKI_CSR_H

#include <openssl/x509.h>

#include "base/list.h"
#include "pki/key.h"

/*
 * A PKCS#10 request in PEM, signed by `key` (SHA-256; SHA-384 for P-384), with an empty subject
 * but for CN = the first hostname (left out when longer than 64 bytes, X.520's ub-common-name) and
 * a subjectAltName of all hostnames. Cloudflare ignores subject and SANs, other readers do not.
 */
int csr_make(EVP_PKEY *key, const struct string_list *hostnames, struct buffer *pem,
	     struct error *error);

/*
 * Reads the first request in PEM text, the user's own: its public key (EVP_PKEY with no private
 * half; free it) and the dNSNames of its subjectAltName, in lower case, appended to `hostnames`
 * (may be none: the caller compares them with what is wanted). Class configuration, with a remedy:
 * -EBADMSG when there is no request, when it does not parse, or when it is not signed by its own
 * key; -EINVAL when the key is none of our types; -EFBIG above 1 MiB of text.
 */
int csr_read(const char *pem, size_t length, EVP_PKEY **ret_key, struct string_list *hostnames,
	     struct error *error);

/*
 * The same of a file (absolute path), and its PEM block without what stands around it, for
 * pending_prepare(); free() it. Errors of a file that cannot be read are class configuration, with
 * a remedy, and start with the path.
 */
int csr_read_file(const char *path, char **ret_pem, EVP_PKEY **ret_key,
		  struct string_list *hostnames, struct error *error);

DEFINE_CLEANUP(X509_REQ *, X509_REQ_free)

#endif
