/*
 * revocation.h - whether Cloudflare has revoked what is served here: asked once a day, in a full
 * pass, of each certificate.
 *
 * Several certificates of one zone are asked about in one listing, as long as that is cheaper than
 * one request each. Only a certificate that Cloudflare says is revoked counts; one that is not
 * listed does not. What cannot be asked is asked again a day later, and is no failure.
 */
#ifndef ORIGIN_CA_PASS_REVOCATION_H
#define ORIGIN_CA_PASS_REVOCATION_H

#include "pass/pass.h"

/* After planning: adds REISSUE_REVOKED to jobs, and notes it in their state. */
void revocation_check(struct pass *pass);

#endif
