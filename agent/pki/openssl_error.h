/* openssl_error.h - OpenSSL's own words in our errors. */
#ifndef ORIGIN_CA_PKI_OPENSSL_ERROR_H
#define ORIGIN_CA_PKI_OPENSSL_ERROR_H

#include "base/error.h"

/*
 * As error_set() with ": " and the text of the newest error in this thread's OpenSSL queue after
 * the message. Empties the queue, so that nothing stale is blamed for the next failure. Callers
 * empty it (ERR_clear_error()) before they start, for the same reason.
 */
int openssl_error(struct error *error, enum error_class class, int code, const char *format, ...)
	PRINTF_LIKE(4, 5);

#endif
