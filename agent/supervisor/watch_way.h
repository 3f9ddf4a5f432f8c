/* watch_way.h - which directories lie on the way to a path, and what counts in each. */
#ifndef ORIGIN_CA_SUPERVISOR_WATCH_WAY_H
#define ORIGIN_CA_SUPERVISOR_WATCH_WAY_H

#include <stdint.h>

#include "base/error.h"
#include "base/list.h"

/* One watched directory. */
struct way_stop {
	int watch;		  /* inotify's descriptor */
	char *path;		  /* without symbolic links, as it was found */
	uint32_t mask;		  /* of inotify_add_watch(2) */
	struct string_list names; /* that count in it */
	const char *suffix;	  /* names that end so count as well, or NULL */
};

struct way {
	int inotify;
	struct way_stop *stops;
	size_t count;
	int result; /* the first failure: a negative errno */
	struct error error;
};

/* Adds the way to a file, or (with a suffix) to a directory and all that it holds. Each directory
 * is watched before it is looked into. */
void way_add(struct way *way, const char *path, const char *suffix);

/* NULL when there is none of that number. */
struct way_stop *way_find(const struct way *way, int watch);

/* True for a name in that directory that is asked for. */
bool way_counts(const struct way_stop *stop, const char *name);

/* Both lead through the same directories and names. */
bool way_same(const struct way *one, const struct way *other);

void way_free(struct way *way);

#endif
