/* Which token files are taken, and that each refusal says what to do. */
#include "cloudflare_fixture.h"

#include <errno.h>
#include <sys/stat.h>

static void token_write(struct fixture *fixture, const char *text, size_t length, mode_t mode)
{
	unlink(fixture->token_file);
	int fd = open(fixture->token_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), (ssize_t)length);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_white_space_at_the_end_is_cut_off(void **state)
{
	(void)state;
	static const char *const texts[] = {TEST_TOKEN, TEST_TOKEN "\n", TEST_TOKEN " \r\n\t\n"};
	struct fixture fixture;
	fixture_files(&fixture);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *token = NULL;
		token_write(&fixture, texts[i], strlen(texts[i]), 0600);
		assert_int_equal(token_read(&fixture.api, &token, &fixture.error), 0);
		assert_string_equal(token, TEST_TOKEN);
		secret_free(token);
	}
	fixture_files_remove(&fixture);
}

static void test_what_is_no_token_is_refused_with_a_remedy(void **state)
{
	(void)state;
	static char large[TOKEN_SIZE_LIMIT + 200];
	memset(large, 'a', sizeof(large));
	const struct {
		const char *text;
		size_t length;
		const char *words;
	} table[] = {
		{"", 0, "empty"},
		{" \n\n", 3, "empty"},
		{"one\ntwo\n", 8, "more than one line"},
		{"two words", 9, "a space"},
		{"Bearer abc", 10, "a space"},
		{" abc", 4, "a space"},
		{"a\0b", 3, "a space"},
		{"a\0", 2, "a space"},
		{"\xef\xbb\xbf"
		 "abc",
		 6, "a space"},
		{"\"abc\"", 5, "quote"},
		{"v1.0-abc-def", 12, "Origin CA key"},
		{"cfk_abcdef", 10, "Global API key"},
		{large, TOKEN_SIZE_LIMIT + 1, "larger"},
		{large, sizeof(large), "larger"},
	};
	struct fixture fixture;
	fixture_files(&fixture);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *token = NULL;
		token_write(&fixture, table[i].text, table[i].length, 0600);
		print_message("%s\n", table[i].words);
		assert_int_equal(token_read(&fixture.api, &token, &fixture.error), -EINVAL);
		assert_null(token);
		assert_int_equal(fixture.error.class, ERROR_AUTHORIZATION);
		assert_non_null(strstr(fixture.error.message, table[i].words));
		assert_non_null(strstr(fixture.error.message, fixture.token_file));
		assert_true(fixture.error.remedy[0] != '\0');
		assert_null(strstr(fixture.error.message, "abc"));
	}
	fixture_files_remove(&fixture);
}

static void test_token_that_others_can_read_is_refused(void **state)
{
	(void)state;
	bool root = geteuid() == 0;
	const struct {
		mode_t mode;
		bool good;
	} table[] = {
		{0600, true},  {0400, true},  {0640, root},  {0440, root},  {0644, false},
		{0660, false}, {0601, false}, {0604, false}, {0650, false},
	};
	struct fixture fixture;
	fixture_files(&fixture);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *token = NULL;
		token_write(&fixture, "abc", 3, table[i].mode);
		int result = token_read(&fixture.api, &token, &fixture.error);
		assert_int_equal(result, table[i].good ? 0 : -EPERM);
		if (!table[i].good)
			assert_non_null(strstr(fixture.error.remedy, "chmod 0600"));
		secret_free(token);
	}
	/* Root's group may read it; the group of another owner may not. */
	if (root) {
		char *token = NULL;
		token_write(&fixture, "abc", 3, 0640);
		assert_int_equal(chown(fixture.token_file, 65534, 65534), 0);
		assert_int_equal(token_read(&fixture.api, &token, &fixture.error), -EPERM);
	}
	fixture_files_remove(&fixture);
}

static void test_absent_or_odd_file_says_what_to_make(void **state)
{
	(void)state;
	struct fixture fixture;
	char *token = NULL;
	fixture_files(&fixture);
	unlink(fixture.token_file);
	assert_int_equal(token_read(&fixture.api, &token, &fixture.error), -ENOENT);
	assert_int_equal(fixture.error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(fixture.error.remedy, "Zone > SSL and Certificates > Edit"));
	assert_non_null(strstr(fixture.error.remedy, fixture.token_file));

	/* A FIFO must not hang us, a directory must not be read. */
	assert_int_equal(mkfifo(fixture.token_file, 0600), 0);
	assert_int_equal(token_read(&fixture.api, &token, &fixture.error), -EINVAL);
	fixture.api.token_file = fixture.directory;
	assert_int_equal(token_read(&fixture.api, &token, &fixture.error), -EINVAL);
	fixture_files_remove(&fixture);
}

static void test_systemd_credential_comes_before_the_default_path(void **state)
{
	(void)state;
	struct fixture fixture;
	fixture_files(&fixture);
	fixture.api.token_file = NULL;
	unlink(fixture.token_file);
	snprintf(fixture.token_file, sizeof(fixture.token_file), "%s/api-token", fixture.directory);

	setenv("CREDENTIALS_DIRECTORY", fixture.directory, 1);
	char *path = token_path(&fixture.api);
	assert_true(string_ends(path, "/origin-ca-agent/api-token"));
	assert_false(string_starts(path, fixture.directory));
	free(path);

	/* systemd shows group bits on it. */
	token_write(&fixture, TEST_TOKEN, strlen(TEST_TOKEN), 0440);
	assert_int_equal(chown(fixture.token_file, geteuid() ? geteuid() : 65534, (gid_t)-1), 0);
	char *token = NULL;
	assert_int_equal(token_read(&fixture.api, &token, &fixture.error), 0);
	assert_string_equal(token, TEST_TOKEN);
	secret_free(token);
	unsetenv("CREDENTIALS_DIRECTORY");

	/* The same file by its path alone is not a credential. */
	fixture.api.token_file = fixture.token_file;
	assert_int_equal(token_read(&fixture.api, &token, &fixture.error), -EPERM);
	fixture_files_remove(&fixture);
}

static void test_plain_http_only_to_loopback(void **state)
{
	(void)state;
	static const struct {
		const char *endpoint;
		bool good;
	} table[] = {
		{"https://api.cloudflare.com/client/v4", true},
		{"https://api.cloudflare.com/client/v4/", true},
		{"http://127.0.0.1:8080/client/v4", true},
		{"http://127.9.8.7", true},
		{"http://[::1]:80", true},
		{"http://localhost:8080", true},
		{"http://api.cloudflare.com/client/v4", false},
		{"http://128.0.0.1", false},
		{"http://[::2]", false},
		{"http://[::ffff:10.0.0.1]", false},
		{"http://localhost.example.com", false},
		{"http://127.0.0.1.example.com", false},
		{"http://127.0.0.1@example.com", false},
		{"http://example.com#@127.0.0.1", false},
		{"https://user:secret@api.cloudflare.com", false},
		{"https://api.cloudflare.com/?x=", false},
		{"ftp://127.0.0.1", false},
		{"file:///etc/passwd", false},
		{"127.0.0.1:80", false},
		{"", false},
	};
	struct fixture fixture;
	fixture_files(&fixture);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char *endpoint = string_copy(table[i].endpoint);
		fixture.api.endpoint = endpoint;
		print_message("%s\n", endpoint);
		int result = client_new(&fixture.api, 0, &fixture.client, &fixture.error);
		assert_int_equal(result, table[i].good ? 0 : -EINVAL);
		if (table[i].good) {
			client_free(fixture.client);
		} else {
			assert_int_equal(fixture.error.class, ERROR_CONFIGURATION);
			assert_null(strstr(fixture.error.message, "secret"));
		}
		free(endpoint);
	}
	static char endpoint[] = "http://127.0.0.1:1";
	static char proxy[] = "http://127.0.0.1:3128";
	fixture.api.endpoint = endpoint;
	fixture.api.proxy = proxy;
	assert_int_equal(client_new(&fixture.api, 0, &fixture.client, &fixture.error), -EINVAL);
	fixture_files_remove(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_white_space_at_the_end_is_cut_off),
		cmocka_unit_test(test_what_is_no_token_is_refused_with_a_remedy),
		cmocka_unit_test(test_token_that_others_can_read_is_refused),
		cmocka_unit_test(test_absent_or_odd_file_says_what_to_make),
		cmocka_unit_test(test_systemd_credential_comes_before_the_default_path),
		cmocka_unit_test(test_plain_http_only_to_loopback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
