/*
 * bystander.h - the certificates of a target that a deployment is not about.
 *
 * A reload makes a server read the files of all its certificates again. Some servers end when one
 * pair does not belong together, Apache httpd after its own test has found nothing wrong (DESIGN
 * 8); what was damaged and cannot be mended just now, or belongs to a certificate that this pass
 * is not about, must not be read because of another one.
 */
#ifndef ORIGIN_CA_PASS_BYSTANDER_H
#define ORIGIN_CA_PASS_BYSTANDER_H

#include "pass/group.h"

/*
 * 0 when the target may be reloaded (or restarted, for `restarts`): it stands a bad pair, or what
 * it would read of certificates outside of the group is as the agent left it. Else class deploy,
 * -EUCLEAN, with the one to blame and the remedy.
 */
int bystander_check(const struct group *group, bool restarts, struct error *error);

#endif
