/*
 * watch.h - inotify(7) on what the administrator writes: tells when something of it was finished.
 *
 * What is watched is named by paths, and may be absent, behind symbolic links, or replaced at any
 * time: on the way to each path, every directory is watched for its own removal or renaming, and
 * the directory of every symbolic link or missing component for that name. Set the watches first,
 * then read: what changes after that is told.
 *
 * Only what is finished counts: a file that was closed after writing, a rename, a removal, a link,
 * a change of mode or owner; not a file that was just made and is still being written.
 */
#ifndef ORIGIN_CA_SUPERVISOR_WATCH_H
#define ORIGIN_CA_SUPERVISOR_WATCH_H

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/list.h"

struct watch_point {
	const char *path;   /* absolute */
	const char *suffix; /* a directory, and all names in it that end so; NULL: a file */
};

struct watch;

/* Called for each change that counts, by the event loop. */
typedef void (*watch_handler)(void *context);

/* Watches nothing yet. -EMFILE with a remedy when this user has no inotify instance left. */
int watch_new(sd_event *event, watch_handler changed, void *context, struct watch **ret_watch,
	      struct error *error);

/*
 * Watches these points and what leads to them, and nothing else any more. To be called again after
 * a change, because a link may lead elsewhere now. What cannot be watched is an error (-ENOSPC with
 * a remedy when this user has no inotify watch left, -EACCES ...); the rest is watched all the
 * same.
 */
int watch_set(struct watch *watch, const struct watch_point *points, size_t count,
	      struct error *error);

/* The directories that are watched, for tests. */
void watch_list(const struct watch *watch, struct string_list *ret_paths);

void watch_free(struct watch *watch);

#endif
