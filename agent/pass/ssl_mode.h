/*
 * ssl_mode.h - `ssl_mode`: bringing the zone, or the certificate's hostnames by a configuration
 * rule, to Full (strict) once a handshake has shown the certificate on every target, and no
 * other one for a name that is no wildcard.
 *
 * Once for each definition: what somebody sets otherwise later is theirs. A zone whose automatic
 * mode is on is left alone, and so is one of which that cannot be read. What the token may not do
 * is told with the permission, and tried again as the failure's class says; serving does not depend
 * on it.
 */
#ifndef ORIGIN_CA_PASS_SSL_MODE_H
#define ORIGIN_CA_PASS_SSL_MODE_H

#include "pass/pass.h"

/* After deploying. */
void ssl_mode_all(struct pass *pass);

/* When a job's is to be tried next; 0: nothing is to be done, or not before it is served. */
int64_t ssl_mode_due(const struct pass *pass, const struct pass_job *job);

#endif
