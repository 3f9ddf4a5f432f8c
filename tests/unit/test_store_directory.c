#include "store_fixture.h"

#include <sys/wait.h>

static void test_opening_makes_what_is_missing_with_the_right_modes(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *name;
		mode_t mode;
	} made[] = {{"certificates", 0711}, {"snippets", 0755}, {"live", 0755}};
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		struct stat status;
		assert_int_equal(fstatat(fixture->store.fd, made[i].name, &status, 0), 0);
		assert_int_equal(status.st_mode, S_IFDIR | made[i].mode);
	}

	CLEANUP(freep) char *path = string_format("%s/a/state", fixture->path);
	CLEANUP(store_close) struct store store = {0};
	assert_int_equal(store_open(path, true, &store, NULL), 0);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode, S_IFDIR | 0711);
}

static void test_opening_without_create_makes_nothing(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *path = string_format("%s/absent", fixture->path);
	struct store store = {0};
	assert_int_equal(store_open(path, false, &store, &fixture->error), -ENOENT);
	assert_int_equal(fixture->error.class, ERROR_LOCAL);
	assert_non_null(strstr(fixture->error.message, path));
	assert_int_equal(access(path, F_OK), -1);
	store_close(&store);
	assert_int_equal(store_open("relative", true, &store, &fixture->error), -EINVAL);
}

static void test_a_state_directory_may_be_a_link_but_nothing_below_it(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *link = string_format("%s/link", fixture->path);
	CLEANUP(freep) char *real = string_format("%s/real", fixture->path);
	assert_int_equal(mkdir(real, 0711), 0);
	assert_int_equal(symlink("real", link), 0);
	struct store store = {0};
	assert_int_equal(store_open(link, true, &store, NULL), 0);
	store_close(&store);
	store_close(&store);

	CLEANUP(freep) char *below = string_format("%s/certificates", real);
	assert_int_equal(rmdir(below), 0);
	assert_int_equal(symlink("/var/tmp", below), 0);
	assert_true(store_open(link, true, &store, NULL) < 0);
}

static void test_names_cannot_leave_the_store(void **state)
{
	struct fixture *fixture = *state;
	static const char *const names[] = {"", ".", "..", "a/b", "../x", ".hidden"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = -1;
		assert_int_equal(store_certificate_open(&fixture->store, names[i], true, &fd, NULL),
				 -EINVAL);
		assert_int_equal(store_live_set(&fixture->store, names[i], 1, NULL), -EINVAL);
		assert_int_equal(fd, -1);
	}
}

static void test_a_planted_link_is_not_opened_as_a_certificate(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(symlinkat("/var/tmp", fixture->store.certificates, "planted"), 0);
	int fd = -1;
	assert_true(store_certificate_open(&fixture->store, "planted", true, &fd, NULL) < 0);
	assert_true(store_certificate_open(&fixture->store, "planted", false, &fd, NULL) < 0);
	assert_int_equal(fd, -1);
}

static void test_a_certificate_that_is_absent_is_not_made_unasked(void **state)
{
	struct fixture *fixture = *state;
	int fd = -1;
	assert_int_equal(
		store_certificate_open(&fixture->store, "absent", false, &fd, &fixture->error),
		-ENOENT);
}

static void test_list_has_directories_only_and_sorted(void **state)
{
	struct fixture *fixture = *state;
	int certificates = fixture->store.certificates;
	assert_int_equal(mkdirat(certificates, "b", 0711), 0);
	assert_int_equal(mkdirat(certificates, "a", 0711), 0);
	assert_int_equal(mkdirat(certificates, ".hidden", 0711), 0);
	assert_int_equal(symlinkat("a", certificates, "link"), 0);
	close(openat(certificates, "file", O_CREAT | O_WRONLY, 0600));
	struct string_list names = {0};
	for (int again = 0; again < 2; again++) {
		assert_int_equal(store_certificate_list(&fixture->store, &names, NULL), 0);
		CLEANUP(freep) char *joined = string_list_join(&names, " ");
		assert_string_equal(joined, "a b shop.example");
		string_list_free(&names);
	}
}

static void test_a_second_pass_is_told_who_holds_the_lock(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(store_lock(&fixture->store, NULL), 0);
	assert_int_equal(store_lock(&fixture->store, NULL), 0);

	struct store other = {0};
	assert_int_equal(store_open(fixture->path, true, &other, NULL), 0);
	assert_int_equal(store_lock(&other, &fixture->error), -EWOULDBLOCK);
	CLEANUP(freep) char *process = string_format("process %ld", (long)getpid());
	assert_non_null(strstr(fixture->error.message, process));

	store_close(&fixture->store);
	assert_int_equal(store_lock(&other, NULL), 0);
	store_close(&other);
}

static void test_a_lock_ends_with_its_process_and_no_child_keeps_it(void **state)
{
	struct fixture *fixture = *state;
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t holder = fork();
	if (holder == 0) {
		if (store_lock(&fixture->store, NULL) < 0)
			_exit(1);
		/* A hook that goes on when we are gone: it has what exec() leaves open. */
		pid_t hook = fork();
		if (hook == 0) {
			execl("/bin/sleep", "sleep", "30", (char *)NULL);
			_exit(1);
		}
		if (write(ready[1], &hook, sizeof(hook)) != sizeof(hook))
			_exit(1);
		pause();
		_exit(0);
	}
	pid_t hook = -1;
	assert_int_equal(read(ready[0], &hook, sizeof(hook)), sizeof(hook));
	assert_int_equal(store_lock(&fixture->store, NULL), -EWOULDBLOCK);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	/* Between fork() and exec() the hook has the descriptor too: that may take a moment. */
	int result = -EWOULDBLOCK;
	for (int i = 0; i < 1000 && result == -EWOULDBLOCK; i++) {
		usleep(5000);
		result = store_lock(&fixture->store, NULL);
	}
	assert_int_equal(result, 0);
	kill(hook, SIGKILL);
	close(ready[0]);
	close(ready[1]);
}

static void test_a_planted_lock_is_not_followed(void **state)
{
	struct fixture *fixture = *state;
	fixture_put(fixture, "victim", "precious");
	CLEANUP(freep) char *victim = string_format("certificates/%s/victim", FIXTURE_NAME);
	assert_int_equal(symlinkat(victim, fixture->store.fd, "lock"), 0);
	assert_true(store_lock(&fixture->store, NULL) < 0);
	CLEANUP(freep) char *text = fixture_get(fixture, "victim");
	assert_string_equal(text, "precious");
	assert_int_equal(unlinkat(fixture->store.fd, "lock", 0), 0);
	assert_int_equal(mkfifoat(fixture->store.fd, "lock", 0600), 0);
	assert_int_equal(store_lock(&fixture->store, NULL), -EINVAL);
}

static void live_is(const struct fixture *fixture, const char *expected)
{
	char target[PATH_MAX];
	ssize_t length =
		readlinkat(fixture->store.fd, "live/" FIXTURE_NAME, target, sizeof(target) - 1);
	assert_true(length > 0);
	target[length] = '\0';
	assert_string_equal(target, expected);
}

static bool store_has(const struct fixture *fixture, const char *path)
{
	return faccessat(fixture->store.fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_whoever_gets_the_lock_removes_what_killed_passes_left(void **state)
{
	static const char *const left[] = {
		".settled.json.0123abcd.tmp",
		"live/." FIXTURE_NAME ".tmp",
		"snippets/nginx/." FIXTURE_NAME ".conf.0123abcd.tmp",
	};
	static const char *const kept[] = {
		"settled.json",
		"notes.tmp",
		"snippets/nginx/" FIXTURE_NAME ".conf",
		"certificates/.0123.tmp",
	};
	struct fixture *fixture = *state;
	int directory = fixture->store.fd;
	assert_int_equal(mkdirat(directory, "snippets/nginx", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		assert_int_equal(symlinkat("nowhere", directory, left[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_int_equal(symlinkat("nowhere", directory, kept[i]), 0);

	struct store other = {0};
	assert_int_equal(store_open(fixture->store.path, true, &other, NULL), 0);
	assert_int_equal(store_lock(&other, NULL), 0);
	assert_int_equal(store_lock(&fixture->store, NULL), -EWOULDBLOCK);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		assert_false(store_has(fixture, left[i]));
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		assert_true(store_has(fixture, kept[i]));

	/* Somebody else is writing: what looks left is theirs. */
	assert_int_equal(symlinkat("nowhere", directory, left[0]), 0);
	assert_int_equal(store_lock(&fixture->store, NULL), -EWOULDBLOCK);
	assert_true(store_has(fixture, left[0]));
	store_close(&other);
}

static void test_live_names_one_generation_and_is_left_alone_when_right(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(store_live_set(&fixture->store, FIXTURE_NAME, 7, NULL), 0);
	live_is(fixture, "../certificates/" FIXTURE_NAME "/0007");
	struct stat before;
	struct stat after;
	assert_int_equal(fstatat(fixture->store.fd, "live", &before, 0), 0);
	assert_int_equal(store_live_set(&fixture->store, FIXTURE_NAME, 7, NULL), 0);
	assert_int_equal(fstatat(fixture->store.fd, "live", &after, 0), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	assert_int_equal(store_live_set(&fixture->store, FIXTURE_NAME, 12345, NULL), 0);
	live_is(fixture, "../certificates/" FIXTURE_NAME "/12345");
}

static void test_live_replaces_a_planted_link_and_a_leftover(void **state)
{
	struct fixture *fixture = *state;
	fixture_put(fixture, "victim", "precious");
	CLEANUP(freep)
	char *victim = string_format("../certificates/%s/victim", FIXTURE_NAME);
	assert_int_equal(symlinkat(victim, fixture->store.fd, "live/" FIXTURE_NAME), 0);
	assert_int_equal(symlinkat("nowhere", fixture->store.fd, "live/." FIXTURE_NAME ".tmp"), 0);
	assert_int_equal(store_live_set(&fixture->store, FIXTURE_NAME, 1, NULL), 0);
	live_is(fixture, "../certificates/" FIXTURE_NAME "/0001");
	CLEANUP(freep) char *text = fixture_get(fixture, "victim");
	assert_string_equal(text, "precious");
	assert_int_equal(faccessat(fixture->store.fd, "live/." FIXTURE_NAME ".tmp", F_OK,
				   AT_SYMLINK_NOFOLLOW),
			 -1);
}

static void test_live_tells_of_a_directory_in_its_way(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(mkdirat(fixture->store.fd, "live/" FIXTURE_NAME, 0755), 0);
	assert_int_equal(store_live_set(&fixture->store, FIXTURE_NAME, 1, &fixture->error),
			 -EISDIR);
	assert_string_not_equal(fixture->error.remedy, "");
	assert_int_equal(faccessat(fixture->store.fd, "live/." FIXTURE_NAME ".tmp", F_OK,
				   AT_SYMLINK_NOFOLLOW),
			 -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_opening_makes_what_is_missing_with_the_right_modes),
		fixture_test(test_opening_without_create_makes_nothing),
		fixture_test(test_a_state_directory_may_be_a_link_but_nothing_below_it),
		fixture_test(test_names_cannot_leave_the_store),
		fixture_test(test_a_planted_link_is_not_opened_as_a_certificate),
		fixture_test(test_a_certificate_that_is_absent_is_not_made_unasked),
		fixture_test(test_list_has_directories_only_and_sorted),
		fixture_test(test_a_second_pass_is_told_who_holds_the_lock),
		fixture_test(test_a_lock_ends_with_its_process_and_no_child_keeps_it),
		fixture_test(test_a_planted_lock_is_not_followed),
		fixture_test(test_whoever_gets_the_lock_removes_what_killed_passes_left),
		fixture_test(test_live_names_one_generation_and_is_left_alone_when_right),
		fixture_test(test_live_replaces_a_planted_link_and_a_leftover),
		fixture_test(test_live_tells_of_a_directory_in_its_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
