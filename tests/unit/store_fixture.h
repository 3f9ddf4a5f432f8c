/* store_fixture.h - a state directory to break, for the tests of the store. */
#ifndef ORIGIN_CA_TESTS_STORE_FIXTURE_H
#define ORIGIN_CA_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "store/generation.h"
#include "store/state.h"
#include "store/store.h"

#define FIXTURE_NAME "shop.example"

/* A real disk, unless a test does thousands of syncs and asks for memory. */
#ifndef FIXTURE_BASE
#define FIXTURE_BASE "/var/tmp"
#endif

struct fixture {
	char path[64];
	struct store store;
	int certificate;
	char *where;
	struct string_list hostnames;
	struct file_access access;
	struct error error;
};

static inline void fixture_make(struct fixture *fixture)
{
	*fixture = (struct fixture){.access = FILE_ACCESS(0600), .certificate = -1};
	snprintf(fixture->path, sizeof(fixture->path), FIXTURE_BASE "/origin-ca-store.XXXXXX");
	assert_non_null(mkdtemp(fixture->path));
	assert_int_equal(store_open(fixture->path, true, &fixture->store, &fixture->error), 0);
	assert_int_equal(store_certificate_open(&fixture->store, FIXTURE_NAME, true,
						&fixture->certificate, &fixture->error),
			 0);
	fixture->where = string_format("%s/certificates/%s", fixture->path, FIXTURE_NAME);
	string_list_add(&fixture->hostnames, "shop.example");
	string_list_add(&fixture->hostnames, "*.shop.example");
}

static inline void fixture_free(struct fixture *fixture)
{
	closep(&fixture->certificate);
	store_close(&fixture->store);
	file_remove_at(AT_FDCWD, "", fixture->path, NULL);
	string_list_free(&fixture->hostnames);
	free(fixture->where);
	*fixture = (struct fixture){.certificate = -1};
}

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = memory_alloc(1, sizeof(*fixture));
	fixture_make(fixture);
	*state = fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	fixture_free(*state);
	free(*state);
	return 0;
}

#define fixture_test(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

/* A leaf of the key as the API would answer it; free() it. */
static inline char *fixture_leaf(const struct fixture *fixture, EVP_PKEY *key)
{
	struct buffer pem = BUFFER(1 << 16);
	assert_int_equal(leaf_make_placeholder(key, &fixture->hostnames, clock_now(), &pem, NULL),
			 0);
	return buffer_take(&pem);
}

/* A root; its PEM text, too (free both). */
static inline X509 *fixture_root(const struct fixture *fixture, char **ret_pem)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	X509 *root = NULL;
	assert_int_equal(key_generate(KEY_ECDSA_P256, &key, NULL), 0);
	*ret_pem = fixture_leaf(fixture, key);
	assert_int_equal(leaf_read_pem(*ret_pem, strlen(*ret_pem), &root, NULL), 0);
	return root;
}

static inline struct pending_request fixture_request(const struct fixture *fixture)
{
	return (struct pending_request){
		.key_type = KEY_ECDSA_P256,
		.hostnames = &fixture->hostnames,
		.access = &fixture->access,
	};
}

/* PEM files only. */
static inline struct generation_files fixture_files(const struct fixture *fixture)
{
	return (struct generation_files){.name = FIXTURE_NAME, .access = fixture->access};
}

static inline int fixture_prepare(struct fixture *fixture, EVP_PKEY **ret_key, bool *ret_reused)
{
	CLEANUP(freep) char *csr = NULL;
	const struct pending_request request = fixture_request(fixture);
	int result = pending_prepare(fixture->certificate, fixture->where, &request, ret_key, &csr,
				     ret_reused, &fixture->error);
	if (result == 0)
		assert_true(string_starts(csr, "-----BEGIN CERTIFICATE REQUEST-----\n"));
	return result;
}

static inline int fixture_commit(struct fixture *fixture, const char *leaf, unsigned *ret_number)
{
	struct generation_meta meta = {.validity_days = 7};
	const struct generation_files files = fixture_files(fixture);
	int result = generation_commit(fixture->certificate, fixture->where, leaf, &meta, &files,
				       ret_number, &fixture->error);
	generation_meta_free(&meta);
	return result;
}

static inline int fixture_placeholder(struct fixture *fixture, int64_t now)
{
	const struct generation_files files = fixture_files(fixture);
	return generation_placeholder(fixture->certificate, fixture->where, &fixture->hostnames,
				      &files, now, &fixture->error);
}

/* One whole issue; the generation's number. */
static inline unsigned fixture_issue(struct fixture *fixture)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number = 0;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
	return number;
}

static inline unsigned fixture_recover(struct fixture *fixture)
{
	unsigned number = UINT_MAX;
	assert_int_equal(
		generation_recover(fixture->certificate, fixture->where, &number, &fixture->error),
		0);
	return number;
}

static inline size_t fixture_count(struct fixture *fixture)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	assert_int_equal(generation_list(fixture->certificate, fixture->where, &numbers, &count,
					 &fixture->error),
			 0);
	return count;
}

/* How many entries a directory has. */
static inline size_t entries_of(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY);
	DIR *listing = fdopendir(fd);
	size_t count = 0;
	assert_non_null(listing);
	while (readdir(listing))
		count++;
	closedir(listing);
	return count - 2;
}

static inline size_t fixture_entries(const struct fixture *fixture)
{
	return entries_of(fixture->certificate);
}

/* Writes a file, path relative to certificates/NAME/. */
static inline void fixture_put(const struct fixture *fixture, const char *name, const char *text)
{
	int fd = openat(fixture->certificate, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Its text; free() it. NULL when absent. */
static inline char *fixture_get(const struct fixture *fixture, const char *name)
{
	struct buffer text = BUFFER(FILE_LIMIT);
	return file_read_at(fixture->certificate, "", name, &text, NULL) < 0 ? NULL
									     : buffer_take(&text);
}

static inline bool fixture_has(const struct fixture *fixture, const char *name)
{
	struct stat status;
	return fstatat(fixture->certificate, name, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline struct stat fixture_stat(const struct fixture *fixture, const char *name)
{
	struct stat status;
	assert_int_equal(fstatat(fixture->certificate, name, &status, AT_SYMLINK_NOFOLLOW), 0);
	return status;
}

static inline void fixture_mkdir(const struct fixture *fixture, const char *name)
{
	assert_int_equal(mkdirat(fixture->certificate, name, 0711), 0);
}

#endif
