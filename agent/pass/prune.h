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

/* Lines of the servers' configuration in which a name occurs. */
struct prune_mentions {
	struct string_list places; /* "PATH:LINE" of each of `lines` */
	struct string_list lines;
	struct string_list unread; /* files that this user may not read */
};

/* Reads the servers' configuration, as far as this user may: root, who is not needed afterwards. */
void prune_mentions_read(const char *name, struct prune_mentions *ret_mentions);
void prune_mentions_free(struct prune_mentions *mentions);

/* Looks; removes nothing. Handshakes with every target. */
int prune_look(const struct config *config, const struct store *store,
	       const struct holdings *holdings, const struct prune_mentions *mentions,
	       const char *name, struct prune *ret_prune, struct error *error);
void prune_free(struct prune *prune);

/* Removes `files`: links and snippets first, the keys last; below the state directory through no
 * symbolic link. The store must be locked. */
int prune_remove(const struct store *store, const struct prune *prune, struct error *error);

#endif
