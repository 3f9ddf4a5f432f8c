/*
 * group_look.h - the handshakes by which many certificates of one target are proved to be served.
 */
#ifndef ORIGIN_CA_PASS_GROUP_LOOK_H
#define ORIGIN_CA_PASS_GROUP_LOOK_H

#include "pass/group.h"

/*
 * Sets `verified` of each item whose newest leaf the target shows, or the item's error. `patient`:
 * the server has just been told, so it is asked until each is shown, at most for the target's
 * probe_timeout; without it, once. A target without `probe` is believed.
 *
 * A server whose own configuration names no snippet of the target has nothing to take up: what was
 * never verified there is given up after two seconds.
 */
void group_look(struct group *group, bool patient);

#endif
