/* Which changes below a directory are told, and that none is missed when the way to it changes. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "supervisor/watch.h"

struct fixture {
	char directory[64];
	sd_event *event;
	struct watch *watch;
	unsigned changes;
};

static void changed(void *context)
{
	struct fixture *fixture = context;
	fixture->changes++;
}

static int setup(void **state)
{
	struct fixture *fixture = memory_alloc(1, sizeof(*fixture));
	strcpy(fixture->directory, "/tmp/origin-ca-watch-XXXXXX");
	if (!mkdtemp(fixture->directory) || chdir(fixture->directory) < 0 ||
	    sd_event_new(&fixture->event) < 0 ||
	    watch_new(fixture->event, changed, fixture, &fixture->watch, NULL) < 0)
		return -1;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *remove = string_format("rm -rf %s", fixture->directory);
	watch_free(fixture->watch);
	sd_event_unref(fixture->event);
	/* NOLINTNEXTLINE(cert-env33-c): our own words */
	int result = chdir("/") < 0 || system(remove) != 0;
	free(fixture);
	return result;
}

static void run(const char *command)
{
	/* NOLINTNEXTLINE(cert-env33-c): as an administrator's shell does it */
	assert_int_equal(system(command), 0);
}

/* Watches agent.ini, conf.d/ and token of the fixture's directory, where they are or may come. */
static void watch_all(struct fixture *fixture)
{
	CLEANUP(freep) char *file = string_format("%s/agent.ini", fixture->directory);
	CLEANUP(freep) char *directory = string_format("%s/conf.d", fixture->directory);
	CLEANUP(freep) char *token = string_format("%s/token", fixture->directory);
	struct watch_point points[] = {{file, NULL}, {directory, ".ini"}, {token, NULL}};
	assert_int_equal(watch_set(fixture->watch, points, ARRAY_SIZE(points), NULL), 0);
}

/* How many changes were told since the last call. */
static unsigned told(struct fixture *fixture)
{
	while (sd_event_run(fixture->event, 0) > 0)
		;
	unsigned changes = fixture->changes;
	fixture->changes = 0;
	return changes;
}

static void expect(struct fixture *fixture, const char *command, bool counts)
{
	run(command);
	unsigned changes = told(fixture);
	if ((changes > 0) != counts)
		fail_msg("%s: %u changes told", command, changes);
}

static void test_only_finished_files_with_the_right_names_count(void **state)
{
	struct fixture *fixture = *state;
	run("mkdir conf.d; touch agent.ini");
	watch_all(fixture);

	expect(fixture, "echo a > conf.d/shop.ini", true);
	expect(fixture, "cat conf.d/shop.ini agent.ini > /dev/null; ls conf.d > /dev/null", false);
	expect(fixture, "sed -i s/a/b/ conf.d/shop.ini", true);
	expect(fixture, "chmod 600 conf.d/shop.ini", true);
	expect(fixture, "echo a > conf.d/shop.ini~; echo a > conf.d/.shop.ini.swp", false);
	expect(fixture, "echo a > conf.d/.#shop.ini; echo a > conf.d/README", false);
	expect(fixture, "echo a > conf.d/shop.ini.dpkg-new; echo a > conf.d/x.rpmsave.ini", false);
	expect(fixture, "mv conf.d/shop.ini.dpkg-new conf.d/blog.ini", true);
	expect(fixture, "rm conf.d/blog.ini", true);
	expect(fixture, "rm conf.d/README", false);
	expect(fixture, "ln -s /dev/null conf.d/link.ini", true);
	expect(fixture, "ln conf.d/shop.ini conf.d/hard.ini", true);
	expect(fixture, "echo a > agent.ini.new", false);
	expect(fixture, "mv agent.ini.new agent.ini", true);
	expect(fixture, "echo a > token", true);
	expect(fixture, "echo a > tokens", false);
}

static void test_file_that_is_being_written_does_not_count_before_it_is_closed(void **state)
{
	struct fixture *fixture = *state;
	run("mkdir conf.d");
	watch_all(fixture);

	int file = open("conf.d/slow.ini", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, "[certifi", 8), 8);
	assert_int_equal(fchmod(file, 0644), 0);
	assert_int_equal(told(fixture), 0);
	assert_int_equal(write(file, "cate shop]", 10), 10);
	assert_int_equal(told(fixture), 0);
	close(file);
	assert_true(told(fixture) > 0);
	expect(fixture, "chmod 640 conf.d/slow.ini", true);
}

static void test_directories_that_come_go_and_come_again(void **state)
{
	struct fixture *fixture = *state;
	watch_all(fixture);
	expect(fixture, "mkdir conf.d", true);
	watch_all(fixture);
	expect(fixture, "echo a > conf.d/shop.ini", true);
	expect(fixture, "mv conf.d old; mkdir conf.d", true);
	watch_all(fixture);
	expect(fixture, "echo a > old/shop.ini", false);
	expect(fixture, "echo a > conf.d/shop.ini", true);
	expect(fixture, "rm -r conf.d", true);
	watch_all(fixture);
	expect(fixture, "mkdir conf.d; echo a > conf.d/shop.ini", true);
	watch_all(fixture);
	expect(fixture, "chmod 700 conf.d", true);
}

static void test_parent_that_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(freep) char *path = string_format("%s/a/b/conf.d", fixture->directory);
	struct watch_point point = {path, ".ini"};
	run("mkdir -p a/b/conf.d");
	assert_int_equal(watch_set(fixture->watch, &point, 1, NULL), 0);
	expect(fixture, "touch a/x a/b/x", false);
	expect(fixture, "mv a away", true);
	assert_int_equal(watch_set(fixture->watch, &point, 1, NULL), 0);
	expect(fixture, "mkdir a", true);
	assert_int_equal(watch_set(fixture->watch, &point, 1, NULL), 0);
	expect(fixture, "mkdir -p a/b/conf.d", true);
	assert_int_equal(watch_set(fixture->watch, &point, 1, NULL), 0);
	expect(fixture, "echo a > a/b/conf.d/shop.ini", true);
}

static void test_links_are_followed_and_seen_to_turn(void **state)
{
	struct fixture *fixture = *state;
	/* As Kubernetes projects a ConfigMap: conf.d/shop.ini -> ..data/shop.ini, ..data -> ..1 */
	run("mkdir -p conf.d/..1 conf.d/..2 one two; echo a > conf.d/..1/shop.ini; "
	    "echo b > conf.d/..2/shop.ini; ln -s ..1 conf.d/..data; "
	    "ln -s ..data/shop.ini conf.d/shop.ini; ln -s one/agent.ini agent.ini; "
	    "ln -s \"$PWD/two/secret\" token");
	watch_all(fixture);
	expect(fixture, "ln -s ..2 conf.d/..tmp", false);
	expect(fixture, "mv -T conf.d/..tmp conf.d/..data", true);
	watch_all(fixture);
	expect(fixture, "echo c > conf.d/..2/shop.ini", true);
	expect(fixture, "echo c > conf.d/..1/shop.ini", false);
	expect(fixture, "echo c > one/agent.ini", true);
	expect(fixture, "echo c > two/secret", true);
	expect(fixture, "echo c > two/else", false);

	run("mkdir other; mv conf.d real; ln -s real conf.d");
	told(fixture);
	watch_all(fixture);
	expect(fixture, "echo d > real/new.ini", true);
	expect(fixture, "ln -sfn other conf.d", true);
	watch_all(fixture);
	expect(fixture, "echo d > other/new.ini", true);
	expect(fixture, "echo d > real/new.ini", false);
}

static void test_links_that_go_round_or_nowhere_do_no_harm(void **state)
{
	struct fixture *fixture = *state;
	run("ln -s conf.d agent.ini; ln -s agent.ini conf.d; ln -s nowhere/at/all token");
	watch_all(fixture);
	expect(fixture, "mkdir nowhere", true);
	expect(fixture, "rm conf.d; mkdir conf.d", true);
	watch_all(fixture);
	expect(fixture, "echo a > conf.d/shop.ini", true);
}

static void test_what_is_no_longer_asked_for_is_not_watched(void **state)
{
	struct fixture *fixture = *state;
	run("mkdir conf.d");
	watch_all(fixture);
	CLEANUP(string_list_free) struct string_list before = {0};
	watch_list(fixture->watch, &before);
	CLEANUP(freep) char *file = string_format("%s/agent.ini", fixture->directory);
	struct watch_point point = {file, NULL};
	assert_int_equal(watch_set(fixture->watch, &point, 1, NULL), 0);
	CLEANUP(string_list_free) struct string_list after = {0};
	watch_list(fixture->watch, &after);
	assert_true(before.count == after.count + 1);
	expect(fixture, "echo a > conf.d/shop.ini; echo a > token", false);
	expect(fixture, "echo a > agent.ini", true);
}

static void test_queue_that_overflows_is_one_change(void **state)
{
	struct fixture *fixture = *state;
	run("mkdir conf.d");
	watch_all(fixture);
	FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
	int most = 0;
	assert_true(limit && fscanf(limit, "%d", &most) == 1);
	fclose(limit);
	/* Names that do not count fill the queue; two in turn, because equal events are merged. */
	for (int i = 0; i <= most / 4 + 1; i++)
		for (int j = 0; j < 2; j++) {
			int file = open(j ? "conf.d/a" : "conf.d/b", O_WRONLY | O_CREAT | O_CLOEXEC,
					0600);
			close(file);
			unlink(j ? "conf.d/a" : "conf.d/b");
		}
	assert_int_equal(told(fixture), 1);
	expect(fixture, "echo a > conf.d/shop.ini", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(test_only_finished_files_with_the_right_names_count),
		TEST(test_file_that_is_being_written_does_not_count_before_it_is_closed),
		TEST(test_directories_that_come_go_and_come_again),
		TEST(test_parent_that_is_replaced),
		TEST(test_links_are_followed_and_seen_to_turn),
		TEST(test_links_that_go_round_or_nowhere_do_no_harm),
		TEST(test_what_is_no_longer_asked_for_is_not_watched),
		TEST(test_queue_that_overflows_is_one_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
