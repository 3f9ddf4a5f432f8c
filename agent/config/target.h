/* target.h - a [target NAME] while it is read: what the files that read it share. */
#ifndef ORIGIN_CA_CONFIG_TARGET_H
#define ORIGIN_CA_CONFIG_TARGET_H

#include "config/build.h"

enum {
	TARGET_TYPE_MISSING = -1
};

struct target_section {
	struct config_target *target;
	struct build *build;
	const struct ini_section *section; /* NULL: a certificate names the type */
	int type; /* enum target_type or TARGET_TYPE_MISSING; known before any key is set, so that
		     each setter can ask for it */
};

/* Setters, of a `struct target_section`. */
int target_set_unit(const struct value *value, void *object);
int target_set_reload(const struct value *value, void *object);
int target_set_reload_command(const struct value *value, void *object);
int target_set_reload_timeout(const struct value *value, void *object);
int target_set_config_test(const struct value *value, void *object);
int target_set_manager_url(const struct value *value, void *object);
int target_set_manager_credentials_file(const struct value *value, void *object);
int target_set_probe(const struct value *value, void *object);
int target_set_probe_timeout(const struct value *value, void *object);
int target_set_url(const struct value *value, void *object);
int target_set_user(const struct value *value, void *object);
int target_set_token_file(const struct value *value, void *object);
int target_set_ca_file(const struct value *value, void *object);
int target_set_domains(const struct value *value, void *object);
int target_set_allow_ecdsa(const struct value *value, void *object);
int target_set_region(const struct value *value, void *object);
int target_set_certificate_arn(const struct value *value, void *object);
int target_set_credentials_file(const struct value *value, void *object);
int target_set_profile(const struct value *value, void *object);
int target_set_endpoint(const struct value *value, void *object);
int target_set_directory(const struct value *value, void *object);
int target_set_password_file(const struct value *value, void *object);
int target_set_delivery(const struct value *value, void *object);
int target_set_keystore_encryption(const struct value *value, void *object);

/* True for a type whose servers are not services of this host. */
bool target_type_is_remote(int type);

/* What such a target starts from, before its keys are set. */
void target_remote_defaults(struct config_target *target);

/* All keys are set: each must be one of the target's type, and what that type needs must be there.
 * Says everything that is wrong. */
int target_remote_check(const struct target_section *reading);

void config_remote_free(struct config_remote *remote);

/* All keys are set: how those about reloading go together. Says everything that is wrong. */
int target_reload_check(const struct target_section *reading);

#endif
