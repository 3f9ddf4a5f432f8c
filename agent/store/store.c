#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/parts.h"

#define STORE_LOCK     "lock"
#define STORE_LIVE     "live"
#define STORE_SNIPPETS "snippets"

/* Below the state directory. Only what is in `keep` stays open. */
static int subdirectory_make(const struct store *store, const char *name, mode_t mode, bool create,
			     int *keep, bool *made, struct error *error)
{
	CLEANUP(closep) int fd = -1;
	int result;
	if (create) {
		if (mkdirat(store->fd, name, 0700) == 0)
			*made = true;
		result = directory_make_at(store->fd, store->path, name, &FILE_ACCESS(mode), &fd,
					   error);
	} else {
		result = directory_open_at(store->fd, store->path, name, &fd, error);
	}
	if (result == 0 && keep)
		*keep = TAKE_FD(fd);
	return result;
}

static int state_directory_open(const char *path, bool create, int *ret_fd, struct error *error)
{
	if (path[0] != '/')
		return error_set(error, ERROR_CONFIGURATION, -EINVAL,
				 "the state directory %s is not an absolute path", path);

	/* Links are followed here and only here: with DynamicUser= systemd makes StateDirectory= a
	 * link, and an administrator may have moved it to another disk. */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	if (errno == ENOENT && create)
		return directory_make_path(path, &FILE_ACCESS(0711), ret_fd, error);
	return error_errno(error, -errno, "cannot open the state directory %s", path);
}

static int explain(int result, struct error *error)
{
	if (result == -EACCES || result == -EPERM)
		error_remedy(error,
			     "run as root, or chown the state directory to the agent's user");
	return result;
}

int store_open(const char *path, bool create, struct store *ret_store, struct error *error)
{
	CLEANUP(store_close)
	struct store store = {
		.fd = -1,
		.certificates = -1,
		.lock = -1,
		.path = string_copy(path),
	};
	bool made = false;
	int result = state_directory_open(path, create, &store.fd, error);
	if (result == 0)
		result = subdirectory_make(&store, "certificates", 0711, create,
					   &store.certificates, &made, error);
	if (result == 0 && create)
		result = subdirectory_make(&store, STORE_SNIPPETS, 0755, true, NULL, &made, error);
	if (result == 0 && create)
		result = subdirectory_make(&store, STORE_LIVE, 0755, true, NULL, &made, error);
	if (result == 0 && made)
		result = directory_sync(store.fd, store.path, error);
	if (result < 0)
		return explain(result, error);

	*ret_store = store;
	store = (struct store){.fd = -1, .certificates = -1, .lock = -1};
	return 0;
}

/* {0} is a store that was never opened; its descriptors are not standard input. */
static void store_descriptor_close(const struct store *store, int fd)
{
	if (fd >= 0 && store->path)
		close(fd);
}

void store_close(struct store *store)
{
	store_descriptor_close(store, store->lock);
	store_descriptor_close(store, store->certificates);
	store_descriptor_close(store, store->fd);
	free(store->path);
	*store = (struct store){.fd = -1, .certificates = -1, .lock = -1};
}

static int lock_busy(const struct store *store, int fd, struct error *error)
{
	char text[24] = "";
	ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
	text[length > 0 ? length : 0] = '\0';
	text[strspn(text, "0123456789")] = '\0';
	return error_set(error, ERROR_LOCAL, -EWOULDBLOCK, "another pass holds %s/%s (process %s)",
			 store->path, STORE_LOCK, text[0] ? text : "unknown");
}

/* True when STATE/lock still is the file behind the descriptor: a lock on a file that somebody
 * removed protects nothing, the next process would make a new one. */
static bool lock_in_place(const struct store *store, int fd)
{
	struct stat held;
	struct stat there;
	return fstat(fd, &held) == 0 &&
	       fstatat(store->fd, STORE_LOCK, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

static int lock_open(const struct store *store, int *ret_fd, struct error *error)
{
	/* O_CLOEXEC: a hook or `systemctl` that outlives us must not keep the lock. */
	CLEANUP(closep)
	int fd = openat(store->fd, STORE_LOCK,
			O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd < 0)
		return explain(
			error_errno(error, -errno, "cannot open %s/%s", store->path, STORE_LOCK),
			error);
	struct stat status;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return error_set(error, ERROR_LOCAL, -EINVAL, "%s/%s is not a regular file",
				 store->path, STORE_LOCK);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? lock_busy(store, fd, error)
					    : error_errno(error, -errno, "cannot lock %s/%s",
							  store->path, STORE_LOCK);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int subdirectory_visit(int directory, const char *name, void *context, struct error *error)
{
	(void)context;
	(void)error;
	CLEANUP(closep)
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		leftovers_remove(fd);
	return 0;
}

/* Removes what earlier passes were killed before they could rename, of any age: nobody but the
 * holder of the lock writes here. What they left below certificates/ is for generation_recover(),
 * which reads those directories anyway. */
static void leftovers_remove_all(const struct store *store)
{
	leftovers_remove(store->fd);
	subdirectory_visit(store->fd, STORE_LIVE, NULL, NULL);
	CLEANUP(closep) int snippets = -1;
	if (directory_open_at(store->fd, "", STORE_SNIPPETS, &snippets, NULL) == 0)
		directory_walk(snippets, "", subdirectory_visit, NULL, NULL);
}

int store_lock(struct store *store, struct error *error)
{
	if (store->lock >= 0)
		return 0;

	for (int tries = 0; tries < 16; tries++) {
		CLEANUP(closep) int fd = -1;
		int result = lock_open(store, &fd, error);
		if (result < 0)
			return result;
		if (!lock_in_place(store, fd))
			continue;

		/* A courtesy to whoever waits: a full disk must not keep us from locking. */
		char text[24];
		int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
		if (ftruncate(fd, 0) == 0) {
			ssize_t ignored = pwrite(fd, text, (size_t)length, 0);
			(void)ignored;
		}
		store->lock = TAKE_FD(fd);
		leftovers_remove_all(store);
		return 0;
	}
	return error_set(error, ERROR_LOCAL, -EAGAIN,
			 "cannot lock %s/%s: somebody keeps removing it", store->path, STORE_LOCK);
}

/* The configuration checks names; this is what keeps a path inside, whoever calls. */
static int name_check(const char *name, struct error *error)
{
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') || strlen(name) > NAME_MAX)
		return error_set(error, ERROR_BUG, -EINVAL,
				 "\"%s\" cannot be the name of a certificate", name);
	return 0;
}

int store_certificate_open(const struct store *store, const char *name, bool create, int *ret_fd,
			   struct error *error)
{
	int result = name_check(name, error);
	if (result < 0)
		return result;

	char where[PATH_MAX];
	snprintf(where, sizeof(where), "%s/certificates", store->path);
	if (store->certificates < 0) /* only looked for, and not there: the first day */
		return error_set(error, ERROR_LOCAL, -ENOENT, "there is no %s yet", where);
	if (create)
		return directory_make_at(store->certificates, where, name, &FILE_ACCESS(0711),
					 ret_fd, error);
	return directory_open_at(store->certificates, where, name, ret_fd, error);
}

static int certificate_visit(int directory, const char *name, void *context, struct error *error)
{
	struct string_list *names = context;
	struct stat status;
	if (name[0] == '.' || fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(status.st_mode))
		return 0;
	if (names->count == STORE_CERTIFICATES_LIMIT)
		return error_set(error, ERROR_LOCAL, -E2BIG,
				 "more than %d directories of certificates",
				 STORE_CERTIFICATES_LIMIT);
	string_list_add(names, name);
	return 0;
}

int store_certificate_list(const struct store *store, struct string_list *ret_names,
			   struct error *error)
{
	char where[PATH_MAX];
	snprintf(where, sizeof(where), "%s/certificates", store->path);
	CLEANUP(string_list_free) struct string_list names = {0};
	int result = directory_walk(store->certificates, where, certificate_visit, &names, error);
	if (result < 0)
		return result;
	string_list_sort(&names);
	*ret_names = names;
	names = (struct string_list){0};
	return 0;
}

int store_snippets_list(const struct store *store, struct string_list *ret_names,
			struct error *error)
{
	CLEANUP(closep) int snippets = -1;
	CLEANUP(string_list_free) struct string_list names = {0};
	CLEANUP(freep) char *where = string_format("%s/" STORE_SNIPPETS, store->path);
	int result = directory_open_at(store->fd, store->path, STORE_SNIPPETS, &snippets, error);
	if (result == 0)
		result = directory_walk(snippets, where, certificate_visit, &names, error);
	if (result == -ENOENT)
		error_clear(error);
	if (result < 0)
		return result == -ENOENT ? 0 : result;
	*ret_names = names;
	names = (struct string_list){0};
	return 0;
}

int store_live_set(const struct store *store, const char *name, unsigned generation,
		   struct error *error)
{
	int result = name_check(name, error);
	if (result < 0)
		return result;

	CLEANUP(closep) int live = -1;
	result = directory_open_at(store->fd, store->path, STORE_LIVE, &live, error);
	if (result < 0)
		return result;

	char number[GENERATION_NAME_SIZE];
	CLEANUP(freep)
	char *wanted =
		string_format("../certificates/%s/%s", name, generation_name(generation, number));
	char present[PATH_MAX];
	ssize_t length = readlinkat(live, name, present, sizeof(present));
	if (length == (ssize_t)strlen(wanted) && memcmp(present, wanted, (size_t)length) == 0)
		return 0;

	/* Always the same temporary name, so that one left by a crash is the next one's; there is
	 * one writer at a time (store_lock()). */
	CLEANUP(freep) char *temporary = string_format(".%s.tmp", name);
	const char *operation = NULL;
	if (unlinkat(live, temporary, 0) < 0 && errno != ENOENT)
		operation = "remove the old temporary link of";
	else if (symlinkat(wanted, live, temporary) < 0)
		operation = "make the new link of";
	else if (renameat(live, temporary, live, name) < 0)
		operation = "replace";
	if (operation) {
		result = -errno;
		unlinkat(live, temporary, 0);
		error_errno(error, result, "cannot %s %s/%s/%s", operation, store->path, STORE_LIVE,
			    name);
		if (result == -EISDIR)
			error_remedy(error, "it must be a symbolic link; move the directory away");
		return result;
	}
	return 0;
}

int store_live_sync(const struct store *store, struct error *error)
{
	CLEANUP(closep) int live = -1;
	int result = directory_open_at(store->fd, store->path, STORE_LIVE, &live, error);
	return result < 0 ? result : directory_sync(live, store->path, error);
}
