/*
 * become.h - what root asks for is done by the owner of the state directory (DESIGN 6), so that no
 * file is left that the service cannot replace, and so that what fails at night fails by day.
 */
#ifndef ORIGIN_CA_COMMANDS_BECOME_H
#define ORIGIN_CA_COMMANDS_BECOME_H

#include <stdbool.h>

#include "config/model.h"

/*
 * Called by root: becomes the owner of the state directory that `config_path` names, with the
 * groups of that account and those that the service's unit gives (SupplementaryGroups=), and with
 * no way back; the working directory is then "/". Before, the default token file is read into
 * `ret_token`: only root may. With `make`, a state directory that is not there yet is made (0711)
 * for the account origin-ca-agent; without, that account is taken.
 *
 * Nothing is done when the caller is not root, when the directory is root's, or when neither it nor
 * the account is there (a container). A negative errno (class local) when root could not be given
 * up: nothing must be done then.
 */
int become_owner(const char *config_path, bool make, struct config_token *ret_token,
		 struct error *error);

/* Overwrites and frees what become_owner() gave. */
void become_forget(struct config_token *token);

#endif
