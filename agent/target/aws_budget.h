/*
 * aws_budget.h - how often this host imports into AWS Certificate Manager: a loop must not use up
 * what the account may, which is 5000 imports in 365 days in each region ("Quotas", ACM's user
 * guide: https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html).
 */
#ifndef ORIGIN_CA_TARGET_AWS_BUDGET_H
#define ORIGIN_CA_TARGET_AWS_BUDGET_H

#include "target/remote.h"

enum {
	AWS_IMPORTS_MOST = 400,		/* of one certificate to one target, in 365 days */
	AWS_IMPORTS_REGION_MOST = 4500, /* of all of this host's to one region */
};

/*
 * Counts an import that is about to be asked for: in the target's note ("imports"), which the
 * caller saves, and in STATE/acm-imports.json, by region and day. Whose credentials they are is not
 * asked, so that two accounts share it: rather too few than too many. -EDQUOT (class configuration)
 * when one of them is full; then nothing is counted.
 */
int aws_budget_take(const struct remote_order *order, cJSON *note, struct error *error);

#endif
