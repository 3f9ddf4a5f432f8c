/* STATE/roots. */
#include "store_fixture.h"

#include "store/roots.h"

static char *published(const char *name)
{
	struct buffer text = BUFFER(1 << 16);
	CLEANUP(freep) char *from = string_format("%s/roots/%s", TEST_DATA_DIR, name);
	assert_int_equal(file_read(from, &text, NULL), 0);
	return buffer_take(&text);
}

static unsigned present(struct fixture *fixture, const struct string_list *pins, size_t warned)
{
	unsigned kinds = UINT_MAX;
	CLEANUP(string_list_free) struct string_list warnings = {0};
	if (roots_present(&fixture->store, pins, &kinds, &warnings, &fixture->error) < 0)
		fail_msg("%s", fixture->error.message);
	assert_int_equal(warnings.count, warned);
	return kinds;
}

static void put(struct fixture *fixture, const char *name, const char *text)
{
	CLEANUP(closep) int directory = -1;
	assert_int_equal(roots_open(&fixture->store, true, &directory, NULL), 0);
	assert_int_equal(file_write_at(directory, "", name, text, strlen(text), &FILE_ACCESS(0644),
				       FILE_NO_SYNC, NULL),
			 0);
}

static void test_what_was_written_is_there_and_good(void **state)
{
	struct fixture *fixture = *state;
	int directory = -1;
	assert_int_equal(present(fixture, NULL, 0), 0);
	assert_int_equal(roots_open(&fixture->store, false, &directory, &fixture->error), -ENOENT);
	for (enum root_kind kind = ROOT_ORIGIN_ECC; kind <= ROOT_ORIGIN_RSA; kind++) {
		CLEANUP(freep) char *text = published(root_publications[kind].file);
		CLEANUP(freep) char *path = NULL;
		CLEANUP(X509_freep) X509 *kept = NULL;
		CLEANUP(X509_freep) X509 *root = NULL;
		assert_int_equal(root_read_pem(kind, text, strlen(text), NULL, &root, NULL), 0);
		assert_int_equal(roots_write(&fixture->store, kind, root, &fixture->error), 0);
		assert_int_equal(present(fixture, NULL, 0), kind == 0 ? 1 : 3);
		assert_int_equal(roots_read(&fixture->store, kind, NULL, &path, &kept, NULL), 0);
		assert_int_equal(X509_cmp(kept, root), 0);
		struct stat status;
		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 07777, 0644);
	}
	assert_int_equal(roots_open(&fixture->store, false, &directory, NULL), 0);
	struct stat status;
	assert_int_equal(fstat(directory, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	struct root_list roots = {0};
	assert_int_equal(root_list_load(directory, "roots", NULL, &roots, NULL, NULL), 0);
	assert_int_equal(roots.count, 2);
	root_list_free(&roots);
	close(directory);
}

static void test_a_file_that_is_not_the_published_one_counts_as_absent_and_is_told(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *ecc = published("origin_ca_ecc_root.pem");
	put(fixture, "origin_ca_rsa_root.pem", ecc);
	assert_int_equal(present(fixture, NULL, 1), 0);
	put(fixture, "origin_ca_rsa_root.pem", "junk");
	put(fixture, "authenticated_origin_pull_ca.pem", "junk");
	assert_int_equal(present(fixture, NULL, 2), 0);
	put(fixture, "another.pem", ecc);
	assert_int_equal(present(fixture, NULL, 2), 0);
	put(fixture, "origin_ca_ecc_root.pem", ecc);
	assert_int_equal(present(fixture, NULL, 2), 1U << ROOT_ORIGIN_ECC);
}

static void test_a_pinned_one_counts_as_any_of_the_three(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *pem = NULL;
	CLEANUP(X509_freep) X509 *root = fixture_root(fixture, &pem);
	char digest[SHA256_TEXT_SIZE];
	assert_int_equal(leaf_sha256(root, digest, NULL), 0);
	const struct string_list pins = {(char *[]){digest}, 1};
	for (enum root_kind kind = 0; kind < ROOT_KIND_COUNT; kind++)
		assert_int_equal(roots_write(&fixture->store, kind, root, NULL), 0);
	assert_int_equal(present(fixture, &pins, 0), 7);
	/* Its files are its own: who does not know the pin does not even look at them. */
	assert_int_equal(present(fixture, NULL, 0), 0);
}

static void test_published_root_does_not_stand_for_the_pinned_one(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *ecc = published("origin_ca_ecc_root.pem");
	CLEANUP(freep) char *pem = NULL;
	CLEANUP(freep) char *path = NULL;
	CLEANUP(freep) char *other = NULL;
	CLEANUP(X509_freep) X509 *root = fixture_root(fixture, &pem);
	CLEANUP(X509_freep) X509 *kept = NULL;
	CLEANUP(X509_freep) X509 *fallback = NULL;
	char digest[SHA256_TEXT_SIZE];
	assert_int_equal(leaf_sha256(root, digest, NULL), 0);
	const struct string_list pins = {(char *[]){digest}, 1};
	put(fixture, "origin_ca_ecc_root.pem", ecc);
	assert_int_equal(present(fixture, &pins, 0), 0);
	assert_int_equal(
		roots_read(&fixture->store, ROOT_ORIGIN_ECC, &pins, &other, &fallback, NULL), 0);
	assert_true(string_ends(other, "/roots/origin_ca_ecc_root.pem"));
	assert_int_equal(roots_write(&fixture->store, ROOT_ORIGIN_ECC, root, NULL), 0);
	assert_int_equal(present(fixture, &pins, 0), 1U << ROOT_ORIGIN_ECC);
	assert_int_equal(present(fixture, NULL, 0), 1U << ROOT_ORIGIN_ECC);
	assert_int_equal(roots_read(&fixture->store, ROOT_ORIGIN_ECC, &pins, &path, &kept, NULL),
			 0);
	assert_int_equal(X509_cmp(kept, root), 0);
	assert_string_not_equal(path, other);
}

static void test_links_and_leftovers_are_not_followed_nor_kept(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *pem = NULL;
	CLEANUP(freep) char *outside = string_format("%s/outside", fixture->path);
	CLEANUP(X509_freep) X509 *root = fixture_root(fixture, &pem);
	CLEANUP(closep) int directory = -1;
	put(fixture, ".origin_ca_rsa_root.pem.01234567.tmp", "half");
	assert_int_equal(roots_open(&fixture->store, false, &directory, NULL), 0);
	assert_int_equal(symlinkat(outside, directory, "origin_ca_rsa_root.pem"), 0);
	assert_int_equal(present(fixture, NULL, 1), 0);
	assert_int_equal(roots_write(&fixture->store, ROOT_ORIGIN_RSA, root, NULL), 0);
	assert_int_equal(access(outside, F_OK), -1);
	assert_int_equal(entries_of(directory), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_what_was_written_is_there_and_good),
		fixture_test(
			test_a_file_that_is_not_the_published_one_counts_as_absent_and_is_told),
		fixture_test(test_a_pinned_one_counts_as_any_of_the_three),
		fixture_test(test_published_root_does_not_stand_for_the_pinned_one),
		fixture_test(test_links_and_leftovers_are_not_followed_nor_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
