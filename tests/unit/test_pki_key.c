/* Private keys: made, written, read; what is refused, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include <openssl/rsa.h>
#include <pthread.h>

#include "pki_fixture.h"

#define TEXT_LIMIT 100000

static EVP_PKEY *keys[KEY_TYPE_COUNT];

static int keys_make(void **state)
{
	(void)state;
	for (int type = 0; type < KEY_TYPE_COUNT; type++)
		keys[type] = make_key((enum key_type)type);
	return 0;
}

static int keys_free(void **state)
{
	(void)state;
	for (int type = 0; type < KEY_TYPE_COUNT; type++)
		EVP_PKEY_free(keys[type]);
	return 0;
}

static EVP_PKEY *read_text(const char *text)
{
	EVP_PKEY *key = NULL;
	struct error error = {0};
	if (key_read_pem(text, strlen(text), &key, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
	return key;
}

static void refuse_text(const char *text, size_t length, int code, const char *words)
{
	EVP_PKEY *key = NULL;
	struct error error = {0};
	assert_int_equal(key_read_pem(text, length, &key, &error), code);
	assert_null(key);
	assert_int_equal(error.code, code);
	assert_says(&error, words);
	assert_int_equal(key_read_pem(text, length, &key, NULL), code);
	assert_queue_empty();
}

static void write_key(EVP_PKEY *key, struct buffer *pem)
{
	struct error error = {0};
	if (key_write_pem(key, pem, &error) < 0)
		fail_msg("%s", error.message);
	assert_queue_empty();
}

/* What OpenSSL writes by itself: other forms of one key. */
static char *write_other(EVP_PKEY *key, const char *structure, const char *password)
{
	char *text = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	if (structure)
		assert_true(PEM_write_bio_PrivateKey_traditional(
			bio, key, password ? EVP_aes_128_cbc() : NULL,
			(const unsigned char *)password, password ? (int)strlen(password) : 0, NULL,
			NULL));
	else
		assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), password,
							  (int)strlen(password), NULL, NULL));
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	text = string_copy_n(data, (size_t)length);
	BIO_free(bio);
	return text;
}

static void test_every_type_comes_back_as_the_same_key(void **state)
{
	(void)state;
	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		struct buffer pem = BUFFER(TEXT_LIMIT);
		write_key(keys[type], &pem);
		assert_true(string_starts(pem.data, "-----BEGIN PRIVATE KEY-----\n"));
		assert_true(string_ends(pem.data, "-----END PRIVATE KEY-----\n"));

		EVP_PKEY *back = read_text(pem.data);
		assert_int_equal(EVP_PKEY_eq(keys[type], back), 1);
		enum key_type found = KEY_TYPE_COUNT;
		assert_int_equal(key_type_of(back, &found), 0);
		assert_int_equal(found, type);
		EVP_PKEY_free(back);
		buffer_wipe(&pem);
	}
}

static void test_traditional_forms_are_read(void **state)
{
	(void)state;
	CLEANUP(freep) char *sec1 = write_other(keys[KEY_ECDSA_P384], "traditional", NULL);
	CLEANUP(freep) char *pkcs1 = write_other(keys[KEY_RSA_2048], "traditional", NULL);
	assert_non_null(strstr(sec1, "BEGIN EC PRIVATE KEY"));
	assert_non_null(strstr(pkcs1, "BEGIN RSA PRIVATE KEY"));

	EVP_PKEY *key = read_text(sec1);
	assert_int_equal(EVP_PKEY_eq(key, keys[KEY_ECDSA_P384]), 1);
	EVP_PKEY_free(key);
	key = read_text(pkcs1);
	assert_int_equal(EVP_PKEY_eq(key, keys[KEY_RSA_2048]), 1);
	EVP_PKEY_free(key);
}

static void test_text_and_other_blocks_around_the_key_are_passed_over(void **state)
{
	(void)state;
	/* As `openssl ecparam -genkey` writes it: the curve's block first. */
	struct buffer text = BUFFER(TEXT_LIMIT);
	buffer_add_text(&text, "Bag Attributes\n    friendlyName: shop\n"
			       "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
			       "-----END EC PARAMETERS-----\n");
	CLEANUP(freep) char *sec1 = write_other(keys[KEY_ECDSA_P256], "traditional", NULL);
	buffer_add_text(&text, sec1);
	buffer_add_text(&text, "and more\n");
	write_key(keys[KEY_RSA_2048], &text);

	EVP_PKEY *key = read_text(text.data);
	assert_int_equal(EVP_PKEY_eq(key, keys[KEY_ECDSA_P256]), 1);
	EVP_PKEY_free(key);
	buffer_wipe(&text);
}

static void test_missing_final_newline_and_crlf_are_read(void **state)
{
	(void)state;
	struct buffer pem = BUFFER(TEXT_LIMIT);
	write_key(keys[KEY_ECDSA_P256], &pem);
	pem.data[pem.length - 1] = '\0';
	EVP_PKEY_free(read_text(pem.data));

	struct buffer crlf = BUFFER(TEXT_LIMIT);
	for (const char *at = pem.data; *at; at++)
		buffer_add_text(&crlf, *at == '\n' ? "\r\n" : (char[]){*at, '\0'});
	EVP_PKEY_free(read_text(crlf.data));
	buffer_wipe(&crlf);
	buffer_wipe(&pem);
}

static void test_encrypted_keys_are_refused_with_a_remedy(void **state)
{
	(void)state;
	/* A prompt would wait for a terminal: here it would hang or fail with other words. */
	CLEANUP(freep) char *pkcs8 = write_other(keys[KEY_ECDSA_P256], NULL, "secret");
	CLEANUP(freep) char *legacy = write_other(keys[KEY_RSA_2048], "traditional", "secret");
	assert_non_null(strstr(legacy, "Proc-Type: 4,ENCRYPTED"));
	const char *both[] = {pkcs8, legacy};

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		struct error error = {0};
		EVP_PKEY *key = NULL;
		assert_int_equal(key_read_pem(both[i], strlen(both[i]), &key, &error),
				 -EKEYREJECTED);
		assert_int_equal(error.class, ERROR_CONFIGURATION);
		assert_says(&error, "encrypted with a password");
		assert_non_null(strstr(error.remedy, "openssl pkey"));
		assert_queue_empty();
	}
}

static void test_what_is_no_key_is_named(void **state)
{
	(void)state;
	refuse_text("", 0, -EBADMSG, "not PEM");
	refuse_text("hello\n", 6, -EBADMSG, "not PEM");
	static const char other[] = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
				    "-----END OPENSSH PRIVATE KEY-----\n";
	refuse_text(other, strlen(other), -EBADMSG, "OPENSSH PRIVATE KEY");
	static const char cut[] = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\n";
	refuse_text(cut, strlen(cut), -EBADMSG, "PEM routines");
	static const char wrong[] = "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n"
				    "-----END PRIVATE KEY-----\n";
	refuse_text(wrong, strlen(wrong), -EBADMSG, "cannot read the private key: error:");
}

static void test_too_much_text_is_refused_with_the_bound(void **state)
{
	(void)state;
	size_t length = (1 << 20) + 1;
	CLEANUP(freep) char *text = memory_alloc(length + 1, 1);
	memset(text, '\n', length);
	refuse_text(text, length, -EFBIG, "1048576");
}

static void test_bytes_after_the_key_are_refused(void **state)
{
	(void)state;
	unsigned char der[1024];
	unsigned char *end = der;
	assert_true(i2d_PrivateKey(keys[KEY_ECDSA_P256], &end) > 0);
	*end++ = 0;
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio(bio, "EC PRIVATE KEY", "", der, end - der);
	char *text = NULL;
	long length = BIO_get_mem_data(bio, &text);
	refuse_text(text, (size_t)length, -EBADMSG, "bytes after the end");
	BIO_free(bio);
}

static void test_other_curves_sizes_and_algorithms_are_none_of_ours(void **state)
{
	(void)state;
	EVP_PKEY *others[] = {EVP_EC_gen("P-521"), EVP_EC_gen("secp256k1"), EVP_RSA_gen(1024),
			      EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		enum key_type type = KEY_TYPE_COUNT;
		assert_non_null(others[i]);
		assert_int_equal(key_type_of(others[i], &type), -EINVAL);
		assert_int_equal(type, KEY_TYPE_COUNT);
		EVP_PKEY_free(others[i]);
	}
	assert_queue_empty();
}

static void test_a_curve_written_out_is_none_of_ours(void **state)
{
	(void)state;
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char[]){"prime256v1"},
						 0),
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_EC_ENCODING,
						 (char[]){OSSL_PKEY_EC_ENCODING_EXPLICIT}, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_true(EVP_PKEY_keygen_init(context) > 0);
	assert_true(EVP_PKEY_CTX_set_params(context, parameters) > 0);
	assert_true(EVP_PKEY_generate(context, &key) > 0);
	EVP_PKEY_CTX_free(context);

	enum key_type type = KEY_TYPE_COUNT;
	assert_int_equal(key_type_of(key, &type), -EINVAL);
	EVP_PKEY_free(key);
}

static void test_an_unknown_type_is_a_bug(void **state)
{
	(void)state;
	EVP_PKEY *key = NULL;
	struct error error = {0};
	assert_int_equal(key_generate(KEY_TYPE_COUNT, &key, &error), -EINVAL);
	assert_int_equal(error.class, ERROR_BUG);
	assert_null(key);
}

static void test_a_full_buffer_gets_nothing(void **state)
{
	(void)state;
	struct buffer pem = BUFFER(40);
	struct error error = {0};
	assert_int_equal(key_write_pem(keys[KEY_ECDSA_P256], &pem, &error), -EMSGSIZE);
	assert_int_equal(pem.length, 0);
	assert_says(&error, "40 bytes");
}

static void test_digests_are_those_of_the_standard(void **state)
{
	(void)state;
	char text[SHA256_TEXT_SIZE];
	assert_string_equal(digest_sha256("abc", 3, text),
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(digest_sha256("", 0, text),
			    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_the_pin_is_that_of_the_public_key(void **state)
{
	(void)state;
	struct error error = {0};
	char pin[SHA256_TEXT_SIZE];
	char again[SHA256_TEXT_SIZE];
	char expected[SHA256_TEXT_SIZE];
	assert_int_equal(key_spki_sha256(keys[KEY_RSA_2048], pin, &error), 0);

	/* The same by another way: SubjectPublicKeyInfo of a certificate. */
	X509 *leaf = make_leaf(&(struct recipe){.key = keys[KEY_RSA_2048], .names = "DNS:a.b"});
	unsigned char *der = NULL;
	int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
	assert_string_equal(pin, digest_sha256(der, (size_t)length, expected));
	OPENSSL_free(der);
	X509_free(leaf);

	EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	assert_int_equal(key_spki_sha256(key, again, &error), 0);
	assert_string_not_equal(pin, again);
	EVP_PKEY_free(key);
}

static void test_an_earlier_failure_is_not_blamed(void **state)
{
	(void)state;
	ERR_raise_data(ERR_LIB_USER, ERR_R_INTERNAL_ERROR, "stale");
	struct error error = {0};
	EVP_PKEY *key = NULL;
	static const char text[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	assert_true(key_read_pem(text, strlen(text), &key, &error) < 0);
	assert_null(strstr(error.message, "stale"));
	assert_queue_empty();
}

static void *work(void *unused)
{
	(void)unused;
	size_t good = 0;
	for (int i = 0; i < 20; i++) {
		struct buffer pem = BUFFER(TEXT_LIMIT);
		EVP_PKEY *key = NULL;
		EVP_PKEY *back = NULL;
		good += key_generate(KEY_ECDSA_P256, &key, NULL) == 0 &&
			key_write_pem(key, &pem, NULL) == 0 &&
			key_read_pem(pem.data, pem.length, &back, NULL) == 0 &&
			EVP_PKEY_eq(key, back) == 1;
		EVP_PKEY_free(key);
		EVP_PKEY_free(back);
		buffer_wipe(&pem);
	}
	return (void *)(uintptr_t)good; /* NOLINT(performance-no-int-to-ptr) */
}

static void test_threads_make_keys_side_by_side(void **state)
{
	(void)state;
	pthread_t threads[8];
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *good = NULL;
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_int_equal((uintptr_t)good, 20);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type_comes_back_as_the_same_key),
		cmocka_unit_test(test_traditional_forms_are_read),
		cmocka_unit_test(test_text_and_other_blocks_around_the_key_are_passed_over),
		cmocka_unit_test(test_missing_final_newline_and_crlf_are_read),
		cmocka_unit_test(test_encrypted_keys_are_refused_with_a_remedy),
		cmocka_unit_test(test_what_is_no_key_is_named),
		cmocka_unit_test(test_too_much_text_is_refused_with_the_bound),
		cmocka_unit_test(test_bytes_after_the_key_are_refused),
		cmocka_unit_test(test_other_curves_sizes_and_algorithms_are_none_of_ours),
		cmocka_unit_test(test_a_curve_written_out_is_none_of_ours),
		cmocka_unit_test(test_an_unknown_type_is_a_bug),
		cmocka_unit_test(test_a_full_buffer_gets_nothing),
		cmocka_unit_test(test_digests_are_those_of_the_standard),
		cmocka_unit_test(test_the_pin_is_that_of_the_public_key),
		cmocka_unit_test(test_an_earlier_failure_is_not_blamed),
		cmocka_unit_test(test_threads_make_keys_side_by_side),
	};
	return cmocka_run_group_tests(tests, keys_make, keys_free);
}
