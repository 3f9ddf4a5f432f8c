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

struct store {
	int fd;		  /* the state directory */
	int certificates; /* certificates/ */
	int lock;	  /* -1 until store_lock() */
	char *path;	  /* absolute */
};

/* Opens; with `create`, makes what is missing (state directory 0711, certificates/ 0711,
 * snippets/ 0755, live/ 0755). -ENOENT when it is not there and `create` is false. */
int store_open(const char *path, bool create, struct store *ret_store, struct error *error);
void store_close(struct store *store);

/* Takes the flock on STATE/lock without waiting. -EWOULDBLOCK when another pass has it (its
 * process id, which the file holds as a courtesy, is in the message). The kernel drops the lock
 * with the process: a stale one cannot exist. */
int store_lock(struct store *store, struct error *error);

/*
 * Proves that the store can take what an issue will write: before the API is asked. Makes and
 * syncs a file of 64 KiB in the certificate's directory and removes it. Class local, with the
 * remedy, when it cannot.
 */
int store_probe(const struct store *store, int certificate, const char *name, struct error *error);

/* Opens certificates/NAME/, making it (0711) with `create`. -ENOENT otherwise. */
int store_certificate_open(const struct store *store, const char *name, bool create, int *ret_fd,
			   struct error *error);

/* The names of all directories below certificates/, sorted. */
int store_certificate_list(const struct store *store, struct string_list *ret_names,
			   struct error *error);

/* Points live/NAME at a generation (relative symbolic link, replaced atomically). */
int store_live_set(const struct store *store, const char *name, unsigned generation,
		   struct error *error);

#endif
