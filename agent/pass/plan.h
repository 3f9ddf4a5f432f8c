/* plan.h - what is to be done for one certificate, and why. Asks nobody but this host. */
#ifndef ORIGIN_CA_PASS_PLAN_H
#define ORIGIN_CA_PASS_PLAN_H

#include "pass/pass.h"

/*
 * Reads state and files of job->certificate and fills in state, reasons and waiting. What was
 * checked once is trusted while its fingerprint holds, unless options.full. Recovers what a crash
 * left behind, unless options.dry_run.
 */
void plan_certificate(struct pass *pass, struct pass_job *job);

/* The redeploy reasons of every target anew, after issuing. */
void plan_targets(struct pass *pass, struct pass_job *job);

/* The words that decide whether a failure is tried again at once: a digest over the definition,
 * its account and the token's file. Free it. */
char *plan_fingerprint(const struct pass_job *job);

/* The same for its targets, all together, so that they go on together: a digest over how they are
 * reloaded and asked, and what is rendered for them. Free it. */
char *plan_target_fingerprint(struct pass *pass, struct pass_job *job);

/* Loads the target's template once per pass; the error stays in pass_target.error. */
int pass_target_load(struct pass *pass, size_t index);

/* As above, and opens its snippet directory (a dry run does not make it: -ENOENT). */
int pass_target_open(struct pass *pass, size_t index, struct error *error);

#endif
