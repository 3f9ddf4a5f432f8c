/* The leaf that a server starts with before the API has answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "pki_fixture.h"

static const struct string_list names = {
	(char *[]){(char[]){"shop.example"}, (char[]){"*.shop.example"}}, 2};

static X509 *make_placeholder(EVP_PKEY *key)
{
	struct buffer pem = BUFFER(100000);
	struct error error = {0};
	X509 *leaf = NULL;
	if (leaf_make_placeholder(key, &names, NOW, &pem, &error) < 0 ||
	    leaf_read_pem(pem.data, pem.length, &leaf, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
	buffer_free(&pem);
	return leaf;
}

static void test_it_is_signed_by_its_own_key_and_covers_the_names(void **state)
{
	(void)state;
	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		EVP_PKEY *key = make_key((enum key_type)type);
		X509 *leaf = make_placeholder(key);
		assert_int_equal(X509_verify(leaf, key), 1);
		assert_int_equal(X509_check_private_key(leaf, key), 1);
		assert_int_equal(X509_check_host(leaf, "shop.example", 0, 0, NULL), 1);
		assert_int_equal(X509_check_host(leaf, "www.shop.example", 0, 0, NULL), 1);
		assert_int_equal(X509_check_host(leaf, "other.example", 0, 0, NULL), 0);
		assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
		assert_int_equal(X509_check_ca(leaf), 0);

		struct leaf_facts facts = {0};
		assert_int_equal(leaf_facts_read(leaf, &facts, NULL), 0);
		assert_int_equal(facts.key_type, type);
		assert_int_equal(facts.not_before, NOW - CLOCK_HOUR);
		assert_int_equal(facts.not_after, NOW - CLOCK_HOUR + 7 * CLOCK_DAY);
		assert_true(string_list_same_set(&facts.hostnames, &names));
		leaf_facts_free(&facts);
		X509_free(leaf);
		EVP_PKEY_free(key);
	}
}

static void test_its_name_says_what_it_is_and_its_serial_is_its_own(void **state)
{
	(void)state;
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	X509 *first = make_placeholder(key);
	X509 *second = make_placeholder(key);
	char name[100];
	X509_NAME_oneline(X509_get_subject_name(first), name, sizeof(name));
	assert_string_equal(name, "/CN=origin-ca-agent placeholder");
	X509_NAME_oneline(X509_get_issuer_name(first), name, sizeof(name));
	assert_string_equal(name, "/CN=origin-ca-agent placeholder");
	assert_int_not_equal(
		ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
	X509_free(second);
	X509_free(first);
	EVP_PKEY_free(key);
}

static void test_it_never_passes_for_a_leaf_of_the_origin_ca(void **state)
{
	(void)state;
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	EVP_PKEY *authority = make_key(KEY_ECDSA_P256);
	X509 *root = make_root(authority, NOW + 3650 * CLOCK_DAY);
	X509 *leaf = make_placeholder(key);
	struct root_list roots = {&root, 1};
	struct leaf_request request = {
		.key = key, .hostnames = &names, .now = NOW, .roots = &roots};
	struct error error = {0};
	assert_int_equal(leaf_check(leaf, &request, NULL, &error), -EKEYREJECTED);
	assert_says(&error, "/CN=origin-ca-agent placeholder");
	X509_free(leaf);
	X509_free(root);
	EVP_PKEY_free(authority);
	EVP_PKEY_free(key);
}

static void test_no_hostname_is_refused(void **state)
{
	(void)state;
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	struct buffer pem = BUFFER(1000);
	struct error error = {0};
	assert_int_equal(leaf_make_placeholder(key, &(struct string_list){0}, NOW, &pem, &error),
			 -EINVAL);
	assert_says(&error, "cannot make the placeholder certificate");
	assert_int_equal(pem.length, 0);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_signed_by_its_own_key_and_covers_the_names),
		cmocka_unit_test(test_its_name_says_what_it_is_and_its_serial_is_its_own),
		cmocka_unit_test(test_it_never_passes_for_a_leaf_of_the_origin_ca),
		cmocka_unit_test(test_no_hostname_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
