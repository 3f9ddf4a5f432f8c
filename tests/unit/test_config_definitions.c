/* sources.c: what counts of a file that has turned bad, and for how long. */
#include "config_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static char directory[] = "/tmp/origin-ca-test-XXXXXX";

static void file_put(const char *name, const char *text)
{
	CLEANUP(freep) char *path = string_format("%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static void file_remove(const char *name)
{
	CLEANUP(freep) char *path = string_format("%s/%s", directory, name);
	assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(directory + strlen(directory) - 6, 'X', 6); /* mkdtemp() wrote them */
	assert_non_null(mkdtemp(directory));
	CLEANUP(freep) char *drop_ins = string_format("%s/conf.d", directory);
	CLEANUP(freep) char *state_dir = string_format("%s/state", directory);
	CLEANUP(freep) char *main_file = string_format("[agent]\nstate_dir = %s\n", state_dir);
	assert_int_equal(mkdir(drop_ins, 0755), 0);
	assert_int_equal(mkdir(state_dir, 0711), 0);
	file_put("agent.ini", main_file);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_fix(-1);
	int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = file_remove_at(parent, "/tmp", strrchr(directory, '/') + 1, NULL);
	close(parent);
	return result;
}

static struct config *load(void)
{
	CLEANUP(freep) char *path = string_format("%s/agent.ini", directory);
	struct config *config = NULL;
	struct error error = {0};
	if (config_load(path, &config, &error) < 0)
		fail_msg("%s; %s", error.message, error.remedy);
	return config;
}

/* As a pass does: loads, and writes down what is good. */
static struct config *pass(void)
{
	struct config *config = load();
	struct error error = {0};
	int fd = open(config->agent.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (config_keep(config, fd, &error) < 0)
		fail_msg("%s", error.message);
	close(fd);
	return config;
}

static void passes(void)
{
	config_free(pass());
}

static void assert_hostname(const struct config *config, const char *name, const char *hostname)
{
	const struct config_certificate *certificate = config_certificate_find(config, name);
	if (!certificate)
		fail_msg("there is no [certificate %s]", name);
	assert_string_equal(certificate->hostnames.items[0], hostname);
}

static bool says(const struct config *config, const char *words)
{
	for (size_t i = 0; i < config->problem_count; i++) {
		CLEANUP(freep) char *text = config_problem_text(&config->problems[i]);
		if (strstr(text, words))
			return true;
	}
	return false;
}

static void test_bad_file_keeps_its_last_good_definition(void **state)
{
	(void)state;
	clock_fix(1750000000);
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = one.example.com\n");
	passes();
	clock_fix(1760000000);
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = two.example.com\nvaliditi = 7d\n");
	for (int i = 0; i < 2; i++) { /* again, as after a restart: it was not overwritten */
		CLEANUP(config_freep) struct config *config = pass();
		assert_hostname(config, "a", "one.example.com");
		assert_int_equal(config_error_count(config), 1);
		assert_true(says(config, "a.ini:3: unknown key \"validiti\""));
		assert_true(says(config, "its last good definition, of 2025-06-15T15:06:40Z, is in "
					 "force"));
		assert_int_equal(config->broken_certificates.count, 0);
	}
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = two.example.com\n");
	CLEANUP(config_freep) struct config *config = pass();
	assert_hostname(config, "a", "two.example.com");
	assert_problems(config, "");
}

static void test_every_way_to_turn_bad(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"[certificate a\n",
		"garbage\n",
		"[certificate a]\nhostnames = not a name\n",
		"[certifcate a]\n",
		"[certificate a]\ntargets = nowhere\n",
		"[certificate a]\n\x01\n",
		"[certificate a]\n[certificate a]\n",
	};
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = one.example.com\n");
	passes();
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		file_put("conf.d/a.ini", texts[i]);
		CLEANUP(config_freep) struct config *config = pass();
		assert_hostname(config, "a", "one.example.com");
		assert_true(config_error_count(config) > 0);
	}
	file_remove("conf.d/a.ini");
	CLEANUP(freep) char *link = string_format("%s/conf.d/a.ini", directory);
	assert_int_equal(symlink("/nowhere/at/all", link), 0);
	CLEANUP(config_freep) struct config *config = pass();
	assert_hostname(config, "a", "one.example.com");
}

static void test_new_section_of_a_bad_file_counts_and_a_changed_one_waits(void **state)
{
	(void)state;
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = one.example.com\n"
				 "[certificate b]\nhostnames = b1.example.com\n");
	passes();
	file_put("conf.d/a.ini", "[certificate a]\nhostnames =\n"
				 "[certificate b]\nhostnames = b2.example.com\n"
				 "[certificate new]\nhostnames = new.example.com\n");
	CLEANUP(config_freep) struct config *config = pass();
	assert_hostname(config, "a", "one.example.com");
	assert_hostname(config, "b", "b1.example.com");
	assert_hostname(config, "new", "new.example.com");
}

static void test_removed_file_takes_its_definition_with_it(void **state)
{
	(void)state;
	file_put("conf.d/a.ini", "[certificate a]\n");
	passes();
	file_remove("conf.d/a.ini");
	passes();
	file_put("conf.d/a.ini", "[certificate a]\nvaliditi = 7d\n");
	CLEANUP(config_freep) struct config *config = pass();
	assert_null(config_certificate_find(config, "a"));
	assert_true(string_list_has(&config->broken_certificates, "a"));
}

static void test_what_was_moved_to_another_file_counts_there(void **state)
{
	(void)state;
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = one.example.com\n");
	passes();
	file_put("conf.d/a.ini", "broken\n");
	file_put("conf.d/z.ini", "[certificate a]\nhostnames = two.example.com\n");
	{
		CLEANUP(config_freep) struct config *config = pass();
		assert_hostname(config, "a", "two.example.com");
		assert_false(says(config, "a second"));
	}
	/* Wrong there, too: the only good one that there is. */
	file_put("conf.d/z.ini", "[certificate a]\nhostnames = two.example.com\nvaliditi = 7d\n");
	file_remove("conf.d/a.ini");
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = one.example.com\n");
	file_remove("conf.d/z.ini");
	passes();
	file_put("conf.d/z.ini", "[certificate a]\nhostnames = two.example.com\nvaliditi = 7d\n");
	file_put("conf.d/a.ini", "broken\n");
	CLEANUP(config_freep) struct config *config = pass();
	assert_hostname(config, "a", "one.example.com");
}

static void test_target_that_turns_bad_costs_no_other_file_anything(void **state)
{
	(void)state;
	file_put("conf.d/target.ini", "[target web]\ntype = nginx\nprobe_timeout = 20s\n");
	file_put("conf.d/a.ini", "[certificate a]\ntargets = web\nhostnames = one.example.com\n");
	passes();
	file_put("conf.d/target.ini", "[target web]\ntype = ngnix\nprobe_timeout = 30s\n");
	file_put("conf.d/a.ini", "[certificate a]\ntargets = web\nhostnames = two.example.com\n");
	CLEANUP(config_freep) struct config *config = pass();
	assert_int_equal(config_target_find(config, "web")->probe_timeout, 20);
	/* This file is right, and counts as it is. */
	assert_hostname(config, "a", "two.example.com");
	assert_int_equal(config_error_count(config), 1);
}

static void test_directory_that_cannot_be_read_hides_nothing(void **state)
{
	(void)state;
	CLEANUP(freep)
	char *main_file = string_format("[agent]\nstate_dir = %s/state\nconf_dir = %s/conf.d\n",
					directory, directory);
	file_put("agent.ini", main_file);
	file_put("conf.d/a.ini", "[certificate a]\nhostnames = one.example.com\n");
	passes();
	CLEANUP(freep) char *here = string_format("%s/conf.d", directory);
	CLEANUP(freep) char *there = string_format("%s/gone", directory);
	assert_int_equal(rename(here, there), 0);
	for (int i = 0; i < 2; i++) {
		CLEANUP(config_freep) struct config *config = pass();
		assert_hostname(config, "a", "one.example.com");
		assert_true(says(config, "cannot read the directory"));
	}
}

static void test_sections_of_the_main_file_are_kept_as_well(void **state)
{
	(void)state;
	CLEANUP(freep)
	char *good = string_format("[agent]\nstate_dir = %s/state\nconcurrency = 2\n"
				   "[certificate a]\n"
				   "hostnames = one.example.com\n",
				   directory);
	CLEANUP(freep)
	char *bad = string_format("[agent]\nstate_dir = %s/state\nconcurrency = 3\n"
				  "[certificate a]\nvaliditi = 7d\n",
				  directory);
	file_put("agent.ini", good);
	passes();
	file_put("agent.ini", bad);
	CLEANUP(config_freep) struct config *config = pass();
	assert_hostname(config, "a", "one.example.com");
	assert_int_equal(config->agent.concurrency, 3);
}

/* In every way in which it can be wrong, as long as it says where the state directory is. */
static void test_agent_section_that_turns_bad_is_kept(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"[agent]\nstate_dir = %s/state\nrenew_befor = 9d\n",
		"[agent]\nconcurrency = many\nstate_dir = %s/state\n[certificate new]\n",
		"[agent]\nstate_dir = %s/state\n[agent]\nsplay = 1h\n",
		"[agnet]\nstate_dir = %s/state\n",
		"state_dir = %s/state\n",
	};
	CLEANUP(freep)
	char *good = string_format("[agent]\nstate_dir = %s/state\nconcurrency = 2\n"
				   "[certificate a]\nhostnames = one.example.com\n",
				   directory);
	file_put("agent.ini", good);
	file_put("conf.d/b.ini", "[certificate b]\n");
	passes();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		CLEANUP(freep) char *text = string_format(bad[i], directory);
#pragma GCC diagnostic pop
		file_put("agent.ini", text);
		file_put("conf.d/b.ini", "[certificate b]\nhostnames = two.example.com\n");
		CLEANUP(config_freep) struct config *config = pass();
		assert_int_equal(config->agent.concurrency, 2);
		assert_hostname(config, "a", "one.example.com");
		assert_hostname(config, "b", "two.example.com");
		assert_true(config_error_count(config) > 0);
		assert_true(says(config, "agent.ini:"));
		assert_true(says(config, "is in force"));

		CLEANUP(freep) char *path = string_format("%s/agent.ini", directory);
		struct config_agent agent = {0};
		assert_int_equal(config_agent_load(path, &agent, NULL), 0);
		assert_int_equal(agent.concurrency, 2);
		config_agent_free(&agent);
	}
	file_put("agent.ini", good);
	CLEANUP(config_freep) struct config *config = pass();
	assert_problems(config, "");
}

/* Another state directory would have every certificate issued anew. */
static void test_agent_section_is_kept_by_its_own_state_directory_only(void **state)
{
	(void)state;
	CLEANUP(freep) char *path = string_format("%s/agent.ini", directory);
	CLEANUP(freep)
	char *bad = string_format("[agent]\nstate_dir = %s/other\nsply = 1h\n", directory);
	CLEANUP(freep) char *here = string_format("%s/state", directory);
	CLEANUP(freep) char *there = string_format("%s/other", directory);
	struct config *config = NULL;
	struct error error = {0};
	passes();
	assert_int_equal(rename(here, there), 0);
	file_put("agent.ini", bad);
	assert_int_equal(config_load(path, &config, &error), -EINVAL);
	assert_string_equal(error.remedy, "did you mean \"splay\"?");
	assert_non_null(strstr(error.message, "agent.ini:3: unknown key \"sply\""));
	file_remove("agent.ini");
	assert_int_equal(config_load(path, &config, &error), -ENOENT);
}

static void test_definitions_of_a_newer_version_are_left_alone(void **state)
{
	(void)state;
	static const char newer[] = "{\"version\":2,\"files\":[]}";
	file_put("state/definitions.json", newer);
	file_put("conf.d/a.ini", "broken\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_true(says(config, "newer version"));
	int fd = open(config->agent.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error error = {0};
	assert_int_equal(config_keep(config, fd, &error), -EPROTO);
	CLEANUP(buffer_free) struct buffer text = BUFFER(4096);
	assert_int_equal(file_read_at(fd, "", "definitions.json", &text, NULL), 0);
	assert_string_equal(buffer_text(&text), newer);
	close(fd);
}

static void test_definitions_are_written_once_and_for_nobody_else(void **state)
{
	(void)state;
	file_put("conf.d/a.ini", "[certificate a]\n");
	passes();
	CLEANUP(freep) char *path = string_format("%s/state/definitions.json", directory);
	struct stat before;
	struct stat after;
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0600);
	passes();
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_bad_file_keeps_its_last_good_definition),
		TEST(test_every_way_to_turn_bad),
		TEST(test_new_section_of_a_bad_file_counts_and_a_changed_one_waits),
		TEST(test_removed_file_takes_its_definition_with_it),
		TEST(test_what_was_moved_to_another_file_counts_there),
		TEST(test_target_that_turns_bad_costs_no_other_file_anything),
		TEST(test_directory_that_cannot_be_read_hides_nothing),
		TEST(test_sections_of_the_main_file_are_kept_as_well),
		TEST(test_agent_section_that_turns_bad_is_kept),
		TEST(test_agent_section_is_kept_by_its_own_state_directory_only),
		TEST(test_definitions_of_a_newer_version_are_left_alone),
		TEST(test_definitions_are_written_once_and_for_nobody_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
