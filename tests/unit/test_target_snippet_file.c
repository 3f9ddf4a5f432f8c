/* The commit point on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "target/snippet.h"

static char nginx[] = "nginx";

struct place {
	char *directory;
	struct config_target target;
	int fd;
};

static int place_make(void **state)
{
	struct place *place = memory_alloc(1, sizeof(*place));
	place->directory = string_copy("/tmp/origin-ca-snippet-XXXXXX");
	assert_non_null(mkdtemp(place->directory));
	place->target = (struct config_target){
		.name = nginx,
		.type = TARGET_NGINX,
		.snippet_dir = string_format("%s/snippets/nginx", place->directory),
		.access = FILE_ACCESS(0644),
	};
	struct error error = {0};
	place->fd = -1;
	if (snippet_directory_open(&place->target, &place->fd, &error) < 0)
		fail_msg("%s", error.message);
	*state = place;
	return 0;
}

static int place_drop(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	close(place->fd);
	assert_int_equal(file_remove_at(AT_FDCWD, "", place->directory, &error), 0);
	free(place->target.snippet_dir);
	free(place->directory);
	free(place);
	return 0;
}

static int commit(const struct place *place, const char *text, struct error *error)
{
	struct buffer bytes = BUFFER(1000);
	buffer_add_text(&bytes, text);
	int result = snippet_commit(place->fd, &place->target, "a.conf", &bytes, FILE_SYNC, error);
	buffer_free(&bytes);
	return result;
}

static void assert_commits(const struct place *place, const char *text)
{
	struct error error = {0};
	if (commit(place, text, &error) < 0)
		fail_msg("%s", error.message);
	struct buffer read = BUFFER(1000);
	assert_int_equal(snippet_read(place->fd, &place->target, "a.conf", &read, &error), 0);
	assert_string_equal(buffer_text(&read), text);
	buffer_free(&read);
}

static size_t file_count(const struct place *place)
{
	DIR *listing = opendir(place->target.snippet_dir);
	assert_non_null(listing);
	size_t count = 0;
	while (readdir(listing))
		count++;
	closedir(listing);
	return count - 2;
}

static mode_t mode_of(const char *path)
{
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	return status.st_mode & 07777;
}

static void test_missing_directories_are_made_0755_whatever_the_umask(void **state)
{
	struct place *place = *state;
	CLEANUP(freep) char *parent = string_format("%s/x", place->directory);
	struct config_target target = place->target;
	CLEANUP(freep) char *path = string_format("%s/y", parent);
	target.snippet_dir = path;
	CLEANUP(closep) int fd = -1;
	struct error error = {0};
	mode_t before = umask(077);
	int result = snippet_directory_open(&target, &fd, &error);
	umask(before);
	assert_int_equal(result, 0);
	assert_int_equal(mode_of(parent), 0755);
	assert_int_equal(mode_of(path), 0755);
}

static void test_directory_that_is_there_keeps_its_mode_and_may_be_a_link(void **state)
{
	struct place *place = *state;
	assert_int_equal(chmod(place->target.snippet_dir, 02750), 0);
	CLEANUP(freep) char *link = string_format("%s/link", place->directory);
	assert_int_equal(symlink(place->target.snippet_dir, link), 0);
	struct config_target target = place->target;
	target.snippet_dir = link;
	CLEANUP(closep) int fd = -1;
	struct error error = {0};
	assert_int_equal(snippet_directory_open(&target, &fd, &error), 0);
	assert_int_equal(mode_of(link), 02750);

	CLEANUP(freep) char *file = string_format("%s/file", place->directory);
	assert_int_equal(close(creat(file, 0600)), 0);
	target.snippet_dir = file;
	int none = -1;
	assert_int_equal(snippet_directory_open(&target, &none, &error), -ENOTDIR);
	assert_int_equal(none, -1);
	assert_non_null(strstr(error.message, file));
}

static void test_commit_replaces_bytes_and_mode_and_leaves_nothing_else(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	struct buffer read = BUFFER(1000);
	assert_int_equal(snippet_read(place->fd, &place->target, "a.conf", &read, &error), -ENOENT);

	assert_commits(place, "one\n");
	assert_commits(place, "two and more\n");
	place->target.access.mode = 0640;
	assert_commits(place, "two and more\n");
	CLEANUP(freep) char *path = string_format("%s/a.conf", place->target.snippet_dir);
	assert_int_equal(mode_of(path), 0640);
	assert_commits(place, "");
	assert_int_equal(file_count(place), 1);
}

static void test_equal_snippet_is_not_written_again(void **state)
{
	struct place *place = *state;
	struct file_stamp before;
	struct file_stamp after;
	assert_commits(place, "same\n");
	assert_int_equal(file_stamp_at(place->fd, "a.conf", &before), 0);
	assert_commits(place, "same\n");
	assert_int_equal(file_stamp_at(place->fd, "a.conf", &after), 0);
	assert_true(file_stamp_equal(&before, &after));
	assert_commits(place, "Same\n");
	assert_int_equal(file_stamp_at(place->fd, "a.conf", &after), 0);
	assert_false(file_stamp_equal(&before, &after));
}

static void test_symbolic_link_is_replaced_and_not_followed(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	struct buffer read = BUFFER(1000);
	CLEANUP(freep) char *victim = string_format("%s/victim", place->directory);
	int fd = creat(victim, 0600);
	assert_int_equal(write(fd, "same\n", 5), 5);
	close(fd);
	assert_int_equal(symlinkat(victim, place->fd, "a.conf"), 0);

	assert_int_equal(snippet_read(place->fd, &place->target, "a.conf", &read, &error), -ENOENT);
	assert_commits(place, "same\n");
	struct file_stamp stamp;
	assert_int_equal(file_stamp_at(place->fd, "a.conf", &stamp), 0);
	assert_true(S_ISREG(stamp.mode));
	assert_int_equal(mode_of(victim), 0600);
}

static void test_commit_that_fails_leaves_the_old_snippet_and_no_temporary_file(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	assert_int_equal(mkdirat(place->fd, "a.conf", 0755), 0);
	assert_int_equal(commit(place, "x", &error), -EISDIR);
	assert_int_equal(error.class, ERROR_LOCAL);
	assert_int_equal(file_count(place), 1);
}

static void test_only_old_temporary_files_of_ours_are_removed(void **state)
{
	struct place *place = *state;
	static const char *const go[] = {
		".a.conf.0123abcd.tmp",	      ".a.b.xml.0123abcd.tmp",	  ".a.p12.01234567.tmp",
		".a.truststore.ffffffff.tmp", ".a.conf.xml.0123abcd.tmp",
	};
	static const char *const stay[] = {
		".b.conf.0123abcd.tmp", /* young */
		".a.conf.0123abcX.tmp",
		".a.txt.0123abcd.tmp",
		"a.conf.0123abcd.tmp",
		".conf.0123abcd.tmp",
		".aconf.0123abcd.tmp",
		".p12.0123abcd.tmp",
		".truststore.0123abcd.tmp",
		".a.p12X0123abcd.tmp",
		".tmp",
		".0123abcd.tmp",
		"old.conf",
	};
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	for (size_t i = 0; i < ARRAY_SIZE(go); i++) {
		close(openat(place->fd, go[i], O_CREAT | O_WRONLY, 0600));
		assert_int_equal(utimensat(place->fd, go[i], old, 0), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++) {
		close(openat(place->fd, stay[i], O_CREAT | O_WRONLY, 0600));
		if (i > 0)
			assert_int_equal(utimensat(place->fd, stay[i], old, 0), 0);
	}
	CLEANUP(closep) int fd = -1;
	assert_int_equal(snippet_directory_open(&place->target, &fd, NULL), 0);
	struct file_stamp stamp;
	for (size_t i = 0; i < ARRAY_SIZE(go); i++)
		assert_int_equal(file_stamp_at(fd, go[i], &stamp), -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(stay); i++)
		assert_int_equal(file_stamp_at(fd, stay[i], &stamp), 0);
}

static void test_file_name_is_that_of_the_certificate(void **state)
{
	struct place *place = *state;
	struct config_certificate certificate = {.name = (char[]){"shop.example"}};
	CLEANUP(freep) char *name = snippet_file_name(&place->target, &certificate);
	assert_string_equal(name, "shop.example.conf");
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_missing_directories_are_made_0755_whatever_the_umask),
		HOST_TEST(test_directory_that_is_there_keeps_its_mode_and_may_be_a_link),
		HOST_TEST(test_commit_replaces_bytes_and_mode_and_leaves_nothing_else),
		HOST_TEST(test_equal_snippet_is_not_written_again),
		HOST_TEST(test_symbolic_link_is_replaced_and_not_followed),
		HOST_TEST(test_commit_that_fails_leaves_the_old_snippet_and_no_temporary_file),
		HOST_TEST(test_only_old_temporary_files_of_ours_are_removed),
		HOST_TEST(test_file_name_is_that_of_the_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
