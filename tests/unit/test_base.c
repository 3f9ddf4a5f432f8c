/* The base room: what everything else stands on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

static void test_buffer_refuses_more_than_its_bound_and_stays_failed(void **state)
{
	(void)state;
	struct buffer buffer = BUFFER(10);
	assert_int_equal(buffer_add_text(&buffer, "0123456789"), 0);
	assert_int_equal(buffer_add(&buffer, "x", 1), -EMSGSIZE);
	assert_int_equal(buffer_add(&buffer, "", 0), -EMSGSIZE);
	assert_true(buffer.failed);
	assert_string_equal(buffer_text(&buffer), "0123456789");
	buffer_free(&buffer);
}

static void test_buffer_grows_to_exactly_its_bound(void **state)
{
	(void)state;
	struct buffer buffer = BUFFER(100000);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buffer_add(&buffer, "x", 1), 0);
	assert_int_equal(buffer.length, 100000);
	assert_int_equal(buffer_add_format(&buffer, "%d", 1), -EMSGSIZE);
	buffer_wipe(&buffer);
}

static void test_error_is_one_line_whatever_came_from_outside(void **state)
{
	(void)state;
	struct error error = {0};
	error_set(&error, ERROR_TRANSIENT, EIO, "a\nb\tc\x1b[31m");
	assert_string_equal(error.message, "a b c [31m");
	assert_int_equal(error.code, -EIO);
	error_prefix(&error, "while %s", "reading");
	assert_string_equal(error.message, "while reading: a b c [31m");
	error_set(&error, ERROR_LOCAL, -EIO, "%s again", error.message);
	assert_string_equal(error.message, "while reading: a b c [31m again");
}

static void test_long_error_is_cut_not_overrun(void **state)
{
	(void)state;
	struct error error = {0};
	char text[3000];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&error, ERROR_LOCAL, -EIO, "%s", text);
	error_prefix(&error, "%s", text);
	error_remedy(&error, "%s", text);
	assert_int_equal(strlen(error.message), ERROR_MESSAGE_SIZE - 1);
	assert_int_equal(strlen(error.remedy), ERROR_REMEDY_SIZE - 1);
}

static void test_every_class_but_what_goes_away_by_itself_has_a_remedy(void **state)
{
	(void)state;
	struct error error = {0};
	assert_string_equal(error_advice(&error), "");
	for (int class = ERROR_TRANSIENT; class <= ERROR_BUG; class ++) {
		error_set(&error, (enum error_class) class, -EINVAL, "no");
		assert_int_equal(error_advice(&error)[0] != '\0', class != ERROR_TRANSIENT);
	}
	error_errno(&error, -ENOSPC, "write");
	assert_non_null(strstr(error_advice(&error), "free space"));
	error_set(&error, ERROR_DEPLOY, -ENOSPC, "its disk is full");
	assert_null(strstr(error_advice(&error), "free space"));
	error_remedy(&error, "tidy up there");
	assert_string_equal(error_advice(&error), "tidy up there");
}

static void test_both_of_cloudflares_dates_are_read(void **state)
{
	(void)state;
	int64_t go = 0;
	int64_t rfc = 0;
	char text[CLOCK_TEXT_SIZE];
	assert_int_equal(clock_parse("2025-04-01 10:11:00 +0000 UTC", &go), 0);
	assert_int_equal(clock_parse("2025-04-01T10:11:00Z", &rfc), 0);
	assert_int_equal(go, rfc);
	assert_string_equal(clock_format(go, text), "2025-04-01T10:11:00Z");
	assert_int_equal(clock_parse("2025-04-01T12:11:00.123456+02:00", &rfc), 0);
	assert_int_equal(go, rfc);
	static const char *const wrong[] = {"",
					    "2025-04-01",
					    "2025-13-01T10:11:00Z",
					    "2025-04-01T10:11:00",
					    "2025-04-01T10:11:00 UTC",
					    "yesterday"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(clock_parse(wrong[i], &rfc), -EINVAL);
}

static void test_json_bounds_nesting_and_refuses_rubbish_behind(void **state)
{
	(void)state;
	char deep[400];
	memset(deep, '[', 200);
	memset(deep + 200, ']', 200);
	assert_null(json_parse(deep, sizeof(deep)));
	assert_null(json_parse("{} x", 4));
	assert_null(json_parse("{\"a\":", 5));
	CLEANUP(cJSON_Deletep) cJSON *json = json_parse("{\"a\":1e300,\"b\":\"x\"} \n", 21);
	assert_non_null(json);
	assert_int_equal(json_integer(json, "a", 7), 7);
	assert_int_equal(json_integer(json, "b", 7), 7);
	assert_null(json_string(json, "a"));
}

static int directory_new(char *path)
{
	assert_non_null(mkdtemp(path));
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	return fd;
}

static void test_written_file_has_its_mode_and_leaves_no_temporary(void **state)
{
	(void)state;
	char path[] = "/tmp/test-base.XXXXXX";
	struct error error = {0};
	int fd = directory_new(path);
	struct buffer text = BUFFER(100);
	struct stat status;

	assert_int_equal(symlinkat("/etc/passwd", fd, "file"), 0);
	assert_int_equal(
		file_write_at(fd, path, "file", "hello", 5, &FILE_ACCESS(0640), FILE_SYNC, &error),
		0);
	assert_int_equal(fstatat(fd, "file", &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(status.st_mode, S_IFREG | 0640);
	assert_int_equal(file_read_at(fd, path, "file", &text, &error), 0);
	assert_string_equal(buffer_text(&text), "hello");

	/* Into a directory that is no more: an error, and nothing left. */
	assert_int_equal(file_remove_at(AT_FDCWD, "", path, &error), 0);
	assert_int_equal(
		file_write_at(fd, path, "file", "hello", 5, &FILE_ACCESS(0640), FILE_SYNC, &error),
		-ENOENT);
	assert_int_equal(error.class, ERROR_LOCAL);
	buffer_free(&text);
	close(fd);
}

static void test_reading_is_bounded_and_follows_no_link(void **state)
{
	(void)state;
	char path[] = "/tmp/test-base.XXXXXX";
	struct error error = {0};
	int fd = directory_new(path);
	struct buffer text = BUFFER(4);

	assert_int_equal(file_write_at(fd, path, "file", "hello", 5, &FILE_ACCESS(0600),
				       FILE_NO_SYNC, &error),
			 0);
	assert_int_equal(file_read_at(fd, path, "file", &text, &error), -EFBIG);
	assert_int_equal(text.length, 0);
	assert_int_equal(symlinkat("file", fd, "link"), 0);
	text.limit = 100;
	assert_int_equal(file_read_at(fd, path, "link", &text, &error), -ELOOP);
	assert_int_equal(file_read_at(fd, path, "nothing", &text, &error), -ENOENT);
	assert_int_equal(mkfifoat(fd, "fifo", 0600), 0);
	assert_int_equal(file_read_at(fd, path, "fifo", &text, &error), -EINVAL);
	assert_int_equal(file_remove_at(AT_FDCWD, "", path, &error), 0);
	close(fd);
}

static void test_stamp_tells_any_change(void **state)
{
	(void)state;
	char path[] = "/tmp/test-base.XXXXXX";
	struct error error = {0};
	int fd = directory_new(path);
	struct file_stamp one;
	struct file_stamp two;
	char text[FILE_STAMP_TEXT_SIZE];

	file_write_at(fd, path, "file", "hello", 5, &FILE_ACCESS(0600), FILE_NO_SYNC, &error);
	assert_int_equal(file_stamp_at(fd, "file", &one), 0);
	assert_int_equal(file_stamp_parse(file_stamp_format(&one, text), &two), 0);
	assert_true(file_stamp_equal(&one, &two));
	assert_int_equal(fchmodat(fd, "file", 0640, 0), 0);
	assert_int_equal(file_stamp_at(fd, "file", &two), 0);
	assert_false(file_stamp_equal(&one, &two));
	assert_int_equal(file_stamp_parse("1:2:3", &two), -EINVAL);
	assert_int_equal(file_remove_at(AT_FDCWD, "", path, &error), 0);
	close(fd);
}

static void test_reserved_room_is_bounded_and_changes_nothing(void **state)
{
	(void)state;
	struct buffer buffer = BUFFER(10);
	buffer_add_text(&buffer, "abc");
	buffer_reserve(&buffer, 1 << 30);
	assert_int_equal(buffer.allocated, 11);
	assert_string_equal(buffer_text(&buffer), "abc");
	assert_int_equal(buffer_add_text(&buffer, "defghij"), 0);
	assert_true(buffer_add_text(&buffer, "k") < 0);
	buffer_reserve(&buffer, 1);
	assert_true(buffer.failed);
	buffer_free(&buffer);
}

static void test_path_of_a_directory_that_cannot_be_made_is_told_as_it_was_given(void **state)
{
	(void)state;
	struct error error = {0};
	int fd = -1;
	assert_true(directory_make_path("/proc/nothing", &FILE_ACCESS(0755), &fd, &error) < 0);
	assert_non_null(strstr(error.message, "cannot make directory /proc/nothing: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_path_of_a_directory_that_cannot_be_made_is_told_as_it_was_given),
		cmocka_unit_test(test_reserved_room_is_bounded_and_changes_nothing),
		cmocka_unit_test(test_buffer_refuses_more_than_its_bound_and_stays_failed),
		cmocka_unit_test(test_buffer_grows_to_exactly_its_bound),
		cmocka_unit_test(test_error_is_one_line_whatever_came_from_outside),
		cmocka_unit_test(test_long_error_is_cut_not_overrun),
		cmocka_unit_test(test_every_class_but_what_goes_away_by_itself_has_a_remedy),
		cmocka_unit_test(test_both_of_cloudflares_dates_are_read),
		cmocka_unit_test(test_json_bounds_nesting_and_refuses_rubbish_behind),
		cmocka_unit_test(test_written_file_has_its_mode_and_leaves_no_temporary),
		cmocka_unit_test(test_reading_is_bounded_and_follows_no_link),
		cmocka_unit_test(test_stamp_tells_any_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
