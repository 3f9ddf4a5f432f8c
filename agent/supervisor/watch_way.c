#include "supervisor/watch_way.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "config/leftover.h"

enum {
	LINKS_LIMIT = 40, /* as the kernel's own */
};

/* The directory itself goes away or comes elsewhere: no wake-up for anything in it. */
static const uint32_t mask_self = IN_DELETE_SELF | IN_MOVE_SELF;
static const uint32_t mask_names = IN_DELETE_SELF | IN_MOVE_SELF | IN_CREATE | IN_CLOSE_WRITE |
				   IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB;

DEFINE_CLEANUP(DIR *, closedir)

static void fail(struct way *way, const char *path, int result)
{
	if (way->result < 0)
		return;
	way->result = result;
	error_errno(&way->error, result, "cannot watch %s for changes", path);
	if (result == -ENOSPC)
		error_remedy(&way->error, "raise the limit: sysctl fs.inotify.max_user_watches");
	else if (result == -EACCES)
		error_remedy(&way->error,
			     "the user that the agent runs as must be able to read it");
}

struct way_stop *way_find(const struct way *way, int watch)
{
	for (size_t i = 0; i < way->count; i++)
		if (way->stops[i].watch == watch)
			return &way->stops[i];
	return NULL;
}

static struct way_stop *stop_find(const struct way *way, const char *path)
{
	for (size_t i = 0; i < way->count; i++)
		if (strcmp(way->stops[i].path, path) == 0)
			return &way->stops[i];
	return NULL;
}

/* inotify has one watch for each directory, whatever path leads to it. Masks are only added to:
 * nothing may go unseen while this way takes the place of the former. NULL when it cannot be
 * watched. */
static struct way_stop *stop_add(struct way *way, const char *path, uint32_t mask)
{
	struct way_stop *stop = stop_find(way, path);
	if (stop && (stop->mask & mask) == mask)
		return stop;

	int watch = inotify_add_watch(way->inotify, path, mask | IN_MASK_ADD | IN_ONLYDIR);
	if (watch < 0) {
		/* Gone since it was looked at: its parent tells of that. */
		if (errno != ENOENT && errno != ENOTDIR)
			fail(way, path, -errno);
		return NULL;
	}
	stop = way_find(way, watch);
	if (!stop) {
		way->stops = memory_grow(way->stops, way->count, sizeof(*way->stops));
		stop = &way->stops[way->count++];
		*stop = (struct way_stop){.watch = watch, .path = string_copy(path)};
	}
	stop->mask |= mask;
	return stop;
}

bool way_counts(const struct way_stop *stop, const char *name)
{
	return (stop->suffix && string_ends(name, stop->suffix) && !leftover_name(name)) ||
	       string_list_has(&stop->names, name);
}

static void name_add(struct way *way, const char *directory, const char *name)
{
	struct way_stop *stop = stop_add(way, directory, mask_names);
	if (stop && !way_counts(stop, name))
		string_list_add(&stop->names, name);
}

/* Where a walk stands: `at` is a directory without symbolic links ("" is the root). */
struct walk {
	char at[PATH_MAX];
	char rest[PATH_MAX];
	unsigned links;
};

static void go_up(struct walk *walk)
{
	char *slash = strrchr(walk->at, '/');
	if (slash)
		*slash = '\0';
}

/* Puts what a link says before the rest. False when that is too long or goes round. */
static bool go_along(struct walk *walk, const char *link)
{
	char target[PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	if (length < 0 || ++walk->links > LINKS_LIMIT)
		return false;
	target[length] = '\0';
	CLEANUP(freep) char *rest = string_format("%s/%s", target, walk->rest);
	if (strlen(rest) >= sizeof(walk->rest))
		return false;
	memcpy(walk->rest, rest, strlen(rest) + 1);
	if (target[0] == '/')
		walk->at[0] = '\0';
	return true;
}

/* Cuts the first component off the rest; false when there is none. */
static bool component_take(struct walk *walk, char component[static NAME_MAX + 1])
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	size_t length = strcspn(start, "/");
	if (length == 0 || length > NAME_MAX)
		return false;
	memcpy(component, start, length);
	component[length] = '\0';
	memmove(walk->rest, start + length, strlen(start + length) + 1);
	return true;
}

static void contents_add(struct way *way, const char *directory, const char *suffix);

/* The walk has come to its end at a directory. */
static void arrive(struct way *way, const struct walk *walk, const char *suffix)
{
	const char *path = walk->at[0] ? walk->at : "/";
	if (suffix)
		contents_add(way, path, suffix);
	else
		stop_add(way, path, mask_self);
}

void way_add(struct way *way, const char *path, const char *suffix)
{
	struct walk walk = {0};
	char component[NAME_MAX + 1];
	if (strlen(path) >= sizeof(walk.rest))
		return;
	memcpy(walk.rest, path, strlen(path) + 1);

	while (component_take(&walk, component)) {
		const char *at = walk.at[0] ? walk.at : "/";
		if (strcmp(component, ".") == 0)
			continue;
		if (strcmp(component, "..") == 0) {
			go_up(&walk);
			continue;
		}
		CLEANUP(freep) char *next = string_format("%s/%s", walk.at, component);
		struct stat status;
		bool there = strlen(next) < sizeof(walk.at) && lstat(next, &status) == 0;
		if (there && S_ISDIR(status.st_mode)) {
			stop_add(way, next, mask_self);
			memcpy(walk.at, next, strlen(next) + 1);
			continue;
		}
		/* Watched first, then looked at again: it may have come or changed meanwhile. */
		name_add(way, at, component);
		if (!there || !S_ISLNK(status.st_mode) || !go_along(&walk, next))
			return;
	}
	arrive(way, &walk, suffix);
}

/* A directory of files, and where those lead that are links. */
static void contents_add(struct way *way, const char *directory, const char *suffix)
{
	struct way_stop *stop = stop_add(way, directory, mask_names);
	if (!stop)
		return;
	stop->suffix = suffix;
	CLEANUP(closedirp) DIR *stream = opendir(directory);
	if (!stream)
		return;
	const struct dirent *entry;
	while ((entry = readdir(stream)))
		if ((entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) &&
		    string_ends(entry->d_name, suffix) && !leftover_name(entry->d_name)) {
			CLEANUP(freep)
			char *path = string_format("%s/%s", directory, entry->d_name);
			way_add(way, path, NULL);
		}
}

bool way_same(const struct way *one, const struct way *other)
{
	if (one->count != other->count)
		return false;
	for (size_t i = 0; i < one->count; i++) {
		const struct way_stop *a = &one->stops[i];
		const struct way_stop *b = &other->stops[i];
		if (a->watch != b->watch || a->mask != b->mask ||
		    a->names.count != b->names.count || !string_list_same_set(&a->names, &b->names))
			return false;
	}
	return true;
}

void way_free(struct way *way)
{
	for (size_t i = 0; i < way->count; i++) {
		free(way->stops[i].path);
		string_list_free(&way->stops[i].names);
	}
	free(way->stops);
	*way = (struct way){0};
}
