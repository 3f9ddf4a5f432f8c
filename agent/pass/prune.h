/*
 * prune.h - removing all files of a certificate that is configured no longer (DESIGN 5).
 *
 * A server whose configuration still includes a snippet that is gone does not start again, so what
 * is still named or served is an obstacle.
 */
#ifndef ORIGIN_CA_PASS_PRUNE_H
#define ORIGIN_CA_PASS_PRUNE_H

#include "pass/holdings.h"

struct prune {
	const char *name;
	struct string_list files;     /* paths that are to be removed, directories as one */
	struct string_list kept;      /* snippets that look like ours but were changed: they stay */
	struct string_list obstacles; /* sentences */
	struct string_list ids;	      /* certificates at Cloudflare that stay valid */
};

/* Looks; removes nothing. Handshakes with every target, and reads the servers' configuration. */
int prune_look(const struct config *config, const struct store *store,
	       const struct holdings *holdings, const char *name, struct prune *ret_prune,
	       struct error *error);
void prune_free(struct prune *prune);

/* Removes `files`: links and snippets first, the keys last. The store must be locked. */
int prune_remove(const struct prune *prune, struct error *error);

#endif
