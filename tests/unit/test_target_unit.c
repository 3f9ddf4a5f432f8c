/* What unit.h does where there is no systemd to talk to; tests/system/test_unit.py has one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/clock.h"
#include "target/unit.h"

static char directory[] = "/tmp/test-target-unit.XXXXXX";
static char socket_path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/bus", directory);
	CLEANUP(freep) char *address = string_format("unix:path=%s", socket_path);
	return setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
}

static int remove_directory(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int listen_here(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void test_no_system_bus_is_a_matter_of_configuration(void **state)
{
	struct unit_bus *bus = NULL;
	struct error error = {0};

	(void)state;
	assert_int_equal(unit_open(&bus, &error), -ENOENT);
	assert_null(bus);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, "system bus"));
	assert_non_null(strstr(error.remedy, "reload = none"));
}

static void test_bus_socket_without_a_daemon_is_a_local_error(void **state)
{
	struct unit_bus *bus = NULL;
	struct error error = {0};

	(void)state;
	close(listen_here());
	assert_int_equal(unit_open(&bus, &error), -ECONNREFUSED);
	assert_int_equal(error.class, ERROR_LOCAL);
	assert_non_null(strstr(error.message, "Connection refused"));
	unlink(socket_path);
}

static void *accept_and_close(void *argument)
{
	int fd = accept4(*(int *)argument, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void test_bus_that_hangs_up_is_an_error_not_a_hang(void **state)
{
	struct unit_bus *bus = NULL;
	struct error error = {0};
	pthread_t thread;

	(void)state;
	int fd = listen_here();
	assert_int_equal(pthread_create(&thread, NULL, accept_and_close, &fd), 0);
	assert_true(unit_open(&bus, &error) < 0);
	assert_int_equal(error.class, ERROR_LOCAL);
	assert_null(bus);
	pthread_join(thread, NULL);
	close(fd);
	unlink(socket_path);
}

/* The kernel accepts for it; it never reads. sd-bus itself would wait for 90 s. */
static void test_bus_that_says_nothing_is_given_up(void **state)
{
	struct unit_bus *bus = NULL;
	struct error error = {0};

	(void)state;
	int fd = listen_here();
	int64_t began = clock_monotonic_ms();
	assert_int_equal(unit_open(&bus, &error), -ETIMEDOUT);
	assert_true(clock_monotonic_ms() - began < 60000);
	assert_int_equal(error.class, ERROR_LOCAL);
	close(fd);
	unlink(socket_path);
}

static void test_journal_of_an_unknown_unit_is_empty(void **state)
{
	struct string_list lines = {0};

	(void)state;
	assert_int_equal(unit_journal("no-such-unit-anywhere.service", 0, 7, 10, &lines, NULL), 0);
	assert_int_equal(lines.count, 0);
	assert_int_equal(unit_journal("", 0, 7, 10, &lines, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_system_bus_is_a_matter_of_configuration),
		cmocka_unit_test(test_bus_socket_without_a_daemon_is_a_local_error),
		cmocka_unit_test(test_bus_that_hangs_up_is_an_error_not_a_hang),
		cmocka_unit_test(test_bus_that_says_nothing_is_given_up),
		cmocka_unit_test(test_journal_of_an_unknown_unit_is_empty),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
