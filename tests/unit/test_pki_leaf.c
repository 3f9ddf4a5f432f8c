/* Leaves: read from PEM, written, and what is known about them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "pki_fixture.h"

static EVP_PKEY *key;

static int key_make(void **state)
{
	(void)state;
	key = make_key(KEY_ECDSA_P256);
	return 0;
}

static int key_free(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static struct leaf_facts read_facts(X509 *leaf)
{
	struct leaf_facts facts = {0};
	struct error error = {0};
	if (leaf_facts_read(leaf, &facts, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
	return facts;
}

static X509 *read_text(const char *text)
{
	X509 *leaf = NULL;
	struct error error = {0};
	if (leaf_read_pem(text, strlen(text), &leaf, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
	return leaf;
}

static void refuse_text(const char *text, size_t length, int code, const char *words)
{
	X509 *leaf = NULL;
	struct error error = {0};
	assert_int_equal(leaf_read_pem(text, length, &leaf, &error), code);
	assert_null(leaf);
	assert_says(&error, words);
	assert_int_equal(leaf_read_pem(text, length, &leaf, NULL), code);
	assert_queue_empty();
}

static void write_leaf(X509 *leaf, struct buffer *pem)
{
	struct error error = {0};
	if (leaf_write_pem(leaf, pem, &error) < 0)
		fail_msg("%s", error.message);
}

/* A dNSName of any bytes, which openssl.cnf's syntax cannot say. */
static void add_raw_name(X509 *leaf, const void *bytes, int length)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	assert_true(ASN1_STRING_set(text, bytes, length));
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	assert_true(sk_GENERAL_NAME_push(names, name) > 0);
	assert_int_equal(X509_add1_ext_i2d(leaf, NID_subject_alt_name, names, 0, 0), 1);
	GENERAL_NAMES_free(names);
	sign_leaf(leaf, key);
}

static void refuse_facts(X509 *leaf, const char *words)
{
	struct leaf_facts facts = {.not_after = 1};
	struct error error = {0};
	assert_int_equal(leaf_facts_read(leaf, &facts, &error), -EBADMSG);
	assert_says(&error, words);
	assert_int_equal(facts.not_after, 1);
	assert_int_equal(leaf_facts_read(leaf, &facts, NULL), -EBADMSG);
	assert_queue_empty();
}

static void test_facts_are_those_of_the_leaf(void **state)
{
	(void)state;
	X509 *leaf = make_leaf(&(struct recipe){
		.key = key,
		.names = "DNS:www.Example.com,DNS:*.example.com,IP:192.0.2.1,DNS:a.example.com",
		.serial = "1461501637330902918203684832716283019655932542975"}); /* 2^160 - 1 */
	struct leaf_facts facts = read_facts(leaf);
	char text[SHA256_TEXT_SIZE];

	assert_string_equal(facts.serial, "1461501637330902918203684832716283019655932542975");
	assert_int_equal(facts.not_before, NOW);
	assert_int_equal(facts.not_after, NOW + 30 * CLOCK_DAY);
	assert_int_equal(facts.key_type, KEY_ECDSA_P256);
	assert_int_equal(facts.hostnames.count, 3);
	assert_string_equal(facts.hostnames.items[0], "*.example.com");
	assert_string_equal(facts.hostnames.items[1], "a.example.com");
	assert_string_equal(facts.hostnames.items[2], "www.example.com");
	assert_int_equal(key_spki_sha256(key, text, NULL), 0);
	assert_string_equal(facts.spki_sha256, text);

	unsigned char *der = NULL;
	int length = i2d_X509(leaf, &der);
	assert_string_equal(facts.sha256, digest_sha256(der, (size_t)length, text));
	OPENSSL_free(der);

	struct leaf_facts copy;
	leaf_facts_copy(&copy, &facts);
	leaf_facts_free(&facts);
	assert_int_equal(facts.hostnames.count, 0);
	assert_string_equal(copy.hostnames.items[2], "www.example.com");
	assert_int_equal(copy.not_before, NOW);
	leaf_facts_free(&copy);
	X509_free(leaf);
}

static void test_zero_and_negative_serial_numbers_are_facts(void **state)
{
	(void)state;
	static const char *const serials[] = {"0", "-5", "-18446744073709551616"};
	for (size_t i = 0; i < ARRAY_SIZE(serials); i++) {
		X509 *leaf = make_leaf(&(struct recipe){.key = key, .serial = serials[i]});
		struct leaf_facts facts = read_facts(leaf);
		assert_string_equal(facts.serial, serials[i]);
		assert_int_equal(facts.hostnames.count, 0);
		leaf_facts_free(&facts);
		X509_free(leaf);
	}
}

static void test_a_serial_number_beyond_20_bytes_is_refused(void **state)
{
	(void)state;
	X509 *leaf = make_leaf(&(struct recipe){
		.key = key, .serial = "1461501637330902918203684832716283019655932542976"});
	refuse_facts(leaf, "serial number: 21 bytes");
	X509_free(leaf);
}

static void test_dates_beyond_2038_and_2049_are_read(void **state)
{
	(void)state;
	int64_t far = INT64_C(4102444800) * 2; /* 2099 or so: GeneralizedTime */
	X509 *leaf = make_leaf(&(struct recipe){.key = key, .not_after = far});
	struct leaf_facts facts = read_facts(leaf);
	assert_int_equal(facts.not_after, far);
	leaf_facts_free(&facts);
	X509_free(leaf);
}

static void read_end(X509 *leaf, int64_t expected)
{
	struct buffer pem = BUFFER(1 << 16);
	int64_t end = 0;
	write_leaf(leaf, &pem);
	assert_int_equal(leaf_read_end(pem.data, pem.length, &end, NULL), 0);
	assert_int_equal(end, expected);
	assert_queue_empty();
	buffer_free(&pem);
	X509_free(leaf);
}

static void test_end_alone_is_that_of_the_leaf(void **state)
{
	(void)state;
	const int64_t far = INT64_C(4102444800) * 2; /* GeneralizedTime */
	read_end(make_leaf(&(struct recipe){.key = key}), NOW + 30 * CLOCK_DAY);
	read_end(make_leaf(&(struct recipe){.key = key, .not_after = far}), far);
	read_end(make_leaf(&(struct recipe){.key = key, .serial = "-5"}), NOW + 30 * CLOCK_DAY);
	X509 *old = make_leaf(&(struct recipe){.key = key});
	assert_int_equal(X509_set_version(old, X509_VERSION_1), 1);
	sign_leaf(old, key);
	read_end(old, NOW + 30 * CLOCK_DAY);
}

/* Whatever is damaged, it is read or refused; what is cut short is refused, wherever that is. */
static void test_end_of_what_is_no_certificate_is_refused(void **state)
{
	(void)state;
	X509 *leaf = make_leaf(&(struct recipe){.key = key});
	struct buffer pem = BUFFER(1 << 16);
	unsigned char *der = NULL;
	int length = i2d_X509(leaf, &der);
	int64_t end = 7;
	assert_int_equal(leaf_read_end("", 0, &end, NULL), -EBADMSG);
	assert_int_equal(leaf_read_end("no PEM", 6, &end, NULL), -EBADMSG);
	for (int cut = 1; cut < length; cut++) {
		BIO *bio = BIO_new(BIO_s_mem());
		char *text = NULL;
		assert_true(PEM_write_bio(bio, PEM_STRING_X509, "", der, cut));
		long size = BIO_get_mem_data(bio, &text);
		struct error error = {0};
		assert_int_equal(leaf_read_end(text, (size_t)size, &end, &error), -EBADMSG);
		assert_says(&error, "when a certificate ends");
		BIO_free(bio);
	}
	for (int at = 0; at < length; at++) {
		BIO *bio = BIO_new(BIO_s_mem());
		char *text = NULL;
		der[at] ^= 0x55;
		assert_true(PEM_write_bio(bio, PEM_STRING_X509, "", der, length));
		long size = BIO_get_mem_data(bio, &text);
		leaf_read_end(text, (size_t)size, &(int64_t){0}, NULL);
		assert_queue_empty();
		der[at] ^= 0x55;
		BIO_free(bio);
	}
	assert_int_equal(end, 7);
	OPENSSL_free(der);
	buffer_free(&pem);
	X509_free(leaf);
}

static void test_a_key_that_is_none_of_ours_is_a_fact(void **state)
{
	(void)state;
	EVP_PKEY *small = EVP_RSA_gen(1024);
	X509 *leaf = make_leaf(&(struct recipe){.key = small});
	struct leaf_facts facts = read_facts(leaf);
	assert_int_equal(facts.key_type, KEY_TYPE_COUNT);
	assert_int_equal(strlen(facts.spki_sha256), 64);
	leaf_facts_free(&facts);
	X509_free(leaf);
	EVP_PKEY_free(small);
}

static void test_a_nul_in_a_name_is_refused(void **state)
{
	(void)state;
	static const char nul[] = "bank.example\0.evil.example";
	X509 *leaf = make_leaf(&(struct recipe){.key = key});
	add_raw_name(leaf, nul, sizeof(nul) - 1);
	refuse_facts(leaf, "the name of 26 bytes that starts with \"bank.example\"");
	X509_free(leaf);
}

static void test_names_with_bytes_that_no_name_has_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "a b", "a\nb", "\xff\xfe", "\x7f"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		X509 *leaf = make_leaf(&(struct recipe){.key = key});
		add_raw_name(leaf, wrong[i], (int)strlen(wrong[i]));
		refuse_facts(leaf, "bytes that no hostname has");
		X509_free(leaf);
	}
}

static void test_two_name_extensions_are_refused(void **state)
{
	(void)state;
	X509 *leaf = make_leaf(&(struct recipe){.key = key, .names = "DNS:a.example"});
	add_extension(leaf, NID_subject_alt_name, "DNS:b.example");
	sign_leaf(leaf, key);
	refuse_facts(leaf, "twice");
	X509_free(leaf);
}

static void test_a_name_extension_that_does_not_parse_is_refused(void **state)
{
	(void)state;
	X509 *leaf = make_leaf(&(struct recipe){.key = key});
	ASN1_OCTET_STRING *junk = ASN1_OCTET_STRING_new();
	assert_true(ASN1_OCTET_STRING_set(junk, (const unsigned char *)"\x30\x05xx", 4));
	X509_EXTENSION *extension =
		X509_EXTENSION_create_by_NID(NULL, NID_subject_alt_name, 0, junk);
	assert_true(X509_add_ext(leaf, extension, -1));
	sign_leaf(leaf, key);
	refuse_facts(leaf, "cannot read subjectAltName: error:");
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(junk);
	X509_free(leaf);
}

static void test_pem_comes_back_as_the_same_leaf(void **state)
{
	(void)state;
	X509 *leaf = make_leaf(&(struct recipe){.key = key, .names = "DNS:a.example"});
	struct buffer pem = BUFFER(100000);
	write_leaf(leaf, &pem);
	X509 *back = read_text(pem.data);
	assert_int_equal(X509_cmp(leaf, back), 0);
	X509_free(back);

	/* Cloudflare leaves the last newline out now and then. */
	pem.data[pem.length - 1] = '\0';
	back = read_text(pem.data);
	assert_int_equal(X509_cmp(leaf, back), 0);
	X509_free(back);
	buffer_free(&pem);
	X509_free(leaf);
}

static void test_the_first_certificate_of_two_wins_whatever_stands_before(void **state)
{
	(void)state;
	X509 *first = make_leaf(&(struct recipe){.key = key, .serial = "1"});
	X509 *second = make_leaf(&(struct recipe){.key = key, .serial = "2"});
	struct buffer pem = BUFFER(100000);
	struct error error = {0};
	buffer_add_text(&pem, "subject=CN = shop\nissuer=- nobody -\n");
	assert_int_equal(key_write_pem(key, &pem, &error), 0);
	write_leaf(first, &pem);
	write_leaf(second, &pem);
	X509 *back = read_text(pem.data);
	assert_int_equal(X509_cmp(first, back), 0);
	X509_free(back);
	X509_free(second);
	X509_free(first);
	buffer_free(&pem);
}

static void test_what_is_no_certificate_is_refused(void **state)
{
	(void)state;
	refuse_text("", 0, -EBADMSG, "none in 0 bytes");
	refuse_text("<html>", 6, -EBADMSG, "none in 6 bytes");
	static const char wrong[] = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n"
				    "-----END CERTIFICATE-----\n";
	refuse_text(wrong, strlen(wrong), -EBADMSG, "not a certificate: error:");
	static const char cut[] = "-----BEGIN CERTIFICATE-----\nMAMCAQA=\n";
	refuse_text(cut, strlen(cut), -EBADMSG, "cannot read the certificate: cannot read PEM");
	size_t length = (1 << 20) + 1;
	CLEANUP(freep) char *large = memory_alloc(length + 1, 1);
	memset(large, '\n', length);
	refuse_text(large, length, -EFBIG, "at most 1048576");
}

static void test_an_oversized_block_and_trailing_bytes_are_refused(void **state)
{
	(void)state;
	unsigned char *der = memory_alloc(70000, 1);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	PEM_write_bio(bio, "CERTIFICATE", "", der, 70000);
	long length = BIO_get_mem_data(bio, &text);
	refuse_text(text, (size_t)length, -EFBIG, "a block of 70000 bytes");

	X509 *leaf = make_leaf(&(struct recipe){.key = key});
	unsigned char *end = der;
	assert_true(i2d_X509(leaf, &end) > 0);
	(void)BIO_reset(bio);
	PEM_write_bio(bio, "CERTIFICATE", "", der, end - der + 1);
	length = BIO_get_mem_data(bio, &text);
	refuse_text(text, (size_t)length, -EBADMSG, "bytes after");
	X509_free(leaf);
	BIO_free(bio);
	free(der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts_are_those_of_the_leaf),
		cmocka_unit_test(test_zero_and_negative_serial_numbers_are_facts),
		cmocka_unit_test(test_a_serial_number_beyond_20_bytes_is_refused),
		cmocka_unit_test(test_dates_beyond_2038_and_2049_are_read),
		cmocka_unit_test(test_end_alone_is_that_of_the_leaf),
		cmocka_unit_test(test_end_of_what_is_no_certificate_is_refused),
		cmocka_unit_test(test_a_key_that_is_none_of_ours_is_a_fact),
		cmocka_unit_test(test_a_nul_in_a_name_is_refused),
		cmocka_unit_test(test_names_with_bytes_that_no_name_has_are_refused),
		cmocka_unit_test(test_two_name_extensions_are_refused),
		cmocka_unit_test(test_a_name_extension_that_does_not_parse_is_refused),
		cmocka_unit_test(test_pem_comes_back_as_the_same_leaf),
		cmocka_unit_test(test_the_first_certificate_of_two_wins_whatever_stands_before),
		cmocka_unit_test(test_what_is_no_certificate_is_refused),
		cmocka_unit_test(test_an_oversized_block_and_trailing_bytes_are_refused),
	};
	return cmocka_run_group_tests(tests, key_make, key_free);
}
