/* served.h - a full pass asks the servers again: what was verified once may have been changed
 * behind our back. */
#ifndef ORIGIN_CA_PASS_SERVED_H
#define ORIGIN_CA_PASS_SERVED_H

#include "pass/pass.h"

/* In a full pass, else for those whose section came back: a handshake for each verified certificate
 * of the targets that go together, or of those that go alone (target/kind.h): what shows another
 * leaf is not verified any more, and REDEPLOY_SERVED is a reason to deploy. */
void served_look(struct pass *pass, bool alone);

#endif
