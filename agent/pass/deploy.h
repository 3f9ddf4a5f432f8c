/*
 * deploy.h - from a new generation in the store to a server that shows it (DESIGN 2, 7).
 *
 * Grouped by target: all snippets are replaced, one reload, then handshakes until each new leaf is
 * shown. What is not shown goes back to its former snippet with a second reload; what breaks the
 * reload is found by halving the group. The generation stays for the next try.
 */
#ifndef ORIGIN_CA_PASS_DEPLOY_H
#define ORIGIN_CA_PASS_DEPLOY_H

#include "pass/pass.h"

/* Puts placeholder and placeholder snippet in place where a target has nothing yet. */
void deploy_placeholder(struct pass *pass, struct pass_job *job);

/* Deploys everything that has redeploy reasons and is not waiting. Errors stay in the jobs. */
void deploy_all(struct pass *pass);

#endif
