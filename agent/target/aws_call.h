/*
 * aws_call.h - one call of AWS Certificate Manager's API (JSON 1.1), signed by Signature Version 4.
 * https://docs.aws.amazon.com/acm/latest/APIReference/
 */
#ifndef ORIGIN_CA_TARGET_AWS_CALL_H
#define ORIGIN_CA_TARGET_AWS_CALL_H

#include "base/json.h"
#include "target/aws_credentials.h"

struct aws_caller {
	const struct remote_order *order;
	struct aws_credentials credentials;
};

/*
 * `action`: "DescribeCertificate"; `body` may hold a private key. ret_answer is to be freed with
 * cJSON_Delete(). What throttles us is asked again a few times while there is time.
 *
 * Errors in AWS' own words and names: transient (throttling, their internal errors, the network;
 * outcome_unknown where it may have been done), authorization (-EACCES), configuration (-ENXIO: no
 * such certificate; -EDQUOT: a quota), deploy (-EBADMSG: refused).
 */
int aws_call(const struct aws_caller *caller, const char *action, const cJSON *body,
	     cJSON **ret_answer, struct error *error);

#endif
