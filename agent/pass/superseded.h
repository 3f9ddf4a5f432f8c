/*
 * superseded.h - `revoke_superseded`: what this host issued and replaced is revoked, after the
 * grace time, and only after a handshake confirmed the successor on every target.
 *
 * Only what this machine asked for itself is ever revoked: a certificate that was adopted, or that
 * came with a copied state directory, may be served by another host. What cannot be revoked is
 * tried again by the failure's class.
 */
#ifndef ORIGIN_CA_PASS_SUPERSEDED_H
#define ORIGIN_CA_PASS_SUPERSEDED_H

#include "pass/pass.h"

/* Marks the newest generation as issued by this machine. */
void superseded_mark(struct pass_job *job);

/* Notes the newest generation as one to revoke, before another one takes its place. */
void superseded_note(const struct pass *pass, struct pass_job *job);

/* After deploying: revokes what is due. */
void superseded_revoke_all(struct pass *pass);

/* When the next revocation of a job is due; 0: none is. */
int64_t superseded_due(const struct pass_job *job);

#endif
