/* issue.h - getting certificates: the bounded pool of threads, and one certificate's way. */
#ifndef ORIGIN_CA_PASS_ISSUE_H
#define ORIGIN_CA_PASS_ISSUE_H

#include "pass/pass.h"

/* Reads the tokens of the accounts that are to be asked, before anything else is. */
void issue_prepare(struct pass *pass);

/* Makes the account's client when it is first needed; false when its token cannot be used. */
bool issue_account_ready(struct pass *pass, struct pass_account *account);

/* True for a job that is due now and whose account can be asked. To follow issue_prepare(). */
bool issue_is_to_ask(const struct pass *pass, const struct pass_job *job);

/* Issues for every job with reissue reasons that is not waiting. Errors stay in the jobs. */
void issue_all(struct pass *pass);

/*
 * Looks at the API for a certificate with `key` that fits `job` (an answer that was lost) and is
 * none of the generations in `directory`.
 * 1 with `ret_pem` and `ret_id` (free() both) when found, 0 when there is none, negative when the
 * zone cannot be listed.
 */
int issue_find_lost(struct client *client, const struct pass_job *job, int directory, EVP_PKEY *key,
		    char **ret_pem, char **ret_id, struct error *error);

#endif
