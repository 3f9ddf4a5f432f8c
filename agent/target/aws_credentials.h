/*
 * aws_credentials.h - credentials of Amazon Web Services, looked for where its own tools do: the
 * environment, the shared credentials file, the container's endpoint, the instance's metadata.
 */
#ifndef ORIGIN_CA_TARGET_AWS_CREDENTIALS_H
#define ORIGIN_CA_TARGET_AWS_CREDENTIALS_H

#include "base/error.h"
#include "target/remote.h"

struct aws_credentials {
	char *access_key;
	char *secret_key;
	char *session_token; /* or NULL */
};

/*
 * The target's `credentials_file`, and then nothing else. Without it the first that is there:
 * AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (unless the target names a
 * profile); that profile, AWS_PROFILE or "default" of AWS_SHARED_CREDENTIALS_FILE or
 * ~/.aws/credentials; AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI; the metadata service of
 * EC2, version 2, at its link-local address (unless AWS_EC2_METADATA_DISABLED is true). Class
 * authorization, telling what was tried, when there are none; configuration for a file that cannot
 * be used. Nothing that was read is in a message. Free with aws_credentials_free().
 */
int aws_credentials_find(const struct remote_order *order, struct aws_credentials *ret_credentials,
			 struct error *error);
void aws_credentials_free(struct aws_credentials *credentials);

/* The part that asks nobody, for `check`: *ret_found is false where an endpoint would be asked. */
int aws_credentials_look(const struct config_target *target,
			 struct aws_credentials *ret_credentials, bool *ret_found,
			 struct error *error);

#endif
