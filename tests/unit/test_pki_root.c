/* Which roots are believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "pki_fixture.h"

static char path[64];
static int directory = -1;

static int directory_make(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/test_pki_root.XXXXXX");
	if (!mkdtemp(path))
		return -1;
	directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return directory < 0 ? -1 : 0;
}

static int directory_remove(void **state)
{
	(void)state;
	close(directory);
	return file_remove_at(AT_FDCWD, "", path, NULL);
}

static void put(const char *name, const char *text)
{
	struct error error = {0};
	if (file_write_at(directory, path, name, text, strlen(text), &FILE_ACCESS(0644),
			  FILE_NO_SYNC, &error) < 0)
		fail_msg("%s", error.message);
}

static char *published(const char *name)
{
	struct buffer text = BUFFER(100000);
	CLEANUP(freep) char *from = string_format("%s/roots/%s", TEST_DATA_DIR, name);
	struct error error = {0};
	if (file_read(from, &text, &error) < 0)
		fail_msg("%s", error.message);
	return buffer_take(&text);
}

/* A self-made root as PEM, and its SHA-256. */
static char *self_made(char digest[static SHA256_TEXT_SIZE])
{
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	X509 *root = make_root(key, NOW + 3650 * CLOCK_DAY);
	struct buffer pem = BUFFER(100000);
	struct leaf_facts facts = {0};
	assert_int_equal(leaf_write_pem(root, &pem, NULL), 0);
	assert_int_equal(leaf_facts_read(root, &facts, NULL), 0);
	memcpy(digest, facts.sha256, SHA256_TEXT_SIZE);
	leaf_facts_free(&facts);
	X509_free(root);
	EVP_PKEY_free(key);
	return buffer_take(&pem);
}

static struct root_list load(const struct string_list *pins, struct string_list *warnings)
{
	struct root_list roots = {0};
	struct error error = {0};
	if (root_list_load(directory, path, pins, &roots, warnings, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
	return roots;
}

static void assert_warned(const struct string_list *warnings, size_t at, const char *name,
			  const char *words)
{
	assert_true(at < warnings->count);
	if (!strstr(warnings->items[at], name) || !strstr(warnings->items[at], words))
		fail_msg("\"%s\" and \"%s\" are not in \"%s\"", name, words, warnings->items[at]);
}

static void test_the_published_roots_are_believed(void **state)
{
	(void)state;
	int fd = open(TEST_DATA_DIR "/roots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	struct root_list roots = {0};
	struct string_list warnings = {0};
	struct error error = {0};
	/* Twice with one descriptor: listing must not move it to the end. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(root_list_load(fd, "roots", NULL, &roots, &warnings, &error), 0);
		assert_int_equal(warnings.count, 0);
		assert_int_equal(roots.count, 2);
		assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(roots.items[0])),
				 EVP_PKEY_EC);
		assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(roots.items[1])),
				 EVP_PKEY_RSA);
		/* They sign themselves; so does leaf_check() verify leaves. */
		for (size_t j = 0; j < 2; j++)
			assert_int_equal(
				X509_verify(roots.items[j], X509_get0_pubkey(roots.items[j])), 1);
		root_list_free(&roots);
	}
	close(fd);
}

static void test_a_self_made_root_is_not_believed_unless_pinned(void **state)
{
	(void)state;
	char digest[SHA256_TEXT_SIZE];
	CLEANUP(freep) char *mine = self_made(digest);
	CLEANUP(freep) char *theirs = published("origin_ca_ecc_root.pem");
	put("mine.pem", mine);
	put("theirs.pem", theirs);

	struct string_list warnings = {0};
	struct root_list roots = load(NULL, &warnings);
	assert_int_equal(roots.count, 1);
	assert_int_equal(warnings.count, 1);
	assert_warned(&warnings, 0, "/mine.pem: not used", digest);
	root_list_free(&roots);
	string_list_free(&warnings);

	struct string_list pins = {0};
	string_list_add(&pins, "00");
	string_list_add(&pins, digest);
	for (int upper = 0; upper < 2; upper++) {
		roots = load(&pins, &warnings);
		assert_int_equal(roots.count, 2);
		assert_int_equal(warnings.count, 0);
		root_list_free(&roots);
		for (char *at = pins.items[1]; *at; at++)
			*at = (char)toupper((unsigned char)*at);
	}
	string_list_free(&pins);
}

static void test_one_file_may_hold_several_roots_and_one_root_counts_once(void **state)
{
	(void)state;
	char digest[SHA256_TEXT_SIZE];
	CLEANUP(freep) char *mine = self_made(digest);
	CLEANUP(freep) char *ecc = published("origin_ca_ecc_root.pem");
	CLEANUP(freep) char *rsa = published("origin_ca_rsa_root.pem");
	CLEANUP(freep) char *all = string_format("# all\n%s%s%s", ecc, mine, rsa);
	put("all.pem", all);
	put("again.pem", ecc);

	struct string_list warnings = {0};
	struct root_list roots = load(NULL, &warnings);
	assert_int_equal(roots.count, 2);
	assert_int_equal(warnings.count, 1);
	assert_warned(&warnings, 0, "/all.pem: not used", digest);
	root_list_free(&roots);
	string_list_free(&warnings);
}

static void test_files_that_do_not_parse_are_told_and_harm_no_other(void **state)
{
	(void)state;
	CLEANUP(freep) char *rsa = published("origin_ca_rsa_root.pem");
	put("a.pem", "nothing\n");
	put("b.pem", "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n-----END CERTIFICATE-----\n");
	put("c.pem", rsa);
	put("d.txt", "not looked at");
	put(".e.pem", "not looked at");
	assert_int_equal(mkdirat(directory, "f.pem", 0755), 0);
	assert_int_equal(symlinkat("c.pem", directory, "g.pem"), 0);

	struct string_list warnings = {0};
	struct root_list roots = load(NULL, &warnings);
	assert_int_equal(roots.count, 1);
	assert_int_equal(warnings.count, 4);
	assert_warned(&warnings, 0, "/a.pem: not used", "no certificate in it");
	assert_warned(&warnings, 1, "/b.pem: not used", "not a certificate");
	assert_warned(&warnings, 2, "/f.pem: not used", "Is a directory");
	assert_warned(&warnings, 3, "/g.pem: not used", "symbolic link");
	root_list_free(&roots);
	string_list_free(&warnings);

	roots = load(NULL, NULL);
	assert_int_equal(roots.count, 1);
	root_list_free(&roots);
}

static void test_no_directory_and_an_empty_one_give_no_roots(void **state)
{
	(void)state;
	struct root_list roots = load(NULL, NULL);
	assert_int_equal(roots.count, 0);
	roots.count = 7;
	assert_int_equal(root_list_load(-1, "nowhere", NULL, &roots, NULL, NULL), 0);
	assert_int_equal(roots.count, 0);
}

static void test_what_cannot_be_listed_is_an_error(void **state)
{
	(void)state;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct root_list roots = {0};
	struct error error = {0};
	assert_int_equal(root_list_load(fd, "/dev/null", NULL, &roots, NULL, &error), -ENOTDIR);
	assert_int_equal(error.class, ERROR_LOCAL);
	assert_says(&error, "cannot list /dev/null");
	close(fd);
}

static void test_the_authority_of_pulls_is_passed_over_without_a_word(void **state)
{
	(void)state;
	char digest[SHA256_TEXT_SIZE];
	CLEANUP(freep) char *other = self_made(digest);
	put("authenticated_origin_pull_ca.pem", other);
	struct root_list roots = {0};
	struct string_list warnings = {0};
	struct error error = {0};
	struct string_list pins = {(char *[]){digest}, 1};
	assert_int_equal(root_list_load(directory, path, &pins, &roots, &warnings, &error), 0);
	assert_int_equal(roots.count, 0);
	assert_int_equal(warnings.count, 0);
	root_list_free(&roots);
}

static int read_as(enum root_kind kind, const char *text, const struct string_list *pins,
		   struct error *error)
{
	X509 *root = NULL;
	int result = root_read_pem(kind, text, strlen(text), pins, &root, error);
	assert_true((result == 0) == (root != NULL));
	X509_free(root);
	assert_queue_empty();
	return result;
}

static void test_a_download_is_held_against_the_pin_of_that_very_file(void **state)
{
	(void)state;
	CLEANUP(freep) char *ecc = published("origin_ca_ecc_root.pem");
	CLEANUP(freep) char *rsa = published("origin_ca_rsa_root.pem");
	struct error error = {0};
	assert_int_equal(read_as(ROOT_ORIGIN_ECC, ecc, NULL, &error), 0);
	assert_int_equal(read_as(ROOT_ORIGIN_RSA, rsa, NULL, &error), 0);
	assert_int_equal(read_as(ROOT_ORIGIN_RSA, ecc, NULL, &error), -EKEYREJECTED);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_says(&error, "origin_ca_rsa_root.pem");
	assert_says(&error, "root_sha256");
	assert_int_equal(read_as(ROOT_PULL, ecc, NULL, &error), -EKEYREJECTED);

	char digest[SHA256_TEXT_SIZE];
	CLEANUP(freep) char *other = self_made(digest);
	const struct string_list pins = {(char *[]){digest}, 1};
	for (enum root_kind kind = 0; kind < ROOT_KIND_COUNT; kind++) {
		assert_int_equal(read_as(kind, other, NULL, &error), -EKEYREJECTED);
		assert_says(&error, digest);
		assert_int_equal(read_as(kind, other, &pins, &error), 0);
	}
}

static void test_what_is_not_one_certificate_is_no_download(void **state)
{
	(void)state;
	CLEANUP(freep) char *ecc = published("origin_ca_ecc_root.pem");
	CLEANUP(freep) char *twice = string_format("%s%s", ecc, ecc);
	CLEANUP(freep) char *cut = string_copy_n(ecc, strlen(ecc) / 2);
	CLEANUP(freep) char *around = string_format("# a comment\n%s\nmore", ecc);
	const char *const bad[] = {"", "<html>502 Bad Gateway</html>", twice, cut};
	struct error error = {0};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(read_as(ROOT_ORIGIN_ECC, bad[i], NULL, &error), -EBADMSG);
		assert_int_equal(error.class, ERROR_TRANSIENT);
		assert_says(&error, "origin_ca_ecc_root.pem");
	}
	assert_int_equal(read_as(ROOT_ORIGIN_ECC, around, NULL, &error), 0);
	CLEANUP(freep) char *large = memory_alloc(ROOT_TEXT_LIMIT + 2, 1);
	memset(large, 'x', ROOT_TEXT_LIMIT + 1);
	assert_int_equal(read_as(ROOT_ORIGIN_ECC, large, NULL, &error), -EFBIG);
}

static void test_the_signer_of_a_leaf_is_found_by_its_signature(void **state)
{
	(void)state;
	EVP_PKEY *keys[3];
	X509 *items[3];
	const enum key_type types[] = {KEY_ECDSA_P256, KEY_RSA_2048, KEY_ECDSA_P256};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		keys[i] = make_key(types[i]);
		/* All of one name, and over: neither matters. */
		items[i] = make_root(keys[i], NOW - CLOCK_DAY);
	}
	const struct root_list roots = {items, 2};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		X509 *leaf = make_leaf(&(struct recipe){.key = keys[2], .authority = keys[i]});
		assert_ptr_equal(root_list_signer(&roots, leaf), i < roots.count ? items[i] : NULL);
		assert_null(root_list_signer(NULL, leaf));
		assert_queue_empty();
		X509_free(leaf);
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		EVP_PKEY_free(keys[i]);
		X509_free(items[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_published_roots_are_believed),
		cmocka_unit_test_setup_teardown(test_a_self_made_root_is_not_believed_unless_pinned,
						directory_make, directory_remove),
		cmocka_unit_test_setup_teardown(
			test_one_file_may_hold_several_roots_and_one_root_counts_once,
			directory_make, directory_remove),
		cmocka_unit_test_setup_teardown(
			test_files_that_do_not_parse_are_told_and_harm_no_other, directory_make,
			directory_remove),
		cmocka_unit_test_setup_teardown(test_no_directory_and_an_empty_one_give_no_roots,
						directory_make, directory_remove),
		cmocka_unit_test(test_what_cannot_be_listed_is_an_error),
		cmocka_unit_test_setup_teardown(
			test_the_authority_of_pulls_is_passed_over_without_a_word, directory_make,
			directory_remove),
		cmocka_unit_test(test_a_download_is_held_against_the_pin_of_that_very_file),
		cmocka_unit_test(test_what_is_not_one_certificate_is_no_download),
		cmocka_unit_test(test_the_signer_of_a_leaf_is_found_by_its_signature),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
