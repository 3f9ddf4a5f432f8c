/* The user's own key and request, in files that anything may be wrong with. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "pki/csr.h"
#include "pki/pem.h"
#include "pki_fixture.h"

static char directory[64], path[80];

static int setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/origin-ca-own.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/own.pem", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_at(AT_FDCWD, "", directory, NULL);
}

static void put(const char *text, mode_t mode)
{
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

/* What a command of openssl's writes to `path`. */
static void put_made(const char *command)
{
	CLEANUP(freep) char *line = string_format("%s -out %s 2>/dev/null", command, path);
	unlink(path);
	assert_int_equal(system(line), 0); /* NOLINT(cert-env33-c): the test's own words */
}

static int read_key(EVP_PKEY **ret_key, char **ret_warning, struct error *error)
{
	int result = key_read_file(path, ret_key, ret_warning, error);
	if (result < 0) {
		assert_int_equal(error->class, ERROR_CONFIGURATION);
		assert_int_equal(error->code, result);
		assert_non_null(strstr(error->message, path));
		assert_true(error->remedy[0] != '\0');
	}
	assert_queue_empty();
	return result;
}

static void test_an_own_key_of_each_form_and_type_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *command;
		enum key_type type;
	} made[] = {
		{"openssl ecparam -name prime256v1 -genkey", KEY_ECDSA_P256},
		{"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", KEY_ECDSA_P384},
		{"openssl genrsa 2048 2>/dev/null | openssl rsa -traditional", KEY_RSA_2048},
		{"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072", KEY_RSA_3072},
	};
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		EVP_PKEY *key = NULL;
		char *warning = NULL;
		struct error error = {0};
		enum key_type type;
		put_made(made[i].command);
		assert_int_equal(chmod(path, 0640), 0);
		assert_int_equal(read_key(&key, &warning, &error), 0);
		assert_int_equal(key_type_of(key, &type), 0);
		assert_int_equal(type, made[i].type);
		assert_null(warning);
		assert_int_equal(chmod(path, 0644), 0);
		EVP_PKEY_free(key);
		assert_int_equal(read_key(&key, &warning, &error), 0);
		assert_non_null(strstr(warning, path));
		EVP_PKEY_free(key);
		free(warning);
	}
}

static void test_an_own_key_that_cannot_be_used_says_what_to_do(void **state)
{
	(void)state;
	EVP_PKEY *key = NULL;
	struct error error = {0};
	put_made("openssl genpkey -algorithm ED25519");
	assert_int_equal(read_key(&key, NULL, &error), -EINVAL);
	assert_says(&error, "ED25519");
	put_made("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
	assert_int_equal(read_key(&key, NULL, &error), -EINVAL);
	assert_says(&error, "1024 bits");
	put_made("openssl genpkey -algorithm RSA -aes256 -pass pass:secret");
	assert_int_equal(read_key(&key, NULL, &error), -EKEYREJECTED);
	assert_says(&error, "encrypted");
	assert_says(&error, "openssl pkey -in /");
	put("no key", 0600);
	assert_int_equal(read_key(&key, NULL, &error), -EBADMSG);
	put("", 0600);
	assert_int_equal(read_key(&key, NULL, &error), -EBADMSG);
	unlink(path);
	assert_int_equal(read_key(&key, NULL, &error), -ENOENT);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(read_key(&key, NULL, &error), -EISDIR);
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(read_key(&key, NULL, &error), -EINVAL);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, (off_t)FILE_LIMIT + 1), 0);
	close(fd);
	assert_int_equal(read_key(&key, NULL, &error), -EFBIG);
	assert_int_equal(key_read_file("own.pem", &key, NULL, &error), -EINVAL);
	assert_says(&error, "absolute");
	assert_null(key);
}

static void test_who_cannot_read_an_own_key_is_named(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("secret", 0600);
	assert_int_equal(chmod(directory, 0755), 0);
	pid_t child = fork();
	if (child == 0) {
		EVP_PKEY *key = NULL;
		struct error error = {0};
		if (setresuid(54321, 54321, 54321) < 0)
			_exit(2);
		bool good = key_read_file(path, &key, NULL, &error) == -EACCES &&
			    error.class == ERROR_CONFIGURATION &&
			    strstr(error.remedy, "user 54321") && strstr(error.remedy, path);
		_exit(good ? 0 : 1);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

#define REQUEST                                                                                    \
	"openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null "

static int read_request(char **ret_pem, EVP_PKEY **ret_key, struct string_list *hostnames,
			struct error *error)
{
	int result = csr_read_file(path, ret_pem, ret_key, hostnames, error);
	if (result < 0) {
		assert_int_equal(error->class, ERROR_CONFIGURATION);
		assert_int_equal(error->code, result);
		assert_non_null(strstr(error->message, path));
		assert_true(error->remedy[0] != '\0');
	}
	assert_queue_empty();
	return result;
}

static void test_an_own_request_gives_public_key_names_and_only_itself(void **state)
{
	(void)state;
	CLEANUP(freep) char *pem = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	CLEANUP(string_list_free) struct string_list names = {0};
	CLEANUP(string_list_free) struct string_list twice = {0};
	struct error error = {0};
	put_made(REQUEST "-subj /CN=other.example -text "
			 "-addext subjectAltName=DNS:Shop.Example,DNS:*.shop.example,IP:192.0.2.1");
	assert_int_equal(read_request(&pem, &key, &names, &error), 0);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "shop.example");
	assert_string_equal(names.items[1], "*.shop.example");
	assert_false(key_is_private(key));
	/* The text that openssl wrote above it is not sent to anyone. */
	assert_true(string_starts(pem, "-----BEGIN CERTIFICATE REQUEST-----\n"));
	assert_int_equal(csr_read(pem, strlen(pem), &again, &twice, &error), 0);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
}

static void test_an_own_request_without_names_has_none(void **state)
{
	(void)state;
	CLEANUP(freep) char *pem = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(string_list_free) struct string_list names = {0};
	struct error error = {0};
	put_made(REQUEST "-subj /CN=shop.example");
	assert_int_equal(read_request(&pem, &key, &names, &error), 0);
	assert_int_equal(names.count, 0);
}

static void test_an_own_request_that_cannot_be_used_says_what_to_do(void **state)
{
	(void)state;
	char *pem = NULL;
	EVP_PKEY *key = NULL;
	struct string_list names = {0};
	struct error error = {0};
	put_made("openssl req -new -newkey ed25519 -nodes -keyout /dev/null -subj /CN=a");
	assert_int_equal(read_request(&pem, &key, &names, &error), -EINVAL);
	assert_says(&error, "ED25519");
	put_made("openssl req -new -newkey rsa:1024 -nodes -keyout /dev/null -subj /CN=a");
	assert_int_equal(read_request(&pem, &key, &names, &error), -EINVAL);
	put("no request", 0600);
	assert_int_equal(read_request(&pem, &key, &names, &error), -EBADMSG);
	put("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", 0600);
	assert_int_equal(read_request(&pem, &key, &names, &error), -EBADMSG);
	unlink(path);
	assert_int_equal(read_request(&pem, &key, &names, &error), -ENOENT);
	assert_null(pem);
	assert_null(key);
	assert_int_equal(names.count, 0);
}

static void test_a_request_that_its_key_did_not_sign_is_refused(void **state)
{
	(void)state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = make_key(KEY_ECDSA_P256);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = make_key(KEY_ECDSA_P256);
	CLEANUP(X509_REQ_freep) X509_REQ *request = X509_REQ_new();
	assert_true(X509_REQ_set_pubkey(request, key));
	assert_true(X509_REQ_sign(request, other, EVP_sha256()) > 0);
	CLEANUP(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());
	assert_true(PEM_write_bio_X509_REQ(bio, request));
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);
	EVP_PKEY *read = NULL;
	struct string_list names = {0};
	struct error error = {0};
	assert_int_equal(csr_read(data, (size_t)length, &read, &names, &error), -EBADMSG);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_says(&error, "signature");
	assert_null(read);
	assert_queue_empty();
}

#define own_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_test(test_an_own_key_of_each_form_and_type_is_read),
		own_test(test_an_own_key_that_cannot_be_used_says_what_to_do),
		own_test(test_who_cannot_read_an_own_key_is_named),
		own_test(test_an_own_request_gives_public_key_names_and_only_itself),
		own_test(test_an_own_request_without_names_has_none),
		own_test(test_an_own_request_that_cannot_be_used_says_what_to_do),
		own_test(test_a_request_that_its_key_did_not_sign_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
