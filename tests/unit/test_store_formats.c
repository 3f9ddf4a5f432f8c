/* Exports of a generation: made, held against what they should be, and made anew. */
#include "store_formats.h"

static const char *const exports[] = {GENERATION_DER, GENERATION_P7B, GENERATION_P12,
				      GENERATION_COMBINED};

/* What both looks say, which must be the same. */
static unsigned checks(struct formats *formats, unsigned number,
		       const struct generation_files *files)
{
	unsigned quick = formats_check(formats, number, files, false);
	assert_int_equal(quick, formats_check(formats, number, files, true));
	return quick;
}

static bool has(struct formats *formats, unsigned number, const char *name)
{
	char text[GENERATION_NAME_SIZE];
	CLEANUP(freep) char *path = string_format("%s/%s", generation_name(number, text), name);
	return fixture_has(&formats->fixture, path);
}

static void test_every_format_is_made_and_only_the_owner_reads_the_key(void **state)
{
	struct formats *formats = *state;
	assert_int_equal(formats_issue(formats, &formats->files), 1);
	static const mode_t modes[] = {0644, 0644, 0600, 0600};
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++) {
		CLEANUP(freep) char *path = string_format("0001/%s", exports[i]);
		struct stat status = fixture_stat(&formats->fixture, path);
		assert_int_equal(status.st_mode & 07777, modes[i]);
		assert_true(status.st_size > 100);
		assert_string_equal(generation_format_file((enum certificate_format)(1U << i)),
				    exports[i]);
	}
	assert_null(generation_format_file((enum certificate_format)ALL_FORMATS));
	CLEANUP(freep) char *cert = formats_get(formats, 1, GENERATION_CERT);
	CLEANUP(freep) char *chain = formats_get(formats, 1, GENERATION_CHAIN);
	CLEANUP(freep) char *fullchain = formats_get(formats, 1, GENERATION_FULLCHAIN);
	CLEANUP(freep) char *key = formats_get(formats, 1, GENERATION_KEY);
	CLEANUP(freep) char *combined = formats_get(formats, 1, GENERATION_COMBINED);
	CLEANUP(freep) char *full = string_format("%s%s", cert, formats->root_pem);
	CLEANUP(freep) char *all = string_format("%s%s", full, key);
	assert_string_equal(chain, formats->root_pem);
	assert_string_equal(fullchain, full);
	assert_string_equal(combined, all);
	CLEANUP(generation_meta_free) struct generation_meta meta = formats_meta(formats, 1);
	char digest[SHA256_TEXT_SIZE];
	assert_int_equal(leaf_sha256(formats->root, digest, NULL), 0);
	assert_int_equal(meta.formats, ALL_FORMATS);
	assert_true(meta.chain_root);
	assert_false(meta.keyless);
	assert_string_equal(meta.root_sha256, digest);
	assert_int_equal(checks(formats, 1, &formats->files), 0);
}

static void test_a_format_nobody_asked_for_is_not_made_and_one_too_many_is_no_difference(
	void **state)
{
	struct formats *formats = *state;
	struct generation_files files = fixture_files(&formats->fixture);
	formats_issue(formats, &formats->files);
	assert_int_equal(formats_issue(formats, &files), 2);
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++)
		assert_false(has(formats, 2, exports[i]));
	assert_int_equal(checks(formats, 2, &files), 0);
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++) {
		struct generation_files one = formats->files;
		one.formats = 1U << i;
		assert_int_equal(checks(formats, 1, &one), 0);
		one.chain_root = false;
		one.root = NULL;
		assert_int_equal(checks(formats, 2, &one), GENERATION_FORMATS);
	}
}

static void test_a_derived_generation_has_the_same_key_and_leaf_and_what_was_wanted(void **state)
{
	struct formats *formats = *state;
	struct generation_files plain = fixture_files(&formats->fixture);
	unsigned number = formats_issue(formats, &plain);
	assert_int_equal(checks(formats, number, &formats->files),
			 GENERATION_FORMATS | GENERATION_ROOT);
	CLEANUP(generation_meta_free) struct generation_meta before = formats_meta(formats, 1);
	fixture_mkdir(&formats->fixture, "pending");
	fixture_put(&formats->fixture, "pending/note", "a request that is under way");
	assert_int_equal(formats_derive(formats, number, &formats->files), 2);
	assert_true(fixture_has(&formats->fixture, "pending/note"));

	CLEANUP(generation_meta_free) struct generation_meta after = formats_meta(formats, 2);
	assert_string_equal(after.id, before.id);
	assert_int_equal(after.created, before.created);
	assert_int_equal(after.validity_days, 90);
	assert_true(after.adopted);
	assert_string_equal(after.facts.sha256, before.facts.sha256);
	static const char *const same[] = {GENERATION_KEY, GENERATION_CERT};
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		CLEANUP(freep) char *first = formats_get(formats, 1, same[i]);
		CLEANUP(freep) char *second = formats_get(formats, 2, same[i]);
		assert_string_equal(first, second);
	}
	assert_int_equal(checks(formats, 2, &formats->files), 0);
	/* The first one is as it was. */
	assert_int_equal(checks(formats, 1, &plain), 0);
	assert_false(has(formats, 1, GENERATION_P12));
}

static void test_a_derived_number_is_above_all_that_are_named(void **state)
{
	struct formats *formats = *state;
	struct fixture *fixture = &formats->fixture;
	unsigned number = formats_issue(formats, &formats->files);
	unsigned derived = 0;
	assert_int_equal(generation_derive(fixture->certificate, fixture->where, number, 41,
					   &formats->files, &derived, NULL),
			 0);
	assert_int_equal(derived, 41);
	assert_int_equal(formats_derive(formats, number, &formats->files), 42);
	assert_int_equal(generation_derive(fixture->certificate, fixture->where, 7, 0,
					   &formats->files, &derived, &fixture->error),
			 -ENOENT);
	assert_int_equal(fixture_placeholder(fixture, clock_now()), 0);
	assert_int_equal(generation_derive(fixture->certificate, fixture->where, 0, 0,
					   &formats->files, &derived, &fixture->error),
			 -EINVAL);
	assert_int_equal(derived, 41);
}

static void test_another_password_is_found_and_derived(void **state)
{
	struct formats *formats = *state;
	formats_issue(formats, &formats->files);
	struct generation_files files = formats->files;
	files.password = "another";
	assert_int_equal(formats_check(formats, 1, &files, false), 0);
	assert_int_equal(formats_check(formats, 1, &files, true), GENERATION_PASSWORD);
	assert_int_equal(formats_derive(formats, 1, &files), 2);
	assert_int_equal(formats_check(formats, 2, &files, true), 0);
	assert_int_equal(formats_check(formats, 2, &formats->files, true), GENERATION_PASSWORD);
}

static void test_a_root_that_comes_to_be_known_is_a_difference_where_it_is_used(void **state)
{
	struct formats *formats = *state;
	struct generation_files unknown = formats->files;
	unknown.root = NULL;
	formats_issue(formats, &unknown);
	CLEANUP(freep) char *chain = formats_get(formats, 1, GENERATION_CHAIN);
	assert_string_equal(chain, "");
	assert_int_equal(checks(formats, 1, &unknown), 0);
	assert_int_equal(checks(formats, 1, &formats->files), GENERATION_ROOT);
	struct generation_files unused = formats->files;
	unused.chain_root = false;
	unused.formats = FORMAT_DER | FORMAT_COMBINED;
	assert_int_equal(checks(formats, 1, &unused), 0);
	unused.formats = FORMAT_P7B;
	assert_int_equal(checks(formats, 1, &unused), GENERATION_ROOT);
	assert_int_equal(formats_derive(formats, 1, &formats->files), 2);
	assert_int_equal(checks(formats, 2, &formats->files), 0);
}

static void test_a_chain_that_is_no_longer_wanted_and_another_root_are_differences(void **state)
{
	struct formats *formats = *state;
	formats_issue(formats, &formats->files);
	struct generation_files files = formats->files;
	files.chain_root = false;
	assert_int_equal(checks(formats, 1, &files), GENERATION_ROOT);
	assert_int_equal(formats_derive(formats, 1, &files), 2);
	assert_int_equal(checks(formats, 2, &files), 0);
	CLEANUP(freep) char *cert = formats_get(formats, 2, GENERATION_CERT);
	CLEANUP(freep) char *fullchain = formats_get(formats, 2, GENERATION_FULLCHAIN);
	assert_string_equal(fullchain, cert);

	CLEANUP(freep) char *pem = NULL;
	CLEANUP(X509_freep) X509 *renewed = fixture_root(&formats->fixture, &pem);
	files = formats->files;
	files.root = renewed;
	assert_int_equal(checks(formats, 1, &files), GENERATION_ROOT);
	/* The chain of the second has none, but its cert.p7b does. */
	files.chain_root = false;
	assert_int_equal(checks(formats, 2, &files), GENERATION_ROOT);
}

static void test_a_root_that_is_not_known_any_more_stays_where_it_was(void **state)
{
	struct formats *formats = *state;
	formats_issue(formats, &formats->files);
	struct generation_files files = formats->files;
	files.root = NULL;
	assert_int_equal(checks(formats, 1, &files), 0);
	assert_int_equal(formats_derive(formats, 1, &files), 2);
	CLEANUP(freep) char *chain = formats_get(formats, 2, GENERATION_CHAIN);
	assert_string_equal(chain, formats->root_pem);
	/* Only cert.p7b tells it here. */
	files.chain_root = false;
	assert_int_equal(formats_derive(formats, 1, &files), 3);
	assert_int_equal(formats_derive(formats, 3, &files), 4);
	CLEANUP(freep) char *first = formats_get(formats, 1, GENERATION_P7B);
	CLEANUP(freep) char *last = formats_get(formats, 4, GENERATION_P7B);
	assert_string_equal(first, last);
	assert_int_equal(checks(formats, 4, &files), 0);
}

/* Puts other bytes into a file of generation 1. */
static void damage(struct formats *formats, const char *name, const char *text)
{
	CLEANUP(freep) char *path = string_format("0001/%s", name);
	fixture_put(&formats->fixture, path, text);
}

static void test_a_damaged_export_is_found_by_a_full_look_and_costs_no_certificate(void **state)
{
	struct formats *formats = *state;
	formats_issue(formats, &formats->files);
	unsigned good = formats_derive(formats, 1, &formats->files);
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++) {
		CLEANUP(freep) char *bad = string_format("0001/%s", exports[i]);
		CLEANUP(freep) char *whole = string_format("%04u/%s", good, exports[i]);
		damage(formats, exports[i], "junk");
		assert_int_equal(formats_check(formats, 1, &formats->files, false), 0);
		assert_int_equal(formats_check(formats, 1, &formats->files, true),
				 GENERATION_DAMAGED);
		/* The certificate itself is read as ever. */
		struct generation_meta meta = formats_meta(formats, 1);
		generation_meta_free(&meta);
		assert_int_equal(formats_check(formats, formats_derive(formats, 1, &formats->files),
					       &formats->files, true),
				 0);
		assert_int_equal(unlinkat(formats->fixture.certificate, bad, 0), 0);
		assert_int_equal(checks(formats, 1, &formats->files), GENERATION_FORMATS);
		assert_int_equal(linkat(formats->fixture.certificate, whole,
					formats->fixture.certificate, bad, 0),
				 0);
		assert_int_equal(formats_check(formats, 1, &formats->files, true), 0);
	}
}

static void test_a_chain_of_something_else_is_damage(void **state)
{
	struct formats *formats = *state;
	struct generation_files plain = fixture_files(&formats->fixture);
	formats_issue(formats, &plain);
	CLEANUP(freep) char *cert = formats_get(formats, 1, GENERATION_CERT);
	CLEANUP(freep) char *full = string_format("%s%s", cert, formats->root_pem);
	unlinkat(formats->fixture.certificate, "0001/fullchain.pem", 0);
	damage(formats, GENERATION_CHAIN, formats->root_pem);
	damage(formats, GENERATION_FULLCHAIN, full);
	struct generation_meta meta = formats_meta(formats, 1);
	generation_meta_free(&meta);
	assert_int_equal(formats_check(formats, 1, &plain, true), GENERATION_DAMAGED);
	assert_int_equal(formats_check(formats, formats_derive(formats, 1, &plain), &plain, true),
			 0);
}

static void test_without_meta_a_generation_is_derived_only_for_what_is_wanted(void **state)
{
	struct formats *formats = *state;
	struct generation_files plain = fixture_files(&formats->fixture);
	formats_issue(formats, &plain);
	damage(formats, GENERATION_META, "{\"version\": 1, \"num");
	assert_int_equal(checks(formats, 1, &plain), 0);
	assert_int_equal(checks(formats, 1, &formats->files), GENERATION_FORMATS | GENERATION_ROOT);
	assert_int_equal(
		checks(formats, formats_derive(formats, 1, &formats->files), &formats->files), 0);
}

static void test_a_keystore_without_password_is_refused_before_anything_is_written(void **state)
{
	struct formats *formats = *state;
	struct fixture *fixture = &formats->fixture;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number = 0;
	formats->files.password = NULL;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	struct generation_meta meta = {0};
	assert_int_equal(generation_commit(fixture->certificate, fixture->where, leaf, &meta,
					   &formats->files, &number, &fixture->error),
			 -EINVAL);
	assert_int_equal(fixture->error.class, ERROR_BUG);
	assert_int_equal(fixture_stat(fixture, "pending/cert.pem").st_size, 0);
	generation_meta_free(&meta);
}

static void test_a_recovered_answer_has_pem_only_and_derives_the_rest(void **state)
{
	struct formats *formats = *state;
	struct fixture *fixture = &formats->fixture;
	formats_issue(formats, &formats->files);
	assert_int_equal(renameat(fixture->certificate, "0001", fixture->certificate, "pending"),
			 0);
	assert_int_equal(fixture_recover(fixture), 1);
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++)
		assert_false(has(formats, 1, exports[i]));
	CLEANUP(generation_meta_free) struct generation_meta meta = formats_meta(formats, 1);
	assert_int_equal(meta.formats, 0);
	assert_true(meta.chain_root);
	assert_int_equal(checks(formats, 1, &formats->files), GENERATION_FORMATS);
	assert_int_equal(
		checks(formats, formats_derive(formats, 1, &formats->files), &formats->files), 0);
}

static void test_a_placeholder_is_given_the_format_that_it_lacks_and_keeps_its_key(void **state)
{
	struct formats *formats = *state;
	struct fixture *fixture = &formats->fixture;
	assert_int_equal(fixture_placeholder(fixture, clock_now()), 0);
	CLEANUP(freep) char *key = formats_get(formats, 0, GENERATION_KEY);
	for (int i = 0; i < 3; i++) {
		if (i == 2)
			formats->files.password = "another";
		assert_int_equal(generation_placeholder(fixture->certificate, fixture->where,
							&fixture->hostnames, &formats->files,
							clock_now(), &fixture->error),
				 0);
		CLEANUP(freep) char *same = formats_get(formats, 0, GENERATION_KEY);
		CLEANUP(freep) char *cert = formats_get(formats, 0, GENERATION_CERT);
		CLEANUP(freep) char *combined = formats_get(formats, 0, GENERATION_COMBINED);
		CLEANUP(freep) char *expected = string_format("%s%s", cert, key);
		assert_string_equal(same, key);
		assert_string_equal(combined, expected);
		assert_int_equal(fixture_stat(fixture, "0000/combined.pem").st_mode & 07777, 0600);
		struct generation_files none = formats->files;
		none.root = NULL;
		assert_int_equal(checks(formats, 0, &none), 0);
	}
	/* One that is as it should be is not touched. */
	struct stat before = fixture_stat(fixture, "0000/keystore.p12");
	assert_int_equal(generation_placeholder(fixture->certificate, fixture->where,
						&fixture->hostnames, &formats->files, clock_now(),
						NULL),
			 0);
	assert_int_equal(fixture_stat(fixture, "0000/keystore.p12").st_ino, before.st_ino);
	CLEANUP(generation_meta_free) struct generation_meta meta = formats_meta(formats, 0);
	assert_int_equal(meta.formats, ALL_FORMATS);
	assert_true(meta.placeholder);
	assert_null(meta.id);
}

static void test_a_new_placeholder_has_its_formats_at_once(void **state)
{
	struct formats *formats = *state;
	struct fixture *fixture = &formats->fixture;
	assert_int_equal(generation_placeholder(fixture->certificate, fixture->where,
						&fixture->hostnames, &formats->files, clock_now(),
						&fixture->error),
			 0);
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++)
		assert_true(has(formats, 0, exports[i]));
	CLEANUP(freep) char *chain = formats_get(formats, 0, GENERATION_CHAIN);
	assert_string_equal(chain, "");
}

static void test_drifted_permissions_of_exports_are_repaired_in_place(void **state)
{
	struct formats *formats = *state;
	struct fixture *fixture = &formats->fixture;
	char before[SHA256_TEXT_SIZE];
	char after[SHA256_TEXT_SIZE];
	formats_issue(formats, &formats->files);
	for (size_t i = 0; i < ARRAY_SIZE(exports); i++) {
		CLEANUP(freep) char *path = string_format("0001/%s", exports[i]);
		mode_t mode = fixture_stat(fixture, path).st_mode & 07777;
		ino_t inode = fixture_stat(fixture, path).st_ino;
		bool drifted = true;
		assert_int_equal(generation_fingerprint(fixture->certificate, 1, before), 0);
		assert_int_equal(generation_access_check(fixture->certificate, fixture->where, 1,
							 &fixture->access, true, &drifted, NULL),
				 0);
		assert_false(drifted);
		assert_int_equal(fchmodat(fixture->certificate, path, 0666, 0), 0);
		assert_int_equal(generation_fingerprint(fixture->certificate, 1, after), 0);
		assert_string_not_equal(before, after);
		assert_int_equal(generation_access_check(fixture->certificate, fixture->where, 1,
							 &fixture->access, true, &drifted, NULL),
				 0);
		assert_true(drifted);
		assert_int_equal(fixture_stat(fixture, path).st_mode & 07777, mode);
		assert_int_equal(fixture_stat(fixture, path).st_ino, inode);
	}
	assert_int_equal(generation_fingerprint(fixture->certificate, 1, before), 0);
	assert_int_equal(unlinkat(fixture->certificate, "0001/cert.der", 0), 0);
	assert_int_equal(generation_fingerprint(fixture->certificate, 1, after), 0);
	assert_string_not_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		formats_test(test_every_format_is_made_and_only_the_owner_reads_the_key),
		formats_test(
			test_a_format_nobody_asked_for_is_not_made_and_one_too_many_is_no_difference),
		formats_test(
			test_a_derived_generation_has_the_same_key_and_leaf_and_what_was_wanted),
		formats_test(test_a_derived_number_is_above_all_that_are_named),
		formats_test(test_another_password_is_found_and_derived),
		formats_test(test_a_root_that_comes_to_be_known_is_a_difference_where_it_is_used),
		formats_test(
			test_a_chain_that_is_no_longer_wanted_and_another_root_are_differences),
		formats_test(test_a_root_that_is_not_known_any_more_stays_where_it_was),
		formats_test(
			test_a_damaged_export_is_found_by_a_full_look_and_costs_no_certificate),
		formats_test(test_a_chain_of_something_else_is_damage),
		formats_test(test_without_meta_a_generation_is_derived_only_for_what_is_wanted),
		formats_test(
			test_a_keystore_without_password_is_refused_before_anything_is_written),
		formats_test(test_a_recovered_answer_has_pem_only_and_derives_the_rest),
		formats_test(
			test_a_placeholder_is_given_the_format_that_it_lacks_and_keeps_its_key),
		formats_test(test_a_new_placeholder_has_its_formats_at_once),
		formats_test(test_drifted_permissions_of_exports_are_repaired_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
