/*
 * settled.h - STATE/settled.json: which certificates the last pass left in order.
 *
 * Most passes find nothing to do. What was looked at once is trusted while its definition and the
 * stamps of its files stay as they were: that costs a few stat(2) a certificate, not the reading of
 * its state, key and leaf. A full pass, `status` and `--dry-run` do not ask here. The file is a
 * hint like all state: it is removed before a pass changes anything, so what a crash left behind
 * is looked at, and written again at the end.
 */
#ifndef ORIGIN_CA_PASS_SETTLED_H
#define ORIGIN_CA_PASS_SETTLED_H

#include "pass/pass.h"

struct settled;

/* What the last pass left; empty when there is nothing usable. Never NULL. */
struct settled *settled_load(const struct pass *pass);
void settled_free(struct settled *settled);

/*
 * True when job is as it was left, is not due, and its targets are verified: then its state has
 * what a report and the schedule need (numbers, serial, dates), and there is nothing to plan.
 */
bool settled_holds(const struct settled *settled, struct pass *pass, struct pass_job *job);

/* True for one that the last pass did not have, as far as the file is whole: nobody looked after it
 * for a while, and what its state says of its targets is as old. */
bool settled_lacks(const struct settled *settled, const struct pass_job *job);

/* True when it tells of certificates that are not configured any more. */
bool settled_is_stale(const struct settled *settled, const struct pass *pass);

/* Before anything is changed, and when what was found could not be told. */
void settled_discard(const struct pass *pass);

/* Writes down what is in order now; of configured certificates that were not in this pass, what was
 * known. After metrics_write(): what a settled pass carries over must be there. */
void settled_save(const struct settled *settled, struct pass *pass);

DEFINE_CLEANUP(struct settled *, settled_free)

#endif
