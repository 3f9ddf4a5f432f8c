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
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
