/*
 * trust.h - the published roots in STATE/roots: used, and fetched when they are missing. Nothing
 * waits for them for long, and an address that cannot be reached never keeps from issuing.
 */
#ifndef ORIGIN_CA_PASS_TRUST_H
#define ORIGIN_CA_PASS_TRUST_H

#include "pass/pass.h"

/* Takes those that are there into the pass, and says what is wrong with others. */
void trust_load(struct pass *pass);

/* Fetches what is missing and of use to a job: the roots that sign, for what is to be issued or
 * checked whole; the authority of Cloudflare's client certificate where one is asked for. True when
 * something is known now that was not. */
bool trust_fetch(struct pass *pass);

/* The roots that may have signed a certificate of its account. */
const struct root_list *trust_roots(const struct pass *pass,
				    const struct config_certificate *certificate);

/*
 * The same after fetching what is published once more, once per pass and account: for a leaf that
 * none of the known ones has signed. `ret_unknown` says which published one is not pinned
 * (-EKEYREJECTED, with a remedy), if one is. May be called by several threads.
 */
const struct root_list *trust_roots_anew(struct pass *pass,
					 const struct config_certificate *certificate,
					 struct error *ret_unknown);

/* After issuing: what was fetched anew is what trust_roots() gives from here on. */
void trust_take_anew(struct pass *pass);

/*
 * The account whose client_ca and client_authority are to be asked of clients; NULL without
 * `authenticated_origin_pulls`, and while that authority is not there.
 */
struct pass_account *trust_client_account(struct pass *pass,
					  const struct config_certificate *certificate);

/* What keeps a certificate with `authenticated_origin_pulls` from being deployed, class transient,
 * -ENOKEY; 0 when nothing does. */
int trust_client_ca_missing(struct pass *pass, const struct config_certificate *certificate,
			    struct error *error);

#endif
