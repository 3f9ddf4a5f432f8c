/* manager_credentials.h - "USER:PASSWORD" of Tomcat's manager, from its file. */
#ifndef ORIGIN_CA_TARGET_MANAGER_CREDENTIALS_H
#define ORIGIN_CA_TARGET_MANAGER_CREDENTIALS_H

#include "base/error.h"
#include "config/model.h"

struct manager_credentials {
	char *user;
	char *password;
};

/* The first line of target->manager_credentials_file. Class configuration for a file that is
 * missing, open to others, or holds something else; no message has a part of it. */
int manager_credentials_read(const struct config_target *target,
			     struct manager_credentials *ret_credentials, struct error *error);

/* Wipes; takes zeroed ones as well. */
void manager_credentials_free(struct manager_credentials *credentials);

#endif
