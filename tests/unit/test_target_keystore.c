/* Keystores and truststores on disk: found right, found wrong and why, replaced, repaired. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pkcs12.h>

#include "server_host.h"

struct place {
	struct host *host;
	int fd;
	struct keystore_content content;
};

static int place_make(void **state)
{
	struct place *place = memory_alloc(1, sizeof(*place));
	struct error error = {0};
	place->host = host_make("tomcat", TARGET_TOMCAT, "state");
	place->host->target.access = FILE_ACCESS(0640);
	host_generation(place->host, 1, KEY_ECDSA_P256);
	place->content = (struct keystore_content){place->host->key, place->host->leaf,
						   place->host->authority, HOST_PASSWORD};
	assert_int_equal(snippet_directory_open(&place->host->target, &place->fd, &error), 0);
	*state = place;
	return 0;
}

static int place_drop(void **state)
{
	struct place *place = *state;
	close(place->fd);
	host_free(place->host);
	free(place);
	return 0;
}

static void assert_check(const struct place *place, int code, const char *words)
{
	struct error error = {0};
	int result = keystore_check(place->fd, &place->host->target, &place->host->certificate,
				    &place->content, &error);
	if (result != code)
		fail_msg("%d: %s", result, error.message);
	assert_int_equal(error.code, code);
	assert_int_equal(error.class, code ? ERROR_LOCAL : ERROR_NONE);
	if (code)
		assert_says(&error, "shop.p12");
	if (words)
		assert_says(&error, words);
	assert_null(strstr(error.message, HOST_PASSWORD));
}

/* Commits; true when the file was replaced. */
static bool commit(const struct place *place)
{
	struct error error = {0};
	bool replaced = false;
	if (keystore_commit(place->fd, &place->host->target, &place->host->certificate,
			    &place->content, &replaced, &error) < 0)
		fail_msg("%s", error.message);
	assert_check(place, 0, NULL);
	return replaced;
}

static ino_t inode(const struct place *place, const char *name)
{
	struct file_stamp stamp;
	assert_int_equal(file_stamp_at(place->fd, name, &stamp), 0);
	return stamp.inode;
}

static void put(const struct place *place, const char *text)
{
	struct error error = {0};
	assert_int_equal(file_write_at(place->fd, "x", "shop.p12", text, strlen(text),
				       &FILE_ACCESS(0640), FILE_NO_SYNC, &error),
			 0);
}

static void test_keystore_that_is_right_is_not_written_again(void **state)
{
	struct place *place = *state;
	assert_check(place, -ENOENT, NULL);
	assert_true(commit(place));
	ino_t first = inode(place, "shop.p12");
	assert_false(commit(place));
	assert_int_equal(inode(place, "shop.p12"), first);
	struct file_stamp stamp;
	assert_int_equal(file_stamp_at(place->fd, "shop.p12", &stamp), 0);
	assert_int_equal(stamp.mode & 07777, 0640);
}

static void test_every_difference_has_its_name_and_is_repaired(void **state)
{
	struct place *place = *state;
	struct host *host = place->host;
	assert_true(commit(place));

	place->content.password = "another";
	assert_check(place, -EKEYREJECTED, NULL);
	assert_true(commit(place));
	place->content.root = NULL;
	assert_check(place, -EBADMSG, NULL);
	assert_true(commit(place));
	host_generation(host, 2, KEY_RSA_2048);
	place->content.key = host->key;
	place->content.leaf = host->leaf;
	assert_check(place, -EBADMSG, NULL);
	assert_true(commit(place));
	put(place, "junk");
	assert_check(place, -EBADMSG, NULL);
	assert_true(commit(place));
	put(place, "");
	assert_check(place, -EBADMSG, NULL);
	assert_true(commit(place));
}

static void test_what_is_no_regular_file_is_replaced_and_not_followed(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	bool replaced = false;
	assert_int_equal(symlinkat("/etc/passwd", place->fd, "shop.p12"), 0);
	assert_check(place, -ENOENT, "not a regular file");
	assert_true(commit(place));
	assert_int_equal(unlinkat(place->fd, "shop.p12", 0), 0);
	assert_int_equal(mkfifoat(place->fd, "shop.p12", 0600), 0);
	assert_check(place, -ENOENT, "not a regular file");
	assert_true(commit(place));
	assert_int_equal(unlinkat(place->fd, "shop.p12", 0), 0);
	/* A directory cannot be replaced by a rename: that is said. */
	assert_int_equal(mkdirat(place->fd, "shop.p12", 0700), 0);
	assert_int_equal(keystore_commit(place->fd, &place->host->target, &place->host->certificate,
					 &place->content, &replaced, &error),
			 -EISDIR);
	assert_false(replaced);
}

static void test_drifted_permissions_are_repaired_in_place(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	static const mode_t modes[] = {0644, 0600, 0000};
	assert_true(commit(place));
	ino_t first = inode(place, "shop.p12");
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_int_equal(fchmodat(place->fd, "shop.p12", modes[i], 0), 0);
		/* Only root reads a file of mode 0000; to others it is unknown what is in it. */
		if (modes[i] != 0 || geteuid() == 0)
			assert_check(place, -EPERM, "owner, group or mode");
		assert_int_equal(keystore_settle_access(place->fd, &place->host->target,
							&place->host->certificate, &error),
				 0);
		assert_check(place, 0, NULL);
		assert_int_equal(inode(place, "shop.p12"), first);
	}
	assert_int_equal(fchmodat(place->fd, "shop.p12", 0604, 0), 0);
	assert_false(commit(place));
	assert_int_equal(inode(place, "shop.p12"), first);
}

static void test_access_of_a_missing_file_or_a_link_is_not_settled(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	assert_int_equal(keystore_settle_access(place->fd, &place->host->target,
						&place->host->certificate, &error),
			 -ENOENT);
	assert_int_equal(error.class, ERROR_LOCAL);
	CLEANUP(freep) char *other = string_format("%s/other", place->host->directory);
	host_file(place->host->directory, "other", "x", 1);
	assert_int_equal(symlinkat(other, place->fd, "shop.p12"), 0);
	assert_int_equal(keystore_settle_access(place->fd, &place->host->target,
						&place->host->certificate, &error),
			 -ELOOP);
	struct file_stamp stamp;
	assert_int_equal(file_stamp_at(AT_FDCWD, other, &stamp), 0);
	assert_int_equal(stamp.mode & 07777, 0644);
}

static int truststore_state(const struct place *place)
{
	struct error error = {0};
	int result = truststore_check(place->fd, &place->host->target, &place->host->certificate,
				      place->host->authority, &error);
	assert_int_equal(error.code, result);
	return result;
}

static bool truststore_put(const struct place *place)
{
	struct error error = {0};
	bool replaced = false;
	if (truststore_commit(place->fd, &place->host->target, &place->host->certificate,
			      place->host->authority, &replaced, &error) < 0)
		fail_msg("%s", error.message);
	assert_int_equal(truststore_state(place), 0);
	return replaced;
}

static void test_truststore_is_checked_replaced_and_repaired(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	assert_int_equal(truststore_state(place), -ENOENT);
	assert_true(truststore_put(place));
	ino_t first = inode(place, "shop.truststore");
	assert_false(truststore_put(place));
	assert_int_equal(inode(place, "shop.truststore"), first);
	assert_int_equal(fchmodat(place->fd, "shop.truststore", 0604, 0), 0);
	assert_int_equal(truststore_state(place), -EPERM);
	assert_false(truststore_put(place));
	assert_int_equal(file_write_at(place->fd, "x", "shop.truststore", "junk", 4,
				       &FILE_ACCESS(0640), FILE_NO_SYNC, &error),
			 0);
	assert_int_equal(truststore_state(place), -EBADMSG);
	assert_true(truststore_put(place));
	X509 *authority = place->host->authority;
	place->host->authority = place->host->client;
	assert_int_equal(truststore_state(place), -EBADMSG);
	place->host->authority = authority;
}

static void test_truststore_is_a_file_that_openssl_reads_without_a_password(void **state)
{
	struct place *place = *state;
	struct buffer one = BUFFER(1 << 16);
	struct buffer other = BUFFER(1 << 16);
	struct error error = {0};
	assert_int_equal(truststore_make(place->host->authority, &one, &error), 0);
	assert_int_equal(truststore_make(place->host->authority, &other, &error), 0);
	assert_int_equal(one.length, other.length);
	assert_memory_equal(one.data, other.data, one.length);
	const unsigned char *at = (const unsigned char *)one.data;
	PKCS12 *store = d2i_PKCS12(NULL, &at, (long)one.length);
	assert_non_null(store);
	EVP_PKEY *key = NULL;
	X509 *leaf = NULL;
	STACK_OF(X509) *authorities = NULL;
	assert_false(PKCS12_mac_present(store));
	assert_int_equal(PKCS12_parse(store, NULL, &key, &leaf, &authorities), 1);
	assert_null(key);
	assert_int_equal(sk_X509_num(authorities), 1);
	assert_int_equal(X509_cmp(sk_X509_value(authorities, 0), place->host->authority), 0);
	sk_X509_pop_free(authorities, X509_free);
	PKCS12_free(store);
	assert_queue_empty();
	buffer_free(&one);
	buffer_free(&other);
}

static void test_file_names_of_two_certificates_never_meet(void **state)
{
	(void)state;
	struct config_certificate one = {.name = (char[]){"a.truststore"}};
	struct config_certificate other = {.name = (char[]){"a"}};
	CLEANUP(freep) char *keystore = keystore_file_name(&one);
	CLEANUP(freep) char *truststore = truststore_file_name(&other);
	assert_string_equal(keystore, "a.truststore.p12");
	assert_string_equal(truststore, "a.truststore");
}

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(test_keystore_that_is_right_is_not_written_again),
		PLACE_TEST(test_every_difference_has_its_name_and_is_repaired),
		PLACE_TEST(test_what_is_no_regular_file_is_replaced_and_not_followed),
		PLACE_TEST(test_drifted_permissions_are_repaired_in_place),
		PLACE_TEST(test_access_of_a_missing_file_or_a_link_is_not_settled),
		PLACE_TEST(test_truststore_is_checked_replaced_and_repaired),
		PLACE_TEST(test_truststore_is_a_file_that_openssl_reads_without_a_password),
		cmocka_unit_test(test_file_names_of_two_certificates_never_meet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
