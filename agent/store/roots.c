#include "store/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "pki/leaf.h"
#include "store/parts.h"

#define STORE_ROOTS "roots"

static char *roots_where(const struct store *store)
{
	return string_format("%s/%s", store->path, STORE_ROOTS);
}

int roots_open(const struct store *store, bool create, int *ret_fd, struct error *error)
{
	if (!create)
		return directory_open_at(store->fd, store->path, STORE_ROOTS, ret_fd, error);

	CLEANUP(closep) int fd = -1;
	int result = directory_make_at(store->fd, store->path, STORE_ROOTS, &FILE_ACCESS(0755), &fd,
				       error);
	/* Also one that was there: who made it may have been killed before this. */
	if (result == 0)
		result = directory_sync(store->fd, store->path, error);
	if (result == 0)
		*ret_fd = TAKE_FD(fd);
	return result;
}

/* 1 when the file is there and good, 0 when it is not, negative when that cannot be told. */
static int root_look(int directory, const char *where, enum root_kind kind,
		     const struct string_list *pins, struct string_list *warnings,
		     struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(ROOT_TEXT_LIMIT);
	CLEANUP(X509_freep) X509 *root = NULL;
	struct error reason = {0};
	int result = file_read_at(directory, where, root_publications[kind].file, &text, &reason);
	if (result == -ENOENT)
		return 0;
	if (result < 0 && !part_is_lost(result)) {
		if (error)
			*error = reason;
		return result;
	}
	if (result == 0)
		result = root_read_pem(kind, buffer_text(&text), text.length, pins, &root, &reason);
	if (result == 0)
		return 1;
	if (warnings)
		string_list_take(warnings,
				 string_format("%s/%s: not used: %s", where,
					       root_publications[kind].file, reason.message));
	return 0;
}

int roots_present(const struct store *store, const struct string_list *pins, unsigned *ret_kinds,
		  struct string_list *ret_warnings, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) char *where = roots_where(store);
	struct error reason = {0};
	unsigned kinds = 0;
	int result = roots_open(store, false, &directory, &reason);
	if (result < 0 && result != -ENOENT) {
		if (error)
			*error = reason;
		return result;
	}
	for (enum root_kind kind = 0; directory >= 0 && kind < ROOT_KIND_COUNT; kind++) {
		result = root_look(directory, where, kind, pins, ret_warnings, error);
		if (result < 0)
			return result;
		kinds |= (unsigned)result << kind;
	}
	*ret_kinds = kinds;
	return 0;
}

int roots_write(const struct store *store, enum root_kind kind, X509 *root, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) char *where = roots_where(store);
	CLEANUP(buffer_free) struct buffer pem = BUFFER(ROOT_TEXT_LIMIT);
	int result = leaf_write_pem(root, &pem, error);
	if (result == 0)
		result = roots_open(store, true, &directory, error);
	if (result < 0)
		return result;
	leftovers_remove(directory);
	return file_write_at(directory, where, root_publications[kind].file, buffer_text(&pem),
			     pem.length, &FILE_ACCESS(0644), FILE_SYNC, error);
}

char *roots_path(const struct store *store, enum root_kind kind)
{
	return string_format("%s/%s/%s", store->path, STORE_ROOTS, root_publications[kind].file);
}
