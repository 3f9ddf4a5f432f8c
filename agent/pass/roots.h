/*
 * roots.h - the published roots in STATE/roots: used, and fetched when they are missing. Nothing
 * waits for them for long, and an address that cannot be reached never keeps from issuing.
 */
#ifndef ORIGIN_CA_PASS_ROOTS_H
#define ORIGIN_CA_PASS_ROOTS_H

#include "pass/pass.h"

/* Takes those that are there into pass->roots, and says what is wrong with others. */
void roots_load(struct pass *pass);

/* Fetches what is missing and of use to a job: the roots that sign, for what is to be issued or
 * made anew; the CA of Cloudflare's client certificate where a certificate asks for it. */
void roots_fetch(struct pass *pass);

#endif
