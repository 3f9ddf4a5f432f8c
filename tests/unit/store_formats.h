/* store_formats.h - generations with all exports, for the tests of them. */
#ifndef ORIGIN_CA_TESTS_STORE_FORMATS_H
#define ORIGIN_CA_TESTS_STORE_FORMATS_H

#include "store_fixture.h"

#define ALL_FORMATS                                                                                \
	((unsigned)FORMAT_DER | (unsigned)FORMAT_P7B | (unsigned)FORMAT_P12 |                      \
	 (unsigned)FORMAT_COMBINED)

/* A fixture with a root, and what all its files are to be. */
struct formats {
	struct fixture fixture;
	X509 *root;
	char *root_pem;
	struct generation_files files;
};

static inline void formats_make(struct formats *formats)
{
	*formats = (struct formats){0};
	fixture_make(&formats->fixture);
	formats->root = fixture_root(&formats->fixture, &formats->root_pem);
	formats->files = fixture_files(&formats->fixture);
	formats->files.formats = ALL_FORMATS;
	formats->files.root = formats->root;
	formats->files.chain_root = true;
	formats->files.password = "secret";
}

static inline void formats_free(struct formats *formats)
{
	X509_free(formats->root);
	free(formats->root_pem);
	fixture_free(&formats->fixture);
}

static inline int formats_setup(void **state)
{
	struct formats *formats = memory_alloc(1, sizeof(*formats));
	formats_make(formats);
	*state = formats;
	return 0;
}

static inline int formats_teardown(void **state)
{
	formats_free(*state);
	free(*state);
	return 0;
}

static inline unsigned formats_issue(struct formats *formats, const struct generation_files *files)
{
	struct fixture *fixture = &formats->fixture;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *csr = NULL;
	struct pending_request request = fixture_request(fixture);
	bool reused;
	unsigned number = 0;
	request.formats = files->formats;
	request.chain_root = files->chain_root;
	assert_int_equal(pending_prepare(fixture->certificate, fixture->where, &request, &key, &csr,
					 &reused, &fixture->error),
			 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	struct generation_meta meta = {.validity_days = 90, .adopted = true};
	assert_int_equal(generation_commit(fixture->certificate, fixture->where, leaf, &meta, files,
					   &number, &fixture->error),
			 0);
	assert_int_equal(meta.formats, files->formats);
	assert_int_equal(meta.chain_root, files->chain_root && files->root);
	generation_meta_free(&meta);
	return number;
}

static inline unsigned formats_check(struct formats *formats, unsigned number,
				     const struct generation_files *files, bool full)
{
	struct fixture *fixture = &formats->fixture;
	unsigned differences = UINT_MAX;
	if (generation_files_check(fixture->certificate, fixture->where, number, files, full,
				   &differences, &fixture->error) < 0)
		fail_msg("%s", fixture->error.message);
	return differences;
}

static inline unsigned formats_derive(struct formats *formats, unsigned number,
				      const struct generation_files *files)
{
	struct fixture *fixture = &formats->fixture;
	unsigned derived = 0;
	if (generation_derive(fixture->certificate, fixture->where, number, 0, files, &derived,
			      &fixture->error) < 0)
		fail_msg("%s", fixture->error.message);
	return derived;
}

static inline struct generation_meta formats_meta(struct formats *formats, unsigned number)
{
	struct fixture *fixture = &formats->fixture;
	struct generation_meta meta = {0};
	if (generation_read(fixture->certificate, fixture->where, number, &meta, &fixture->error) <
	    0)
		fail_msg("%s", fixture->error.message);
	return meta;
}

static inline char *formats_get(struct formats *formats, unsigned number, const char *name)
{
	char text[GENERATION_NAME_SIZE];
	CLEANUP(freep) char *path = string_format("%s/%s", generation_name(number, text), name);
	return fixture_get(&formats->fixture, path);
}

#define formats_test(test) cmocka_unit_test_setup_teardown(test, formats_setup, formats_teardown)

#endif
