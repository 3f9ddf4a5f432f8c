#include "store/roots.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/*
 * The name under which a root is kept: as published, or with the beginning of its SHA-256 where it
 * is another one. So accounts with roots of their own do not stand in each other's way, and a root
 * that replaces another has another path: a snippet that names it changes with it.
 */
static char *root_name(enum root_kind kind, const char *sha256)
{
	const struct root_publication *publication = &root_publications[kind];
	if (strcasecmp(sha256, publication->sha256) == 0)
		return string_copy(publication->file);
	size_t stem = strlen(publication->file) - strlen(".pem");
	CLEANUP(freep)
	char *name = string_format("%.*s.%.16s.pem", (int)stem, publication->file, sha256);
	for (char *digit = name + stem; *digit; digit++)
		*digit = (char)tolower((unsigned char)*digit);
	return TAKE_PTR(name);
}

/* 1 and the root when the file is there and good, 0 when it is not, negative when that cannot be
 * told. */
static int root_look(int directory, const char *where, const char *name, enum root_kind kind,
		     const struct string_list *pins, X509 **ret_root, struct string_list *warnings,
		     struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(ROOT_TEXT_LIMIT);
	struct error reason = {0};
	int result = file_read_at(directory, where, name, &text, &reason);
	if (result == -ENOENT)
		return 0;
	if (result < 0 && !part_is_lost(result)) {
		if (error)
			*error = reason;
		return result;
	}
	if (result == 0)
		result = root_read_pem(kind, buffer_text(&text), text.length, pins, ret_root,
				       &reason);
	if (result == 0)
		return 1;
	if (warnings)
		string_list_take(warnings,
				 string_format("%s/%s: not used: %s", where, name, reason.message));
	return 0;
}

/* As above for the one that counts for an account: with pins, the first of them that is kept. */
static int root_find(int directory, const char *where, enum root_kind kind,
		     const struct string_list *pins, char **ret_name, X509 **ret_root,
		     struct string_list *warnings, struct error *error)
{
	size_t count = pins && pins->count ? pins->count : 1;
	int result = 0;
	for (size_t i = 0; result == 0 && i < count; i++) {
		const char *sha256 =
			pins && pins->count ? pins->items[i] : root_publications[kind].sha256;
		CLEANUP(freep) char *name = root_name(kind, sha256);
		const struct string_list only = {(char *[]){(char *)(uintptr_t)sha256}, 1};
		result = root_look(directory, where, name, kind, &only, ret_root, warnings, error);
		if (result > 0)
			*ret_name = TAKE_PTR(name);
	}
	return result;
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
		CLEANUP(freep) char *name = NULL;
		CLEANUP(X509_freep) X509 *root = NULL;
		result = root_find(directory, where, kind, pins, &name, &root, ret_warnings, error);
		if (result < 0)
			return result;
		kinds |= (unsigned)result << kind;
	}
	*ret_kinds = kinds;
	return 0;
}

int roots_read(const struct store *store, enum root_kind kind, const struct string_list *pins,
	       char **ret_path, X509 **ret_root, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) char *where = roots_where(store);
	CLEANUP(freep) char *name = NULL;
	int result = roots_open(store, false, &directory, error);
	if (result == 0)
		result = root_find(directory, where, kind, pins, &name, ret_root, NULL, error);
	if (result == 0 && pins && pins->count)
		result = root_find(directory, where, kind, NULL, &name, ret_root, NULL, error);
	if (result == 0)
		return error_set(error, ERROR_LOCAL, -ENOENT, "%s/%s is not there, or is not %s",
				 where, root_publications[kind].file,
				 root_publications[kind].purpose);
	if (result < 0)
		return result;
	*ret_path = string_format("%s/%s", where, name);
	return 0;
}

int roots_write(const struct store *store, enum root_kind kind, X509 *root, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) char *where = roots_where(store);
	CLEANUP(buffer_free) struct buffer pem = BUFFER(ROOT_TEXT_LIMIT);
	char sha256[SHA256_TEXT_SIZE];
	int result = leaf_sha256(root, sha256, error);
	if (result == 0)
		result = leaf_write_pem(root, &pem, error);
	if (result == 0)
		result = roots_open(store, true, &directory, error);
	if (result < 0)
		return result;
	leftovers_remove(directory);
	CLEANUP(freep) char *name = root_name(kind, sha256);
	return file_write_at(directory, where, name, buffer_text(&pem), pem.length,
			     &FILE_ACCESS(0644), FILE_SYNC, error);
}
