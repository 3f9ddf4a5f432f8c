/* certificate.h - a [certificate NAME] while it is read: what the files that read it share. */
#ifndef ORIGIN_CA_CONFIG_CERTIFICATE_H
#define ORIGIN_CA_CONFIG_CERTIFICATE_H

#include "config/build.h"

/* Lists wait until every key was seen. */
struct certificate_section {
	struct config_certificate *certificate;
	struct build *build;
	const struct ini_section *section;
	struct value_items hostnames;
	struct value_items targets;
	char *api;
};

/* Setters, of a `struct certificate_section`. */
int certificate_set_key_type(const struct value *value, void *object);
int certificate_set_reuse_key(const struct value *value, void *object);
int certificate_set_private_key(const struct value *value, void *object);
int certificate_set_csr(const struct value *value, void *object);
int certificate_set_formats(const struct value *value, void *object);
int certificate_set_keystore_password_file(const struct value *value, void *object);
int certificate_set_revoke_superseded(const struct value *value, void *object);
int certificate_set_ssl_mode(const struct value *value, void *object);
int certificate_set_adopt(const struct value *value, void *object);

/*
 * All keys are set, and the targets are chosen: whose private key it is, and what needs it; which
 * formats there are, and what for. Each says everything that is wrong.
 */
int certificate_key_check(const struct certificate_section *reading);
int certificate_formats_check(const struct certificate_section *reading);

/* What is done at Cloudflare only after a handshake needs targets that are asked. */
int certificate_cloud_check(const struct certificate_section *reading);

/* The words of these formats with ", " between them; free() it. */
char *certificate_formats_text(unsigned which);

/* Where `key` stands. */
struct config_place certificate_key_place(const struct certificate_section *reading,
					  const char *key);

#endif
