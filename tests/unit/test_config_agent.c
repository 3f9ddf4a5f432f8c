/* agent.c: [agent], as the supervisor reads it. This file calls nothing but config_agent_load(), so
 * what it links is what the supervisor links. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/paths.h"
#include "config/model.h"

static char directory[] = "/tmp/origin-ca-test-XXXXXX";
static char path[sizeof(directory) + 16];

static int set_up(void **state)
{
	(void)state;
	memset(directory + strlen(directory) - 6, 'X', 6); /* mkdtemp() wrote them */
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/agent.ini", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove(path);
	return remove(directory);
}

static void write_main(const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void load(const char *text, struct config_agent *ret_agent)
{
	struct error error = {0};
	write_main(text);
	if (config_agent_load(path, ret_agent, &error) < 0)
		fail_msg("%s; %s", error.message, error.remedy);
}

/* Fails with "DIRECTORY/agent.ini:MESSAGE" and the remedy. */
static void assert_fails(const char *text, const char *message, const char *remedy)
{
	struct config_agent agent = {0};
	struct error error = {0};
	write_main(text);
	assert_true(config_agent_load(path, &agent, &error) < 0);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_memory_equal(error.message, path, strlen(path));
	assert_string_equal(error.message + strlen(path) + 1, message);
	assert_string_equal(error.remedy, remedy);
	assert_null(agent.state_dir);
}

static void test_nothing_written_gives_the_defaults(void **state)
{
	(void)state;
	struct config_agent agent;
	load("", &agent);
	assert_string_equal(agent.state_dir, path_state_dir);
	assert_memory_equal(agent.conf_dir, directory, strlen(directory));
	assert_string_equal(agent.conf_dir + strlen(directory), "/conf.d");
	assert_int_equal(agent.renew_before.percent, 33);
	assert_int_equal(agent.renew_before.seconds, 0);
	assert_int_equal(agent.splay, -1);
	assert_int_equal(agent.concurrency, 8);
	assert_int_equal(agent.keep_generations, 3);
	assert_int_equal(agent.pass_timeout, 1800);
	assert_int_equal(agent.event_hook.count, 0);
	assert_null(agent.metrics_file);
	config_agent_free(&agent);
}

static void test_every_key_is_read(void **state)
{
	(void)state;
	struct config_agent agent;
	load("[certificate a.example]\nhostnames = of no interest here\n"
	     "[agent]\nstate_dir = /srv//state/\nconf_dir = /etc/sites\nrenew_before = 30d\n"
	     "splay = 0s\nconcurrency = 64\nkeep_generations = 1\npass_timeout = 24h\n"
	     "event_hook = /bin/notify \"two words\"\nmetrics_file = /srv/m.prom\n",
	     &agent);
	assert_string_equal(agent.state_dir, "/srv/state");
	assert_string_equal(agent.conf_dir, "/etc/sites");
	assert_int_equal(agent.renew_before.seconds, 30 * 86400);
	assert_int_equal(agent.renew_before.percent, 0);
	assert_int_equal(agent.splay, 0);
	assert_int_equal(agent.concurrency, 64);
	assert_int_equal(agent.keep_generations, 1);
	assert_int_equal(agent.pass_timeout, 86400);
	assert_int_equal(agent.event_hook.count, 2);
	assert_string_equal(agent.event_hook.items[0], "/bin/notify");
	assert_string_equal(agent.event_hook.items[1], "two words");
	assert_string_equal(agent.metrics_file, "/srv/m.prom");
	config_agent_free(&agent);
}

static void test_wrong_values_are_errors_with_file_and_line(void **state)
{
	(void)state;
	assert_fails("\n[agent]\nconcurrency = 0\n",
		     "3: concurrency = 0: must be a whole number from 1 to 64", "");
	assert_fails("[agent]\nconcurrency = 99999999999999999999\n",
		     "2: concurrency = 99999999999999999999: must be a whole number from 1 to 64",
		     "");
	assert_fails("[agent]\nkeep_generations = 101\n",
		     "2: keep_generations = 101: must be a whole number from 1 to 100", "");
	assert_fails("[agent]\nstate_dir = state\n", "2: state_dir = state: not an absolute path",
		     "start it with \"/\"");
	assert_fails("[agent]\nrenew_befor = 30d\n", "2: unknown key \"renew_befor\" in [agent]",
		     "did you mean \"renew_before\"?");
	assert_fails("[agent]\nmetrics_file = m.prom\n",
		     "2: metrics_file = m.prom: not an absolute path", "start it with \"/\"");
}

static void test_another_state_directory_than_was_meant_is_never_used(void **state)
{
	(void)state;
	assert_fails("state_dir = /srv\n", "1: text before the first section header",
		     "start with a line such as \"[certificate example.com]\"");
	assert_fails("[agnet]\nstate_dir = /srv\n", "1: this section may be meant as [agent]",
		     "[agent] must stand in the file once, and right");
	assert_fails("[global]\nstate_dir = /srv\n", "1: this section may be meant as [agent]",
		     "[agent] must stand in the file once, and right");
	assert_fails("[agent\nstate_dir = /srv\n", "1: the section header has no \"]\"",
		     "write \"[certificate NAME]\" on a line of its own");
	assert_fails("[agent main]\nstate_dir = /srv\n", "1: [agent] takes no name",
		     "[agent] must stand in the file once, and right");
	assert_fails("[agent]\n[api]\n[agent]\nstate_dir = /srv\n",
		     "3: a second [agent] (the first: line 1)", "make them one");
	assert_fails("[agent]\n  concurrency = 1\n  state_dir = /srv\n",
		     "3: an indented line continues the value of \"concurrency\", but this looks "
		     "like a key of its own",
		     "start the line in the first column");
	/* Wrong sections of other kinds are not the supervisor's business. */
	struct config_agent agent;
	load("[api]\nrubbish\n[target\n[agent]\nstate_dir = /srv\n", &agent);
	assert_string_equal(agent.state_dir, "/srv");
	config_agent_free(&agent);
}

static void test_a_file_that_is_not_there_says_what_to_do(void **state)
{
	(void)state;
	struct config_agent agent;
	struct error error = {0};
	assert_int_equal(config_agent_load(path, &agent, &error), -ENOENT);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_string_equal(error.remedy, "write it, or name another file by --config");
	assert_int_equal(config_agent_load(directory, &agent, &error), -EISDIR);
}

static void test_a_relative_path_counts_from_the_working_directory(void **state)
{
	(void)state;
	write_main("[agent]\n");
	char before[4096];
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(directory), 0);
	struct config_agent agent;
	struct error error = {0};
	int result = config_agent_load("agent.ini", &agent, &error);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(result, 0);
	assert_int_equal(agent.conf_dir[0], '/');
	assert_non_null(strstr(agent.conf_dir, strrchr(directory, '/')));
	config_agent_free(&agent);
}

static int note_library(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	static const char *const large[] = {"libidn2", "libcrypto", "libssl", "libcurl",
					    "libunistring"};
	for (size_t i = 0; i < ARRAY_SIZE(large); i++)
		if (strstr(info->dlpi_name, large[i]))
			*(const char **)found = large[i];
	return 0;
}

static void test_the_supervisor_loads_no_large_library_for_it(void **state)
{
	(void)state;
	const char *found = NULL;
	dl_iterate_phdr(note_library, &found);
	if (found)
		fail_msg("%s was loaded", found);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_written_gives_the_defaults),
		TEST(test_every_key_is_read),
		TEST(test_wrong_values_are_errors_with_file_and_line),
		TEST(test_another_state_directory_than_was_meant_is_never_used),
		TEST(test_a_file_that_is_not_there_says_what_to_do),
		TEST(test_a_relative_path_counts_from_the_working_directory),
		TEST(test_the_supervisor_loads_no_large_library_for_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
