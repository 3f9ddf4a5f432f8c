#include "supervisor/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "supervisor/watch_way.h"

enum {
	ROUNDS = 4,	    /* of looking where the ways lead, while that changes */
	WRITING_LIMIT = 64, /* files that are being written at a time */
};

struct watch {
	struct way way;
	int inotify;
	sd_event_source *source;
	watch_handler changed;
	void *context;
	char *writing[WRITING_LIMIT]; /* paths of files that were made and not closed yet */
};

/* Where that path stands in `writing`, or (for NULL) room; NULL when there is none. */
static char **writing_find(struct watch *watch, const char *path)
{
	for (size_t i = 0; i < WRITING_LIMIT; i++) {
		char *known = watch->writing[i];
		if (path ? known && strcmp(known, path) == 0 : !known)
			return &watch->writing[i];
	}
	return NULL;
}

static void writing_begin(struct watch *watch, const char *path)
{
	char **room = writing_find(watch, path) ? NULL : writing_find(watch, NULL);
	if (room)
		*room = string_copy(path);
}

static void writing_end(struct watch *watch, const char *path)
{
	char **known = writing_find(watch, path);
	if (known)
		freep(known);
	if (known)
		*known = NULL;
}

/* A new name. A directory or a link is all there; a file is not before it is closed. */
static bool is_whole(struct watch *watch, const char *path)
{
	struct stat status;
	if (lstat(path, &status) < 0)
		return false; /* another event tells what became of it */
	if (!S_ISREG(status.st_mode) || status.st_nlink > 1)
		return true;
	writing_begin(watch, path);
	return false;
}

static bool event_counts(struct watch *watch, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW)
		return true;
	struct way_stop *stop = way_find(&watch->way, event->wd);
	if (!stop)
		return false; /* of a watch that was given up */
	if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
		return true;
	if (event->mask & IN_IGNORED)
		return false;
	if (event->len == 0) /* the directory's own mode, which says whether it can be read */
		return event->mask & IN_ATTRIB && stop->suffix;

	if (!way_counts(stop, event->name))
		return false;
	CLEANUP(freep) char *path = string_format("%s/%s", stop->path, event->name);
	if (event->mask & IN_CREATE)
		return is_whole(watch, path);
	if (event->mask & IN_ATTRIB)
		return !writing_find(watch, path);
	writing_end(watch, path);
	return true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *context)
{
	_Alignas(struct inotify_event) char space[16 << 10];
	struct watch *watch = context;
	bool counts = false;
	(void)source;
	(void)events;

	ssize_t length = read(fd, space, sizeof(space));
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (ssize_t at = 0; at < length;) {
		/* NOLINTNEXTLINE(clang-analyzer-core): inotify(7) aligns and ends each event. */
		const struct inotify_event *event = (const void *)(space + at);
		counts |= event_counts(watch, event);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
	if (counts)
		watch->changed(watch->context);
	return 0;
}

int watch_new(sd_event *event, watch_handler changed, void *context, struct watch **ret_watch,
	      struct error *error)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0) {
		int result = -errno;
		error_errno(error, result, "cannot watch for changes");
		if (result == -EMFILE)
			error_remedy(error,
				     "raise the limit: sysctl fs.inotify.max_user_instances");
		return result;
	}
	struct watch *watch = memory_alloc(1, sizeof(*watch));
	*watch = (struct watch){
		.inotify = fd,
		.way = {.inotify = fd},
		.changed = changed,
		.context = context,
	};
	int result = sd_event_add_io(event, &watch->source, fd, EPOLLIN, on_readable, watch);
	if (result < 0) {
		watch_free(watch);
		return error_errno(error, result, "cannot watch for changes");
	}
	*ret_watch = watch;
	return 0;
}

/* Gives up what the new way does not lead through or does not ask for. */
static void replace(struct watch *watch, struct way *fresh)
{
	for (size_t i = 0; i < watch->way.count; i++) {
		const struct way_stop *old = &watch->way.stops[i];
		const struct way_stop *stop = way_find(fresh, old->watch);
		if (!stop)
			inotify_rm_watch(watch->inotify, old->watch);
		else if (old->mask & ~stop->mask)
			inotify_add_watch(watch->inotify, stop->path, stop->mask | IN_ONLYDIR);
	}
	way_free(&watch->way);
	watch->way = *fresh;
	*fresh = (struct way){0};
}

int watch_set(struct watch *watch, const struct watch_point *points, size_t count,
	      struct error *error)
{
	bool same = false;
	/* A link may be turned between looking at it and watching it; once two looks in a row see
	 * the same, whatever comes is told. */
	for (unsigned round = 0; round < ROUNDS && !same; round++) {
		struct way fresh = {.inotify = watch->inotify};
		for (size_t i = 0; i < count; i++)
			way_add(&fresh, points[i].path, points[i].suffix);
		same = way_same(&fresh, &watch->way);
		replace(watch, &fresh);
	}
	if (watch->way.result < 0 && error)
		*error = watch->way.error;
	return watch->way.result;
}

void watch_list(const struct watch *watch, struct string_list *ret_paths)
{
	for (size_t i = 0; i < watch->way.count; i++)
		string_list_add(ret_paths, watch->way.stops[i].path);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	sd_event_source_disable_unref(watch->source);
	way_free(&watch->way);
	for (size_t i = 0; i < WRITING_LIMIT; i++)
		free(watch->writing[i]);
	closep(&watch->inotify);
	free(watch);
}
