/* Requests, as the openssl command line sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "pki/csr.h"
#include "pki_fixture.h"

#define LABEL_60 "a23456789012345678901234567890123456789012345678901234567890"

static const struct string_list two_names = {
	(char *[]){(char[]){"example.com"}, (char[]){"*.example.com"}}, 2};

static void make_request(EVP_PKEY *key, const struct string_list *hostnames, struct buffer *pem)
{
	struct error error = {0};
	if (csr_make(key, hostnames, pem, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
}

/* What `openssl req -verify -text` prints about a request, both streams. */
static char *openssl_verify(const struct buffer *pem)
{
	char path[] = "/tmp/test_pki_csr.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem->data, pem->length), pem->length);
	close(fd);

	CLEANUP(freep)
	char *command = string_format("openssl req -in %s -noout -verify -text 2>&1", path);
	FILE *output = popen(command, "r"); /* NOLINT(cert-env33-c): a fixed command, in a test */
	assert_non_null(output);
	struct buffer text = BUFFER(100000);
	char chunk[4096];
	for (size_t got; (got = fread(chunk, 1, sizeof(chunk), output)) > 0;)
		buffer_add(&text, chunk, got);
	assert_int_equal(pclose(output), 0);
	unlink(path);
	return buffer_take(&text);
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void test_openssl_verifies_every_type_with_all_names(void **state)
{
	(void)state;
	static const char *const shown[KEY_TYPE_COUNT][3] = {
		[KEY_ECDSA_P256] = {"prime256v1", "(256 bit)", "ecdsa-with-SHA256"},
		[KEY_ECDSA_P384] = {"secp384r1", "(384 bit)", "ecdsa-with-SHA384"},
		[KEY_RSA_2048] = {"rsaEncryption", "(2048 bit)", "sha256WithRSAEncryption"},
		[KEY_RSA_3072] = {"rsaEncryption", "(3072 bit)", "sha256WithRSAEncryption"},
		[KEY_RSA_4096] = {"rsaEncryption", "(4096 bit)", "sha256WithRSAEncryption"},
	};
	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		EVP_PKEY *key = make_key((enum key_type)type);
		struct buffer pem = BUFFER(100000);
		make_request(key, &two_names, &pem);
		assert_true(string_starts(pem.data, "-----BEGIN CERTIFICATE REQUEST-----\n"));

		CLEANUP(freep) char *text = openssl_verify(&pem);
		assert_has(text, "self-signature verify OK");
		assert_has(text, "Version: 1 (0x0)");
		assert_has(text, "Subject: CN = example.com\n");
		assert_has(text, "X509v3 Subject Alternative Name: \n");
		assert_has(text, "DNS:example.com, DNS:*.example.com\n");
		for (size_t i = 0; i < ARRAY_SIZE(shown[type]); i++)
			assert_has(text, shown[type][i]);
		buffer_free(&pem);
		EVP_PKEY_free(key);
	}
}

static void test_a_changed_request_is_noticed(void **state)
{
	(void)state;
	/* The test above would be worth nothing if the command line always said OK. */
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	struct buffer pem = BUFFER(100000);
	make_request(key, &two_names, &pem);
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.length);
	X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	assert_non_null(request);
	assert_int_equal(X509_REQ_verify(request, key), 1);
	EVP_PKEY *other = make_key(KEY_ECDSA_P256);
	assert_int_not_equal(X509_REQ_verify(request, other), 1);
	X509_REQ_free(request);
	BIO_free(bio);
	buffer_free(&pem);
	EVP_PKEY_free(other);
	EVP_PKEY_free(key);
}

static void test_a_long_first_name_is_left_out_of_the_subject(void **state)
{
	(void)state;
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	char *exact[] = {(char[]){LABEL_60 ".com"}}; /* 64 bytes */
	char *longer[] = {(char[]){LABEL_60 ".info"}, (char[]){"a.info"}};

	struct buffer pem = BUFFER(100000);
	make_request(key, &(struct string_list){exact, 1}, &pem);
	CLEANUP(freep) char *text = openssl_verify(&pem);
	assert_has(text, "Subject: CN = " LABEL_60 ".com\n");
	buffer_free(&pem);

	make_request(key, &(struct string_list){longer, 2}, &pem);
	CLEANUP(freep) char *without = openssl_verify(&pem);
	assert_has(without, "self-signature verify OK");
	assert_has(without, "Subject: \n");
	assert_has(without, "X509v3 Subject Alternative Name: critical\n");
	assert_has(without, "DNS:" LABEL_60 ".info, DNS:a.info\n");
	buffer_free(&pem);
	EVP_PKEY_free(key);
}

static void test_a_hundred_names_fit(void **state)
{
	(void)state;
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	struct string_list names = {0};
	for (int i = 0; i < 100; i++)
		string_list_take(&names, string_format("host-%02d.%s.%s.%s.example", i, LABEL_60,
						       LABEL_60, LABEL_60));
	struct buffer pem = BUFFER(100000);
	make_request(key, &names, &pem);
	CLEANUP(freep) char *text = openssl_verify(&pem);
	assert_has(text, "self-signature verify OK");
	assert_has(text, "DNS:host-00.");
	assert_has(text, "DNS:host-99.");
	string_list_free(&names);
	buffer_free(&pem);
	EVP_PKEY_free(key);
}

static void test_what_is_no_hostname_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "a b.example", "\xc3\xbc.example",
					    "a.example\nDNS:b"};
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct string_list names = {0};
		struct buffer pem = BUFFER(100000);
		struct error error = {0};
		string_list_add(&names, "good.example");
		string_list_add(&names, wrong[i]);
		assert_int_equal(csr_make(key, &names, &pem, &error), -EINVAL);
		assert_int_equal(error.class, ERROR_BUG);
		assert_int_equal(pem.length, 0);
		assert_says(&error, "is not a hostname");
		string_list_free(&names);
	}
	struct buffer pem = BUFFER(100000);
	struct error error = {0};
	assert_int_equal(csr_make(key, &(struct string_list){0}, &pem, &error), -EINVAL);
	assert_says(&error, "no hostname");
	EVP_PKEY_free(key);
}

static void test_a_full_buffer_gets_nothing(void **state)
{
	(void)state;
	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	struct buffer pem = BUFFER(100);
	struct error error = {0};
	assert_int_equal(csr_make(key, &two_names, &pem, &error), -EMSGSIZE);
	assert_int_equal(pem.length, 0);
	EVP_PKEY_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openssl_verifies_every_type_with_all_names),
		cmocka_unit_test(test_a_changed_request_is_noticed),
		cmocka_unit_test(test_a_long_first_name_is_left_out_of_the_subject),
		cmocka_unit_test(test_a_hundred_names_fit),
		cmocka_unit_test(test_what_is_no_hostname_is_refused),
		cmocka_unit_test(test_a_full_buffer_gets_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
