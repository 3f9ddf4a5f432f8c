/* delivery.h - what a reload is for a server of this host, for one certificate at a remote target:
 * the generation that its snippet names is brought there (target/remote.h). */
#ifndef ORIGIN_CA_PASS_DELIVERY_H
#define ORIGIN_CA_PASS_DELIVERY_H

#include "pass/pass.h"

/*
 * Delivers what the snippet of this certificate asks for; 0 when the target itself says that it has
 * it. One that could not be reached in this pass is not tried again for the next certificate: the
 * same error is told, at once. `left` bounds all of it, in milliseconds.
 */
int delivery_run(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		 int64_t left, struct error *error);

/*
 * Whether the target itself says that it has what the snippet asks for. True, with a word in the
 * log, where that cannot be told just now: the handshake has to do.
 */
bool delivery_is_there(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job);

#endif
