/*
 * keystore.h - the PKCS#12 file of one certificate at one target, for servers that read it again
 * without reading their configuration (Tomcat): SNIPPET_DIR/NAME.p12, one file, one rename, no pair
 * to tear (DESIGN 4). Its password is generated once for the certificate and kept in the state
 * directory; the snippet holds it as well.
 */
#ifndef ORIGIN_CA_TARGET_KEYSTORE_H
#define ORIGIN_CA_TARGET_KEYSTORE_H

#include <openssl/x509.h>

#include "base/buffer.h"
#include "config/model.h"

#define KEYSTORE_SUFFIX	       "p12"
#define KEYSTORE_PASSWORD_FILE "keystore-password" /* below certificates/NAME/ */

/* What the keystore is made of: one generation. */
struct keystore_content {
	EVP_PKEY *key;
	X509 *leaf;
	X509 *root; /* or NULL */
	const char *password;
};

/* "NAME.p12"; free it. */
char *keystore_file_name(const struct config_certificate *certificate);

/*
 * 0 when the file in `directory` (the target's snippet directory) holds exactly this content and
 * has the target's owner, group and mode. Else why not, class local: -ENOENT for no regular file,
 * -EKEYREJECTED for another password, -EBADMSG for another key, leaf or root, for junk and for what
 * we may not read, -EPERM for owner, group or mode only.
 */
int keystore_check(int directory, const struct config_target *target,
		   const struct config_certificate *certificate,
		   const struct keystore_content *content, struct error *error);

/* Replaces it atomically and durably, with the target's owner, group and mode set before any data
 * is in it. A file that keystore_check() finds right stays, and so does, when that can be repaired
 * in place, one with another owner, group or mode. *ret_replaced says whether it was replaced: then
 * the server has to read it again. */
int keystore_commit(int directory, const struct config_target *target,
		    const struct config_certificate *certificate,
		    const struct keystore_content *content, bool *ret_replaced,
		    struct error *error);

/* Sets owner, group and mode of the file in place. */
int keystore_settle_access(int directory, const struct config_target *target,
			   const struct config_certificate *certificate, struct error *error);

/*
 * The password of a certificate's keystores: read from `file` (absolute) when the administrator
 * gave one, else from certificates/NAME/keystore-password, which is made (0600, 32 random letters
 * and digits, durable) when it is missing and `create`; -ENOENT otherwise. Free with secret_free().
 */
int keystore_password(int certificate, const char *where, const char *file, bool create,
		      char **ret_password, struct error *error);

#endif
