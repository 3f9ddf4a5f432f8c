/* A leaf that is not what was asked for is refused, with both values in the message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <pthread.h>

#include "pki_fixture.h"

#define GOOD_NAMES "DNS:example.com,DNS:*.example.com"

/* Keys of the host and of two authorities; the roots are good for 10 years. */
static EVP_PKEY *key, *other_key, *ecc_authority, *rsa_authority;
static struct root_list roots;

static int authorities_make(void **state)
{
	(void)state;
	key = make_key(KEY_ECDSA_P256);
	other_key = make_key(KEY_ECDSA_P256);
	ecc_authority = make_key(KEY_ECDSA_P256);
	rsa_authority = make_key(KEY_RSA_2048);
	roots.items = memory_alloc(2, sizeof(X509 *));
	roots.items[0] = make_root(rsa_authority, NOW + 3650 * CLOCK_DAY);
	roots.items[1] = make_root(ecc_authority, NOW + 3650 * CLOCK_DAY);
	roots.count = 2;
	return 0;
}

static int authorities_free(void **state)
{
	(void)state;
	root_list_free(&roots);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(ecc_authority);
	EVP_PKEY_free(rsa_authority);
	return 0;
}

static const struct string_list asked_names = {
	(char *[]){(char[]){"*.example.com"}, (char[]){"example.com"}}, 2};

static struct leaf_request good_request(void)
{
	return (struct leaf_request){.key = key,
				     .hostnames = &asked_names,
				     .validity_days = 30,
				     .now = NOW + 60,
				     .roots = &roots};
}

static X509 *good_leaf(struct recipe recipe)
{
	if (!recipe.key)
		recipe.key = key;
	if (!recipe.authority)
		recipe.authority = ecc_authority;
	if (!recipe.names)
		recipe.names = GOOD_NAMES;
	return make_leaf(&recipe);
}

static unsigned accept_request(X509 *leaf, const struct leaf_request *request)
{
	unsigned notices = ~0U;
	struct error error = {0};
	if (leaf_check(leaf, request, &notices, &error) < 0)
		fail_msg("%s; %s", error.message, error.remedy);
	assert_queue_empty();
	X509_free(leaf);
	return notices;
}

static unsigned accept_leaf(X509 *leaf)
{
	struct leaf_request request = good_request();
	return accept_request(leaf, &request);
}

static struct error refuse_request(X509 *leaf, const struct leaf_request *request)
{
	unsigned notices = 77;
	struct error error = {0};
	assert_true(leaf_check(leaf, request, &notices, &error) < 0);
	assert_true(error.code < 0);
	assert_int_equal(notices, 77);
	assert_queue_empty();
	X509_free(leaf);
	return error;
}

static struct error refuse_leaf(X509 *leaf)
{
	struct leaf_request request = good_request();
	struct error error = refuse_request(leaf, &request);
	assert_int_equal(error.class, ERROR_BUG);
	return error;
}

static void test_what_was_asked_for_is_accepted_from_either_authority(void **state)
{
	(void)state;
	assert_int_equal(accept_leaf(good_leaf((struct recipe){0})), 0);
	assert_int_equal(accept_leaf(good_leaf((struct recipe){.authority = rsa_authority})), 0);
}

static void test_order_and_case_of_names_and_the_common_name_do_not_matter(void **state)
{
	(void)state;
	accept_leaf(good_leaf((struct recipe){.names = "DNS:*.EXAMPLE.com,DNS:Example.COM",
					      .common_name = "evil.example"}));
	accept_leaf(good_leaf(
		(struct recipe){.names = "DNS:example.com,DNS:*.example.com,DNS:example.com"}));
}

static void test_another_key_is_refused_with_both_digests(void **state)
{
	(void)state;
	char asked[SHA256_TEXT_SIZE];
	char got[SHA256_TEXT_SIZE];
	key_spki_sha256(key, asked, NULL);
	key_spki_sha256(other_key, got, NULL);
	struct error error = refuse_leaf(good_leaf((struct recipe){.key = other_key}));
	assert_says(&error, "another key");
	assert_says(&error, asked);
	assert_says(&error, got);

	EVP_PKEY *rsa = make_key(KEY_RSA_2048);
	error = refuse_leaf(good_leaf((struct recipe){.key = rsa}));
	assert_says(&error, "another key");
	EVP_PKEY_free(rsa);
}

/* A private half from one key with the public half of another: what a damaged file can hold. */
static EVP_PKEY *make_torn_key(void)
{
	BIGNUM *private = NULL;
	unsigned char public[200];
	size_t length = 0;
	assert_true(EVP_PKEY_get_bn_param(other_key, OSSL_PKEY_PARAM_PRIV_KEY, &private));
	assert_true(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public,
						    sizeof(public), &length));
	unsigned char bytes[32];
	assert_int_equal(BN_bn2nativepad(private, bytes, sizeof(bytes)), 32);
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"prime256v1"},
						 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public, length),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, bytes, sizeof(bytes)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *torn = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_true(EVP_PKEY_fromdata_init(context) > 0);
	assert_true(EVP_PKEY_fromdata(context, &torn, EVP_PKEY_KEYPAIR, parameters) > 0);
	EVP_PKEY_CTX_free(context);
	BN_free(private);
	return torn;
}

static void test_a_private_key_that_does_not_sign_for_its_public_key_is_refused(void **state)
{
	(void)state;
	EVP_PKEY *torn = make_torn_key();
	assert_int_equal(EVP_PKEY_eq(torn, key), 1); /* by the public half */
	struct leaf_request request = good_request();
	request.key = torn;
	struct error error = refuse_request(good_leaf((struct recipe){0}), &request);
	assert_int_equal(error.class, ERROR_LOCAL);
	assert_says(&error, "the private key is damaged");
	EVP_PKEY_free(torn);
}

static void test_a_key_on_another_host_cannot_be_tried_but_must_be_the_one(void **state)
{
	(void)state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *mine = make_key(KEY_ECDSA_P256);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = make_key(KEY_RSA_2048);
	X509 *leaf = make_leaf(&(struct recipe){.key = mine, .names = "DNS:example.com"});
	X509 *wrong = make_leaf(&(struct recipe){.key = other, .names = "DNS:example.com"});
	/* As it is read: what was signed here still has the private half. */
	CLEANUP(X509_freep) X509 *read = X509_dup(leaf);
	struct string_list names = {(char *[]){(char[]){"example.com"}}, 1};
	struct leaf_request request = {
		.key = X509_get0_pubkey(read), .hostnames = &names, .now = NOW};
	struct error error = {0};
	assert_true(key_is_private(mine) && key_is_private(other));
	assert_false(key_is_private(request.key));
	assert_int_equal(leaf_check(leaf, &request, NULL, &error), 0);
	assert_int_equal(leaf_check(wrong, &request, NULL, &error), -EBADMSG);
	assert_says(&error, "another key");
	X509_free(leaf);
	X509_free(wrong);
	assert_queue_empty();
}

static void test_missing_and_extra_names_are_told(void **state)
{
	(void)state;
	struct error error = refuse_leaf(good_leaf((struct recipe){.names = "DNS:example.com"}));
	assert_says(&error, "asked for 2, got 1; missing *.example.com");
	assert_null(strstr(error.message, "extra"));

	error = refuse_leaf(
		good_leaf((struct recipe){.names = GOOD_NAMES ",DNS:b.example,DNS:a.example"}));
	assert_says(&error, "asked for 2, got 4; extra a.example, b.example");
	assert_null(strstr(error.message, "missing"));

	error = refuse_leaf(good_leaf((struct recipe){.names = "DNS:example.com,DNS:x.org"}));
	assert_says(&error, "missing *.example.com; extra x.org");
}

static void test_names_of_another_kind_are_extra(void **state)
{
	(void)state;
	struct error error = refuse_leaf(
		good_leaf((struct recipe){.names = GOOD_NAMES ",IP:192.0.2.1,IP:2001:db8::1"}));
	assert_says(&error, "extra IP 192.0.2.1, IP 2001:db8::1");
	error = refuse_leaf(
		good_leaf((struct recipe){.names = GOOD_NAMES ",email:a@b.example,RID:1.2.3"}));
	assert_says(&error, "extra a name of kind 8, email a@b.example");
	error = refuse_leaf(
		good_leaf((struct recipe){.names = GOOD_NAMES ",URI:https://a.example/"}));
	assert_says(&error, "extra URI https://a.example/");
}

static void test_a_name_only_in_the_common_name_is_missing(void **state)
{
	(void)state;
	struct error error = refuse_leaf(good_leaf(
		(struct recipe){.names = "DNS:*.example.com", .common_name = "example.com"}));
	assert_says(&error, "missing example.com");
}

static void test_a_hundred_wrong_names_stay_one_readable_message(void **state)
{
	(void)state;
	struct buffer names = BUFFER(100000);
	for (int i = 0; i < 100; i++)
		buffer_add_format(&names, "%sDNS:host-%02d.some-domain.example", i ? "," : "", i);
	struct error error = refuse_leaf(good_leaf((struct recipe){.names = names.data}));
	assert_says(&error, "missing *.example.com, example.com; extra host-00.some-domain");
	assert_says(&error, " more");
	assert_true(strlen(error.message) < 900);
	buffer_free(&names);
}

static void test_a_nul_in_a_name_is_the_api_breaking_the_contract(void **state)
{
	(void)state;
	X509 *leaf = good_leaf((struct recipe){.names = "DNS:*.example.com,DNS:example.comX"});
	int at = X509_get_ext_by_NID(leaf, NID_subject_alt_name, -1);
	ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(X509_get_ext(leaf, at));
	unsigned char *bytes = memory_alloc((size_t)ASN1_STRING_length(data), 1);
	memcpy(bytes, ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data));
	bytes[ASN1_STRING_length(data) - 1] = 0;
	assert_true(ASN1_OCTET_STRING_set(data, bytes, ASN1_STRING_length(data)));
	free(bytes);
	sign_leaf(leaf, ecc_authority);

	struct error error = refuse_leaf(leaf);
	assert_says(&error, "bytes that no hostname has");
}

static void test_dates_around_now_are_checked(void **state)
{
	(void)state;
	struct leaf_request request = good_request();
	request.now = NOW + 30 * CLOCK_DAY;
	struct error error = refuse_request(good_leaf((struct recipe){0}), &request);
	assert_says(&error, "has expired: valid until 2026-12-18T");
	assert_says(&error, "clock");
	request.now = NOW + 30 * CLOCK_DAY - 1;
	accept_request(good_leaf((struct recipe){0}), &request);

	request.now = NOW - CLOCK_HOUR - 1;
	error = refuse_request(good_leaf((struct recipe){0}), &request);
	assert_says(&error, "not yet valid: valid from 2026-11-18T");
	request.now = NOW - CLOCK_HOUR;
	accept_request(good_leaf((struct recipe){0}), &request);
}

static void test_fifteen_years_instead_of_thirty_days_are_refused(void **state)
{
	(void)state;
	struct error error = refuse_leaf(
		good_leaf((struct recipe){.not_after = NOW + 5475 * CLOCK_DAY, .serial = "99"}));
	assert_says(&error, "asked for 30 days, got 5475 days");
	assert_says(&error, "requested_validity");
	assert_says(&error, "revoke certificate 99");
}

static void test_another_validity_is_refused_beyond_two_days(void **state)
{
	(void)state;
	accept_leaf(good_leaf((struct recipe){.not_after = NOW + 32 * CLOCK_DAY}));
	accept_leaf(good_leaf((struct recipe){.not_after = NOW + 28 * CLOCK_DAY}));
	struct error error =
		refuse_leaf(good_leaf((struct recipe){.not_after = NOW + 90 * CLOCK_DAY}));
	assert_says(&error, "asked for 30 days, got 90 days");
	error = refuse_leaf(good_leaf((struct recipe){.not_after = NOW + 7 * CLOCK_DAY}));
	assert_says(&error, "asked for 30 days, got 7 days");
}

static void test_a_backdated_start_is_accepted(void **state)
{
	(void)state;
	accept_leaf(good_leaf((struct recipe){.not_before = NOW - 5 * CLOCK_MINUTE}));
	/* By more than the slack: the 30 days are still all there. */
	accept_leaf(good_leaf((struct recipe){.not_before = NOW - 7 * CLOCK_DAY}));
	/* The lifetime is right, and the start is what was moved. */
	accept_leaf(good_leaf((struct recipe){.not_before = NOW - 7 * CLOCK_DAY,
					      .not_after = NOW + 23 * CLOCK_DAY}));
}

static void test_an_adopted_leaf_may_have_any_validity(void **state)
{
	(void)state;
	struct leaf_request request = good_request();
	request.validity_days = 0;
	accept_request(good_leaf((struct recipe){.not_after = NOW + 700 * CLOCK_DAY}), &request);
}

static void test_a_signature_by_nobody_known_is_refused(void **state)
{
	(void)state;
	EVP_PKEY *rsa = make_key(KEY_RSA_2048);
	EVP_PKEY *strangers[] = {other_key, key, rsa};
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct error error =
			refuse_leaf(good_leaf((struct recipe){.authority = strangers[i]}));
		assert_int_equal(error.code, -EKEYREJECTED);
		assert_says(&error, "not signed by the Origin CA");
		assert_says(&error, "/CN=Test Authority");
	}
	EVP_PKEY_free(rsa);
}

static void test_a_changed_leaf_is_refused(void **state)
{
	(void)state;
	X509 *leaf = good_leaf((struct recipe){0});
	set_serial(leaf, "4712");
	/* Encoded anew, or OpenSSL would verify the bytes that it kept. */
	unsigned char *der = NULL;
	assert_true(i2d_re_X509_tbs(leaf, &der) > 0);
	OPENSSL_free(der);
	struct error error = refuse_leaf(leaf);
	assert_says(&error, "not signed by the Origin CA");
}

static void test_without_a_root_of_its_kind_the_signature_is_unchecked(void **state)
{
	(void)state;
	struct leaf_request request = good_request();
	struct root_list only_rsa = {roots.items, 1};
	struct root_list only_ecc = {roots.items + 1, 1};
	struct root_list none = {0};

	request.roots = &only_rsa;
	assert_int_equal(accept_request(good_leaf((struct recipe){0}), &request),
			 LEAF_SIGNATURE_UNCHECKED);
	request.roots = &only_ecc;
	assert_int_equal(
		accept_request(good_leaf((struct recipe){.authority = rsa_authority}), &request),
		LEAF_SIGNATURE_UNCHECKED);
	assert_int_equal(accept_request(good_leaf((struct recipe){0}), &request), 0);
	request.roots = &none;
	assert_int_equal(accept_request(good_leaf((struct recipe){0}), &request),
			 LEAF_SIGNATURE_UNCHECKED);
	request.roots = NULL;
	assert_int_equal(accept_request(good_leaf((struct recipe){0}), &request),
			 LEAF_SIGNATURE_UNCHECKED);
}

static void test_a_leaf_that_outlives_its_root_is_noticed_and_accepted(void **state)
{
	(void)state;
	struct leaf_request request = good_request();
	request.validity_days = 5475;
	unsigned notices = accept_request(
		good_leaf((struct recipe){.not_after = NOW + 5475 * CLOCK_DAY}), &request);
	assert_int_equal(notices, LEAF_OUTLIVES_ROOT);

	/* Even one that is already expired: only its key counts. */
	X509 *old = make_leaf(&(struct recipe){.key = ecc_authority,
					       .not_before = NOW - 20 * CLOCK_DAY,
					       .not_after = NOW - CLOCK_DAY});
	struct root_list only = {&old, 1};
	request = good_request();
	request.roots = &only;
	assert_int_equal(accept_request(good_leaf((struct recipe){0}), &request),
			 LEAF_OUTLIVES_ROOT);
	X509_free(old);
}

static void test_notices_and_error_may_be_left_out(void **state)
{
	(void)state;
	struct leaf_request request = good_request();
	X509 *leaf = good_leaf((struct recipe){0});
	assert_int_equal(leaf_check(leaf, &request, NULL, NULL), 0);
	X509_free(leaf);
	leaf = good_leaf((struct recipe){.names = "DNS:x"});
	assert_true(leaf_check(leaf, &request, NULL, NULL) < 0);
	X509_free(leaf);
}

static void *check_often(void *leaf)
{
	struct leaf_request request = good_request();
	for (int i = 0; i < 50; i++)
		if (leaf_check(leaf, &request, NULL, NULL) < 0)
			return NULL;
	return leaf;
}

static void test_threads_check_side_by_side_with_the_same_roots(void **state)
{
	(void)state;
	pthread_t threads[8];
	X509 *leaf = good_leaf((struct recipe){.authority = rsa_authority});
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, check_often, leaf), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *result = NULL;
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, leaf);
	}
	X509_free(leaf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_asked_for_is_accepted_from_either_authority),
		cmocka_unit_test(test_order_and_case_of_names_and_the_common_name_do_not_matter),
		cmocka_unit_test(test_another_key_is_refused_with_both_digests),
		cmocka_unit_test(
			test_a_private_key_that_does_not_sign_for_its_public_key_is_refused),
		cmocka_unit_test(test_a_key_on_another_host_cannot_be_tried_but_must_be_the_one),
		cmocka_unit_test(test_missing_and_extra_names_are_told),
		cmocka_unit_test(test_names_of_another_kind_are_extra),
		cmocka_unit_test(test_a_name_only_in_the_common_name_is_missing),
		cmocka_unit_test(test_a_hundred_wrong_names_stay_one_readable_message),
		cmocka_unit_test(test_a_nul_in_a_name_is_the_api_breaking_the_contract),
		cmocka_unit_test(test_dates_around_now_are_checked),
		cmocka_unit_test(test_fifteen_years_instead_of_thirty_days_are_refused),
		cmocka_unit_test(test_another_validity_is_refused_beyond_two_days),
		cmocka_unit_test(test_a_backdated_start_is_accepted),
		cmocka_unit_test(test_an_adopted_leaf_may_have_any_validity),
		cmocka_unit_test(test_a_signature_by_nobody_known_is_refused),
		cmocka_unit_test(test_a_changed_leaf_is_refused),
		cmocka_unit_test(test_without_a_root_of_its_kind_the_signature_is_unchecked),
		cmocka_unit_test(test_a_leaf_that_outlives_its_root_is_noticed_and_accepted),
		cmocka_unit_test(test_notices_and_error_may_be_left_out),
		cmocka_unit_test(test_threads_check_side_by_side_with_the_same_roots),
	};
	return cmocka_run_group_tests(tests, authorities_make, authorities_free);
}
