/* san.h - subjectAltName (RFC 5280, 4.2.1.6): written for requests, read from leaves. */
#ifndef ORIGIN_CA_PKI_SAN_H
#define ORIGIN_CA_PKI_SAN_H

#include <openssl/x509.h>

#include "base/error.h"
#include "base/list.h"

/* The extension with every hostname (A-labels) as a dNSName. Free with X509_EXTENSION_free().
 * -EINVAL, class bug, for no hostname or one that cannot be a name. */
int san_make(const struct string_list *hostnames, bool critical, X509_EXTENSION **ret_extension,
	     struct error *error);

/*
 * Appends the dNSNames, in lower case, to `hostnames` and, for people, every name of another kind
 * to `others` ("IP 192.0.2.1"; may be NULL). No extension gives nothing. -EBADMSG (class local)
 * for an extension that does not parse or is there twice, and for a dNSName with a byte that no
 * name has: after a NUL, a reader in C would see another name than the one that was signed.
 */
int san_read(const X509 *leaf, struct string_list *hostnames, struct string_list *others,
	     struct error *error);

/* The same for a list of extensions, such as a request's; NULL has none. */
int san_read_extensions(const STACK_OF(X509_EXTENSION) * extensions, struct string_list *hostnames,
			struct string_list *others, struct error *error);

#endif
