#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/pkcs12.h>

#include "base/file.h"
#include "pki/export.h"
#include "pki_fixture.h"

#define PASSWORD "correct horse"
/* Latin, Greek and something beyond the first plane of Unicode. */
#define PASSWORD_UTF8 "pa\xc3\x9fwort-\xcf\x80-\xf0\x9f\x94\x91"

/* A leaf of a root, and a keystore of them. */
struct keystore {
	EVP_PKEY *key, *root_key;
	X509 *leaf, *root;
	struct buffer data;
	struct error error;
};

static void keystore_make(struct keystore *keystore, enum key_type type, bool with_root,
			  const char *password)
{
	*keystore = (struct keystore){.data = BUFFER(1 << 16)};
	keystore->key = make_key(type);
	keystore->root_key = make_key(KEY_RSA_2048);
	keystore->root = make_root(keystore->root_key, NOW + 1000 * CLOCK_DAY);
	keystore->leaf = make_leaf(&(struct recipe){.key = keystore->key,
						    .authority = keystore->root_key,
						    .names = "DNS:shop.example"});
	assert_int_equal(export_p12(keystore->key, keystore->leaf,
				    with_root ? keystore->root : NULL, "shop.example", password,
				    &keystore->data, &keystore->error),
			 0);
}

static void keystore_free(struct keystore *keystore)
{
	EVP_PKEY_free(keystore->key);
	EVP_PKEY_free(keystore->root_key);
	X509_free(keystore->leaf);
	X509_free(keystore->root);
	buffer_wipe(&keystore->data);
}

static int keystore_check(struct keystore *keystore, const char *password, X509 *root)
{
	return export_p12_check(keystore->data.data, keystore->data.length, password, keystore->key,
				keystore->leaf, root, &keystore->error);
}

/* Runs a command with "%s" for the path of a file that holds `data`; its output. */
static int run(const char *format, const void *data, size_t length, struct buffer *output)
{
	char path[] = "/tmp/origin-ca-export.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, length), length);
	close(fd);
	CLEANUP(freep) char *command = string_format("%s 2>&1", format);
	char *at = strstr(command, "FILE");
	assert_non_null(at);
	CLEANUP(freep)
	char *line = string_format("%.*s%s%s", (int)(at - command), command, path, at + 4);
	FILE *pipe = popen(line, "r"); /* NOLINT(cert-env33-c): the test's own words */
	assert_non_null(pipe);
	char chunk[4096];
	for (size_t got; (got = fread(chunk, 1, sizeof(chunk), pipe)) > 0;)
		buffer_add(output, chunk, got);
	int status = pclose(pipe);
	unlink(path);
	return status;
}

static void test_der_is_the_leaf(void **state)
{
	(void)state;
	struct keystore keystore;
	keystore_make(&keystore, KEY_ECDSA_P256, false, PASSWORD);
	CLEANUP(buffer_free) struct buffer der = BUFFER(1 << 16);
	assert_int_equal(export_der(keystore.leaf, &der, NULL), 0);
	const unsigned char *at = (const unsigned char *)der.data;
	CLEANUP(X509_freep) X509 *read = d2i_X509(NULL, &at, (long)der.length);
	assert_int_equal(X509_cmp(read, keystore.leaf), 0);
	assert_ptr_equal(at, der.data + der.length);
	CLEANUP(buffer_free) struct buffer small = BUFFER(16);
	assert_true(export_der(keystore.leaf, &small, &keystore.error) < 0);
	keystore_free(&keystore);
	assert_queue_empty();
}

static size_t count_of(const char *text, const char *word)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
		count++;
	return count;
}

static void test_p7b_is_read_by_openssl_and_the_same_each_time(void **state)
{
	(void)state;
	struct keystore keystore;
	keystore_make(&keystore, KEY_ECDSA_P256, false, PASSWORD);
	for (int with_root = 0; with_root < 2; with_root++) {
		CLEANUP(buffer_free) struct buffer p7b = BUFFER(1 << 16);
		CLEANUP(buffer_free) struct buffer again = BUFFER(1 << 16);
		CLEANUP(buffer_free) struct buffer output = BUFFER(1 << 16);
		X509 *root = with_root ? keystore.root : NULL;
		assert_int_equal(export_p7b(keystore.leaf, root, &p7b, NULL), 0);
		assert_int_equal(export_p7b(keystore.leaf, root, &again, NULL), 0);
		assert_string_equal(buffer_text(&p7b), buffer_text(&again));
		assert_true(string_starts(p7b.data, "-----BEGIN PKCS7-----\n"));
		assert_int_equal(run("openssl pkcs7 -print_certs -noout -in FILE", p7b.data,
				     p7b.length, &output),
				 0);
		assert_int_equal(count_of(buffer_text(&output), "subject="), 1 + with_root);
		assert_non_null(
			strstr(buffer_text(&output), "subject=CN = CloudFlare Origin Certificate"));

		char digest[SHA256_TEXT_SIZE];
		X509 *found = NULL;
		assert_int_equal(leaf_sha256(keystore.root, digest, NULL), 0);
		assert_int_equal(export_p7b_find(p7b.data, p7b.length, digest, &found, NULL),
				 with_root ? 0 : -ENOENT);
		if (with_root)
			assert_int_equal(X509_cmp(found, keystore.root), 0);
		X509_free(found);
	}
	assert_int_equal(export_p7b_find("junk", 4, "00", NULL, &keystore.error), -EBADMSG);
	keystore_free(&keystore);
	assert_queue_empty();
}

static void test_p12_is_read_by_openssl_with_the_right_password_only(void **state)
{
	(void)state;
	const char *const passwords[] = {PASSWORD, PASSWORD_UTF8};
	for (size_t i = 0; i < ARRAY_SIZE(passwords) * 2; i++) {
		const char *password = passwords[i / 2];
		struct keystore keystore;
		keystore_make(&keystore, i % 2 ? KEY_RSA_2048 : KEY_ECDSA_P384, i % 2, password);
		const unsigned char *at = (const unsigned char *)keystore.data.data;
		PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)keystore.data.length);
		EVP_PKEY *key = NULL;
		X509 *leaf = NULL;
		STACK_OF(X509) *above = NULL;
		assert_int_equal(PKCS12_parse(p12, "another", &key, &leaf, &above), 0);
		assert_int_equal(PKCS12_parse(p12, password, &key, &leaf, &above), 1);
		ERR_clear_error();
		assert_int_equal(EVP_PKEY_eq(key, keystore.key), 1);
		assert_int_equal(X509_cmp(leaf, keystore.leaf), 0);
		int length = 0;
		assert_memory_equal(X509_alias_get0(leaf, &length), "shop.example", 12);
		assert_int_equal(above ? sk_X509_num(above) : 0, i % 2);
		sk_X509_pop_free(above, X509_free);
		EVP_PKEY_free(key);
		X509_free(leaf);
		PKCS12_free(p12);
		keystore_free(&keystore);
	}
}

static void test_p12_has_current_algorithms_and_fresh_salts(void **state)
{
	(void)state;
	struct keystore keystore;
	struct keystore other;
	CLEANUP(buffer_free) struct buffer output = BUFFER(1 << 16);
	keystore_make(&keystore, KEY_ECDSA_P256, true, PASSWORD);
	keystore_make(&other, KEY_ECDSA_P256, true, PASSWORD);
	run("openssl pkcs12 -info -noout -passin 'pass:" PASSWORD "' -in FILE", keystore.data.data,
	    keystore.data.length, &output);
	const char *text = buffer_text(&output);
	assert_non_null(strstr(text, "MAC: sha256, Iteration 10000"));
	assert_int_equal(count_of(text, "PBES2, PBKDF2, AES-256-CBC, Iteration 10000, PRF "
					"hmacWithSHA256"),
			 2);
	CLEANUP(buffer_free) struct buffer again = BUFFER(1 << 16);
	assert_int_equal(export_p12(keystore.key, keystore.leaf, keystore.root, "shop.example",
				    PASSWORD, &again, NULL),
			 0);
	assert_true(again.length != keystore.data.length ||
		    memcmp(again.data, keystore.data.data, again.length) != 0);
	/* The root in it has a name; the caller's own has none. */
	assert_null(X509_alias_get0(keystore.root, NULL));
	keystore_free(&keystore);
	keystore_free(&other);
}

static void test_p12_is_read_by_java(void **state)
{
	(void)state;
	if (access("/usr/bin/keytool", X_OK) < 0) {
		print_message("no /usr/bin/keytool: Java is not asked\n");
		skip();
	}
	const enum key_type types[] = {KEY_ECDSA_P256, KEY_RSA_2048};
	for (size_t i = 0; i < ARRAY_SIZE(types) * 2; i++) {
		struct keystore keystore;
		CLEANUP(buffer_free) struct buffer output = BUFFER(1 << 16);
		keystore_make(&keystore, types[i / 2], i % 2, PASSWORD);
		assert_int_equal(run("keytool -J-XX:TieredStopAtLevel=1 -list -v -storetype PKCS12 "
				     "-storepass '" PASSWORD "' -keystore FILE",
				     keystore.data.data, keystore.data.length, &output),
				 0);
		const char *text = buffer_text(&output);
		assert_non_null(strstr(text, "contains 1 entry"));
		assert_non_null(strstr(text, "Alias name: shop.example"));
		assert_non_null(strstr(text, "Entry type: PrivateKeyEntry"));
		assert_non_null(strstr(text, i % 2 ? "chain length: 2" : "chain length: 1"));
		keystore_free(&keystore);
	}
	struct keystore keystore;
	CLEANUP(buffer_free) struct buffer output = BUFFER(1 << 16);
	keystore_make(&keystore, KEY_ECDSA_P256, true, PASSWORD);
	assert_int_not_equal(run("keytool -J-XX:TieredStopAtLevel=1 -list -storetype PKCS12 "
				 "-storepass another -keystore FILE",
				 keystore.data.data, keystore.data.length, &output),
			     0);
	keystore_free(&keystore);
}

static void test_a_keystore_is_held_against_what_it_should_be(void **state)
{
	(void)state;
	struct keystore keystore;
	struct keystore other;
	keystore_make(&keystore, KEY_ECDSA_P256, true, PASSWORD_UTF8);
	keystore_make(&other, KEY_ECDSA_P256, false, PASSWORD_UTF8);
	assert_int_equal(keystore_check(&keystore, PASSWORD_UTF8, keystore.root), 0);
	assert_int_equal(keystore_check(&keystore, PASSWORD, keystore.root), -EKEYREJECTED);
	assert_int_equal(keystore_check(&keystore, "", keystore.root), -EKEYREJECTED);
	assert_int_equal(keystore_check(&keystore, PASSWORD_UTF8, NULL), -EBADMSG);
	assert_says(&keystore.error, "another chain");
	assert_int_equal(keystore_check(&keystore, PASSWORD_UTF8, other.root), -EBADMSG);
	assert_int_equal(keystore_check(&other, PASSWORD_UTF8, NULL), 0);
	assert_int_equal(keystore_check(&other, PASSWORD_UTF8, other.root), -EBADMSG);

	EVP_PKEY *key = keystore.key;
	keystore.key = other.key;
	assert_int_equal(keystore_check(&keystore, PASSWORD_UTF8, keystore.root), -EBADMSG);
	assert_says(&keystore.error, "another key");
	keystore.key = key;
	X509 *leaf = keystore.leaf;
	CLEANUP(X509_freep)
	X509 *renewed = make_leaf(&(struct recipe){.key = key, .serial = "4712"});
	keystore.leaf = renewed;
	assert_int_equal(keystore_check(&keystore, PASSWORD_UTF8, keystore.root), -EBADMSG);
	assert_says(&keystore.error, "another certificate");
	assert_null(strstr(keystore.error.message, "wort"));
	keystore.leaf = leaf;
	keystore_free(&keystore);
	keystore_free(&other);
	assert_queue_empty();
}

static void test_a_damaged_keystore_is_never_good_and_costs_no_minutes(void **state)
{
	(void)state;
	struct keystore keystore;
	keystore_make(&keystore, KEY_ECDSA_P256, true, PASSWORD);
	for (size_t at = 0; at < keystore.data.length; at += 7) {
		keystore.data.data[at] ^= 0x10;
		int result = keystore_check(&keystore, PASSWORD, keystore.root);
		assert_true(result == -EBADMSG || result == -EKEYREJECTED);
		assert_int_equal(keystore.error.class, ERROR_LOCAL);
		keystore.data.data[at] ^= 0x10;
	}
	size_t length = keystore.data.length;
	for (keystore.data.length = 0; keystore.data.length < length; keystore.data.length += 11)
		assert_int_equal(keystore_check(&keystore, PASSWORD, keystore.root), -EBADMSG);
	keystore.data.length = length;
	/* The MAC's iterations are the last number; 2^31 - 1 of them would take minutes. */
	assert_memory_equal(keystore.data.data + length - 4, "\x02\x02\x27\x10", 4);
	const unsigned char *at = (const unsigned char *)keystore.data.data;
	PKCS12 *p12 = d2i_PKCS12(NULL, &at, (long)length);
	const ASN1_INTEGER *iterations = NULL;
	PKCS12_get0_mac(NULL, NULL, NULL, &iterations, p12);
	assert_true(ASN1_INTEGER_set((ASN1_INTEGER *)(uintptr_t)iterations, 0x7fffffff));
	unsigned char *data = NULL;
	int size = i2d_PKCS12(p12, &data);
	assert_int_equal(export_p12_check(data, (size_t)size, PASSWORD, keystore.key, keystore.leaf,
					  keystore.root, &keystore.error),
			 -EBADMSG);
	assert_says(&keystore.error, "iterations");
	OPENSSL_free(data);
	PKCS12_free(p12);
	keystore_free(&keystore);
	assert_queue_empty();
}

/* A password file with these bytes; what is read of it. */
static int password_read(const char *data, size_t length, char **ret_password, struct error *error)
{
	char path[] = "/tmp/origin-ca-password.XXXXXX";
	int fd = mkstemp(path);
	assert_int_equal(write(fd, data, length), length);
	close(fd);
	int result = export_password_read(path, ret_password, error);
	if (result < 0)
		assert_non_null(strstr(error->message, path));
	unlink(path);
	return result;
}

static void test_a_password_is_the_first_line_of_its_file(void **state)
{
	(void)state;
	static const char *const texts[] = {"secret", "secret\n", "secret\r\n", "secret\nmore\n"};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *password = NULL;
		struct error error = {0};
		assert_int_equal(password_read(texts[i], strlen(texts[i]), &password, &error), 0);
		assert_string_equal(password, "secret");
		secret_free(password);
	}
	char *password = NULL;
	struct error error = {0};
	assert_int_equal(password_read(PASSWORD_UTF8, strlen(PASSWORD_UTF8), &password, &error), 0);
	assert_string_equal(password, PASSWORD_UTF8);
	assert_false(export_password_suits_java(password));
	assert_true(export_password_suits_java(PASSWORD));
	secret_free(password);
}

static void test_a_password_that_no_reader_would_take_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t length;
		const char *says;
	} bad[] = {
		{"", 0, "is empty"},
		{"\nsecret\n", 8, "is empty"},
		{"sec\0ret", 7, "0 byte"},
		{"caf\xe9", 4, "not UTF-8"},
		{"\xc0\xaf", 2, "not UTF-8"},
		{"\xed\xa0\x80", 3, "not UTF-8"},
		{"ab\xf0\x9f\x94", 5, "not UTF-8"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *password = NULL;
		struct error error = {0};
		assert_int_equal(password_read(bad[i].text, bad[i].length, &password, &error),
				 -EINVAL);
		assert_int_equal(error.class, ERROR_CONFIGURATION);
		assert_says(&error, bad[i].says);
		assert_true(error.remedy[0] != '\0');
		assert_null(password);
	}
	char text[EXPORT_PASSWORD_LIMIT + 2];
	memset(text, 'x', sizeof(text));
	text[EXPORT_PASSWORD_LIMIT] = '\n';
	char *password = NULL;
	struct error error = {0};
	assert_int_equal(password_read(text, sizeof(text), &password, &error), 0);
	secret_free(password);
	text[EXPORT_PASSWORD_LIMIT] = 'x';
	assert_int_equal(password_read(text, sizeof(text), &password, &error), -EINVAL);
	assert_int_equal(export_password_read("/nonexistent/password", &password, &error), -ENOENT);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_int_equal(export_password_read("password", &password, &error), -EINVAL);
	assert_int_equal(export_password_read("/dev/null", &password, &error), -EINVAL);
	assert_queue_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_der_is_the_leaf),
		cmocka_unit_test(test_p7b_is_read_by_openssl_and_the_same_each_time),
		cmocka_unit_test(test_p12_is_read_by_openssl_with_the_right_password_only),
		cmocka_unit_test(test_p12_has_current_algorithms_and_fresh_salts),
		cmocka_unit_test(test_p12_is_read_by_java),
		cmocka_unit_test(test_a_keystore_is_held_against_what_it_should_be),
		cmocka_unit_test(test_a_damaged_keystore_is_never_good_and_costs_no_minutes),
		cmocka_unit_test(test_a_password_is_the_first_line_of_its_file),
		cmocka_unit_test(test_a_password_that_no_reader_would_take_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
