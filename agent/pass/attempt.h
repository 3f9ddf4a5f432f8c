/* attempt.h - one certificate on its way from nothing to a generation. */
#ifndef ORIGIN_CA_PASS_ATTEMPT_H
#define ORIGIN_CA_PASS_ATTEMPT_H

#include "pass/pass.h"

struct attempt {
	struct pass *pass;
	struct pass_job *job;
	struct pass_account *account;
	struct client *client; /* the account's */
	int directory;
	EVP_PKEY *key;
	char *csr;
	bool reused;	/* an earlier request with this key may have been answered */
	bool unseen;	/* a request of this pass may have been carried out */
	char *pem, *id; /* the answer */
	bool adopted;
};

/* The account of an API, NULL when the pass has none. */
struct pass_account *attempt_account(struct pass *pass, const struct config_api *api);

/* No more than the daily budget allows, whatever asks for more: -EDQUOT, class bug. */
int attempt_budget(const struct pass *pass, const struct pass_job *job, struct error *error);

/*
 * Asks, and never twice for one need: before a request is repeated with a key that was sent
 * before, the zone's list says whether the first one was carried out. Sets pem, id, adopted and
 * unseen. To be called without job->lock; what came of it is remembered in the account.
 */
int attempt_ask(struct attempt *attempt, struct error *error);

/* As long as nobody answers: the error that the others got. */
int attempt_account_usable(struct pass_account *account, struct error *error);

/* Runs one from the budget to the stored generation, and records what came of it in the job. */
void attempt_run(struct pass *pass, struct pass_job *job);

#endif
