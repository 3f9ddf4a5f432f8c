/*
 * store.h - the state directory: what exists on this host (DESIGN 4).
 *
 * All paths below it are reached through descriptors. Files are the truth; state.json is a hint.
 */
#ifndef ORIGIN_CA_STORE_STORE_H
#define ORIGIN_CA_STORE_STORE_H

#include "base/error.h"
#include "base/file.h"
#include "base/list.h"

enum {
	STORE_CERTIFICATES_LIMIT = 100000, /* directories below certificates/ */
};

struct store {
	int fd;		  /* the state directory */
	int certificates; /* certificates/ */
	int lock;	  /* -1 until store_lock() */
	char *path;	  /* absolute */
};

/* Opens; with `create`, makes what is missing (state directory 0711, certificates/ 0711,
 * snippets/ 0755, live/ 0755). A state directory that is there keeps its mode, and may be a
 * symbolic link (systemd makes one); nothing below it may. -ENOENT when it is not there and
 * `create` is false. */
int store_open(const char *path, bool create, struct store *ret_store, struct error *error);

/* Closes, which gives up the lock. A store that was never opened must be {0}; twice is harmless. */
void store_close(struct store *store);

/* Takes the flock on STATE/lock without waiting. -EWOULDBLOCK when another pass has it (its
 * process id, which the file holds as a courtesy, is in the message). The kernel drops the lock
 * with the process: a stale one cannot exist. Removes the temporary files that killed passes left
 * in the state directory, live/ and snippets/TARGET/. */
int store_lock(struct store *store, struct error *error);

/*
 * Opens certificates/NAME/, making it (0711) with `create`. -ENOENT otherwise. A new directory is
 * durable with the first thing that is made durable in it (pending_prepare(),
 * generation_placeholder()), not before.
 */
int store_certificate_open(const struct store *store, const char *name, bool create, int *ret_fd,
			   struct error *error);

/* The names of all directories below certificates/, sorted. */
int store_certificate_list(const struct store *store, struct string_list *ret_names,
			   struct error *error);

/* The names of all directories below snippets/: of targets, present and past. None is no error. */
int store_snippets_list(const struct store *store, struct string_list *ret_names,
			struct error *error);

/* Points live/NAME at a generation (relative symbolic link, replaced atomically). Nothing is
 * written when it points there already. */
int store_live_set(const struct store *store, const char *name, unsigned generation,
		   struct error *error);

/* Makes all that store_live_set() did durable, at once; before an old generation is removed. */
int store_live_sync(const struct store *store, struct error *error);

#endif
