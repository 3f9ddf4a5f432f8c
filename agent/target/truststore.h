/*
 * truststore.h - whose client certificates a Java server takes: SNIPPET_DIR/NAME.truststore, a
 * PKCS#12 file with one trusted certificate and without a password.
 *
 * Tomcat's JSSE connectors, which are all of them where there is no native library, do not read
 * `caCertificateFile`: without a word they then trust every authority that Java trusts, and anyone
 * with a public client certificate gets in (seen with 10.1). A truststore they read. Java takes a
 * certificate in it for trusted only with an attribute of its own, which OpenSSL 3.0 cannot write
 * by itself.
 */
#ifndef ORIGIN_CA_TARGET_TRUSTSTORE_H
#define ORIGIN_CA_TARGET_TRUSTSTORE_H

#include <openssl/x509.h>

#include "base/buffer.h"
#include "config/model.h"

#define TRUSTSTORE_SUFFIX "truststore"

/* "NAME.truststore": not ".p12", as that is what the keystore of another certificate may be called.
 * Free it. */
char *truststore_file_name(const struct config_certificate *certificate);

/* Its bytes, appended; the same authority gives the same. Class local when OpenSSL cannot. */
int truststore_make(X509 *authority, struct buffer *p12, struct error *error);

/* 0 when the file in `directory` (the target's snippet directory) is that of `authority`. Else
 * class local: -ENOENT for no regular file, -EBADMSG for another content, -EPERM for owner, group
 * or mode only. */
int truststore_check(int directory, const struct config_target *target,
		     const struct config_certificate *certificate, X509 *authority,
		     struct error *error);

/* Replaces it atomically and durably, unless truststore_check() finds it right. *ret_replaced says
 * whether its content was another: then the server has to read it again. */
int truststore_commit(int directory, const struct config_target *target,
		      const struct config_certificate *certificate, X509 *authority,
		      bool *ret_replaced, struct error *error);

#endif
