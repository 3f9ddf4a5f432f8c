/*
 * What is on disk after a power cut is what was synced. No test can cut the power, but one can
 * watch the order of writing, syncing and renaming: the functions below take the place of the C
 * library's in this executable and keep a log of it.
 */
#include "store_fixture.h"

#include <sys/syscall.h>

static struct buffer log_text;

/* "sync 0001/key.pem", relative to certificates/NAME/ ("." for itself, ".." for its parent). */
static void log_descriptor(const char *what, int fd)
{
	if (!log_text.limit)
		return;
	CLEANUP(freep) char *link = string_format("/proc/self/fd/%d", fd);
	char path[PATH_MAX];
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	assert_true(length > 0);
	path[length] = '\0';
	const char *name = strstr(path, "/certificates");
	if (!name)
		return;
	name += strlen("/certificates");
	if (name[0] == '\0')
		name = "..";
	else if (strcmp(name, "/" FIXTURE_NAME) == 0)
		name = ".";
	else
		name += strlen("/" FIXTURE_NAME "/");
	buffer_add_format(&log_text, "%s %s\n", what, name);
}

/* The C library's headers give the parameters reserved names.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t write(int fd, const void *data, size_t length)
{
	if (length > 0)
		log_descriptor("write", fd);
	return syscall(SYS_write, fd, data, length);
}

int fsync(int fd)
{
	log_descriptor("sync", fd);
	return (int)syscall(SYS_fsync, fd);
}

static void log_rename(const char *name, const char *new_name)
{
	if (log_text.limit)
		buffer_add_format(&log_text, "rename %s %s\n", name, new_name);
}

int renameat(int from, const char *name, int to, const char *new_name)
{
	log_rename(name, new_name);
	return (int)syscall(SYS_renameat2, from, name, to, new_name, 0);
}

int renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
	log_rename(name, new_name);
	return (int)syscall(SYS_renameat2, from, name, to, new_name, flags);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

static void log_start(void)
{
	buffer_free(&log_text);
	log_text.limit = 1 << 16;
}

static void log_is(const char *expected)
{
	log_text.limit = 0;
	assert_string_equal(buffer_text(&log_text), expected);
	buffer_free(&log_text);
}

static void test_a_key_is_durable_with_its_path_before_the_api_is_asked(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	log_start();
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	log_is("write pending/key.pem\nsync pending/key.pem\nsync pending\nsync .\nsync ..\n");

	/* Whoever made the key may have died before it synced anything. */
	log_start();
	EVP_PKEY_free(TAKE_PTR(key));
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	log_is("sync pending/key.pem\nsync pending\nsync .\nsync ..\n");
}

static void test_a_generation_is_durable_before_it_has_its_number(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number;
	fixture_issue(fixture);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	log_start();
	assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
	/* The leaf is written last and synced with the rest: four syncs for an issue's answer. */
	log_is("write pending/meta.json\nwrite pending/cert.pem\nsync pending/cert.pem\n"
	       "sync pending/meta.json\nsync pending\nrename pending 0002\nsync .\n");
}

static void test_recovery_trusts_nothing_that_may_not_have_been_synced(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	fixture_put(fixture, "pending/cert.pem", leaf);
	log_start();
	assert_int_equal(fixture_recover(fixture), 1);
	log_is("sync pending/key.pem\nwrite pending/meta.json\nwrite pending/cert.pem\n"
	       "sync pending/cert.pem\nsync pending/meta.json\nsync pending\n"
	       "rename pending 0001\nsync .\n");
}

static void test_a_young_generation_is_settled_by_whoever_reads_it(void **state)
{
	struct fixture *fixture = *state;
	struct generation_meta meta = {0};
	fixture_issue(fixture);
	log_start();
	assert_int_equal(generation_read(fixture->certificate, fixture->where, 1, &meta, NULL), 0);
	log_is("sync .\n");
	generation_meta_free(&meta);

	clock_fix(clock_now() + 2 * CLOCK_HOUR);
	log_start();
	assert_int_equal(generation_read(fixture->certificate, fixture->where, 1, &meta, NULL), 0);
	log_is("");
	clock_fix(-1);
	generation_meta_free(&meta);
}

static void test_a_placeholder_is_durable_too(void **state)
{
	struct fixture *fixture = *state;
	log_start();
	assert_int_equal(fixture_placeholder(fixture, clock_now()), 0);
	const char *text = buffer_text(&log_text);
	const char *renamed = strstr(text, "rename .0000.");
	assert_non_null(renamed);
	/* What follows the temporary directory's random name. */
	static const char *const before[] = {"/key.pem\n", "/cert.pem\n", "/meta.json\n", "\n"};
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		const char *sync = strstr(text, "sync .0000.");
		while (sync && !string_starts(sync + strlen("sync .0000.12345678.tmp"), before[i]))
			sync = strstr(sync + 1, "sync .0000.");
		assert_non_null(sync);
		assert_true(sync < renamed);
	}
	assert_non_null(strstr(renamed, "sync .\nsync ..\n"));
	log_text.limit = 0;
	buffer_free(&log_text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_a_key_is_durable_with_its_path_before_the_api_is_asked),
		fixture_test(test_a_generation_is_durable_before_it_has_its_number),
		fixture_test(test_recovery_trusts_nothing_that_may_not_have_been_synced),
		fixture_test(test_a_young_generation_is_settled_by_whoever_reads_it),
		fixture_test(test_a_placeholder_is_durable_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
