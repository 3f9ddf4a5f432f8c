/* The password of a certificate's keystores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/list.h"
#include "target/keystore.h"

struct place {
	char *directory;
	int fd;
};

static int place_make(void **state)
{
	struct place *place = memory_alloc(1, sizeof(*place));
	place->directory = string_copy("/tmp/origin-ca-password-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	place->fd = open(place->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return 0;
}

static int place_drop(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	close(place->fd);
	assert_int_equal(file_remove_at(AT_FDCWD, "", place->directory, &error), 0);
	free(place->directory);
	free(place);
	return 0;
}

static void put(const struct place *place, const char *name, const char *text, size_t length)
{
	struct error error = {0};
	assert_int_equal(file_write_at(place->fd, "x", name, text, length, &FILE_ACCESS(0600),
				       FILE_NO_SYNC, &error),
			 0);
}

/* Free it with secret_free(). */
static char *made(const struct place *place, bool create)
{
	char *password = NULL;
	struct error error = {0};
	if (keystore_password(place->fd, place->directory, NULL, create, &password, &error) < 0)
		fail_msg("%s", error.message);
	return password;
}

static mode_t mode_of(const struct place *place)
{
	struct file_stamp stamp;
	assert_int_equal(file_stamp_at(place->fd, KEYSTORE_PASSWORD_FILE, &stamp), 0);
	return stamp.mode & 07777;
}

static void test_password_is_made_once_and_stays(void **state)
{
	struct place *place = *state;
	char *none = NULL;
	struct error error = {0};
	assert_int_equal(keystore_password(place->fd, place->directory, NULL, false, &none, &error),
			 -ENOENT);
	assert_null(none);
	char *first = made(place, true);
	assert_int_equal(strlen(first), 32);
	assert_int_equal(strspn(first, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789"),
			 32);
	assert_int_equal(mode_of(place), 0600);
	char *again = made(place, true);
	char *read = made(place, false);
	assert_string_equal(first, again);
	assert_string_equal(first, read);
	secret_free(first);
	secret_free(again);
	secret_free(read);
}

static void test_passwords_differ_and_use_all_letters(void **state)
{
	struct place *place = *state;
	struct string_list seen = {0};
	bool used[128] = {false};
	for (int i = 0; i < 100; i++) {
		char *password = made(place, true);
		assert_false(string_list_has(&seen, password));
		for (const char *at = password; *at; at++)
			used[(unsigned char)*at] = true;
		string_list_take(&seen, password);
		unlinkat(place->fd, KEYSTORE_PASSWORD_FILE, 0);
	}
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(used); i++)
		count += used[i];
	assert_int_equal(count, 62);
	string_list_free(&seen);
}

static void test_what_is_no_password_of_ours_is_made_anew(void **state)
{
	struct place *place = *state;
	static const char *const junk[] = {
		"",
		"short\n",
		"0123456789abcdef0123456789abcdef",	 /* cut */
		"0123456789abcdef0123456789abcde\n",	 /* one short */
		"0123456789abcdef0123456789abcd${\n",	 /* a letter that none has */
		"0123456789abcdef0123456789abcdef\nx\n", /* more behind it */
	};
	for (size_t i = 0; i < ARRAY_SIZE(junk); i++) {
		char *password = NULL;
		struct error error = {0};
		put(place, KEYSTORE_PASSWORD_FILE, junk[i], strlen(junk[i]));
		assert_int_equal(keystore_password(place->fd, place->directory, NULL, false,
						   &password, &error),
				 -ENOENT);
		assert_int_equal(error.class, ERROR_LOCAL);
		if (junk[i][0])
			assert_null(strstr(error.message, "0123456789abcdef"));
		password = made(place, true);
		char *again = made(place, false);
		assert_string_equal(password, again);
		secret_free(password);
		secret_free(again);
	}
	unlinkat(place->fd, KEYSTORE_PASSWORD_FILE, 0);
	assert_int_equal(symlinkat("/etc/passwd", place->fd, KEYSTORE_PASSWORD_FILE), 0);
	char *password = made(place, true);
	assert_int_equal(strlen(password), 32);
	secret_free(password);
}

static void test_password_that_others_may_read_is_closed(void **state)
{
	struct place *place = *state;
	char *first = made(place, true);
	assert_int_equal(fchmodat(place->fd, KEYSTORE_PASSWORD_FILE, 0644, 0), 0);
	char *looked = made(place, false);
	assert_int_equal(mode_of(place), 0644);
	char *again = made(place, true);
	assert_int_equal(mode_of(place), 0600);
	assert_string_equal(first, again);
	secret_free(first);
	secret_free(looked);
	secret_free(again);
}

static void test_administrator_s_file_is_read_and_never_made(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	char *password = NULL;
	CLEANUP(freep) char *path = string_format("%s/mine", place->directory);
	assert_true(keystore_password(place->fd, place->directory, path, true, &password, &error) <
		    0);
	struct file_stamp stamp;
	assert_int_equal(file_stamp_at(place->fd, "mine", &stamp), -ENOENT);
	assert_int_equal(file_stamp_at(place->fd, KEYSTORE_PASSWORD_FILE, &stamp), -ENOENT);
	put(place, "mine", "my own & good\n", strlen("my own & good\n"));
	if (keystore_password(place->fd, place->directory, path, true, &password, &error) < 0)
		fail_msg("%s", error.message);
	assert_string_equal(password, "my own & good");
	secret_free(password);
}

#define PLACE_TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(test_password_is_made_once_and_stays),
		PLACE_TEST(test_passwords_differ_and_use_all_letters),
		PLACE_TEST(test_what_is_no_password_of_ours_is_made_anew),
		PLACE_TEST(test_password_that_others_may_read_is_closed),
		PLACE_TEST(test_administrator_s_file_is_read_and_never_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
