/* drop_in.c, sections.c and model.c: many files, and what one bad one may not do. */
#include "config_text.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/origin-ca-test-XXXXXX";
static int directory_fd = -1;

static void file_put(const char *name, const char *text)
{
	CLEANUP(freep) char *path = string_format("%s/%s", directory, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(directory + strlen(directory) - 6, 'X', 6); /* mkdtemp() wrote them */
	assert_non_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory_fd >= 0);
	assert_int_equal(mkdirat(directory_fd, "conf.d", 0755), 0);
	file_put("agent.ini", "");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	struct error error = {0};
	close(directory_fd);
	int parent = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = file_remove_at(parent, "/tmp", strrchr(directory, '/') + 1, &error);
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

/* As assert_problems(); each "@" in `expected` stands for the directory. */
static void assert_problems_here(const struct config *config, const char *expected)
{
	struct buffer text = BUFFER(1 << 20);
	for (; *expected; expected++)
		if (*expected == '@')
			buffer_add_text(&text, directory);
		else
			buffer_add(&text, expected, 1);
	assert_problems(config, buffer_text(&text));
	buffer_free(&text);
}

static void test_drop_ins_are_read_in_the_order_of_their_names(void **state)
{
	(void)state;
	file_put("agent.ini", "[certificate main.example]\n");
	file_put("conf.d/20-b.ini", "[certificate b.example]\n");
	file_put("conf.d/10-a.ini", "[certificate a.example]\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(config, "");
	assert_int_equal(config->files.count, 3);
	assert_true(string_ends(config->files.items[0], "/agent.ini"));
	assert_true(string_ends(config->files.items[1], "/conf.d/10-a.ini"));
	assert_true(string_ends(config->files.items[2], "/conf.d/20-b.ini"));
	assert_int_equal(config->certificate_count, 3);
	assert_string_equal(config->certificates[0]->name, "a.example");
	assert_string_equal(config->certificates[2]->name, "main.example");
	assert_true(string_ends(config->template_dir, "/templates"));
	assert_null(config_certificate_find(config, "c.example"));
}

static void test_leftovers_are_not_read_and_forgotten_names_are_said(void **state)
{
	(void)state;
	static const char *const leftovers[] = {
		"a.ini~", ".a.ini", "a.ini.dpkg-new", "a.ini.rpmsave",	".a.ini.swp", "a.swp",
		"a.tmp",  "README", "a.rpmnew.ini",   "a.dpkg-old.ini", "README.txt"};
	for (size_t i = 0; i < ARRAY_SIZE(leftovers); i++) {
		CLEANUP(freep) char *name = string_format("conf.d/%s", leftovers[i]);
		file_put(name, "[certificate never.example]\n");
	}
	assert_int_equal(mkdirat(directory_fd, "conf.d/old", 0755), 0);
	file_put("conf.d/shop.conf", "[certificate never.example]\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_int_equal(config->certificate_count, 0);
	assert_int_equal(config->files.count, 1);
	assert_problems_here(config,
			     "(warning) @/conf.d: shop.conf is not read, as its name does not end "
			     "in \".ini\"; rename it, or move it elsewhere");
	assert_int_equal(config_error_count(config), 0);
}

static void test_one_bad_file_never_stops_the_others(void **state)
{
	(void)state;
	file_put("conf.d/1.ini", "[certificate a.example]\n");
	file_put("conf.d/2.ini",
		 "[certificate b.example]\nkey_type = best\n[certficate c.example]\n");
	assert_int_equal(mkdirat(directory_fd, "conf.d/3.ini", 0755), 0);
	assert_int_equal(symlinkat("nowhere", directory_fd, "conf.d/4.ini"), 0);
	assert_int_equal(symlinkat("../real", directory_fd, "conf.d/5.ini"), 0);
	file_put("real", "[certificate d.example]\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(
		config, "@/conf.d/2.ini:2: key_type = best: must be one of: ecdsa-p256, "
			"ecdsa-p384, rsa-2048, rsa-3072, rsa-4096\n"
			"@/conf.d/2.ini:3: unknown section [certficate c.example]; did you mean "
			"[certificate c.example]?\n"
			"@/conf.d/3.ini: cannot read @/conf.d/3.ini: Is a directory\n"
			"@/conf.d/4.ini: cannot read @/conf.d/4.ini: No such file or directory");
	assert_int_equal(config->certificate_count, 2);
	certificate_of(config, "d.example");
	assert_list(&config->broken_certificates, "b.example c.example");
	assert_true(config->incomplete);
	assert_int_equal(config->files.count, 6);
}

static void test_a_file_that_may_not_be_read_is_its_own_problem(void **state)
{
	(void)state;
	file_put("conf.d/1.ini", "[certificate a.example]\n");
	file_put("conf.d/2.ini", "[certificate b.example]\n");
	assert_int_equal(fchmodat(directory_fd, "conf.d/1.ini", 0, 0), 0);
	/* Root would read it all the same. */
	bool root = geteuid() == 0;
	assert_int_equal(fchmodat(directory_fd, ".", 0755, 0), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	CLEANUP(config_freep) struct config *config = load();
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_problems_here(config,
			     "@/conf.d/1.ini: cannot read @/conf.d/1.ini: Permission denied; the "
			     "user that the agent runs as must be able to read it");
	certificate_of(config, "b.example");
	assert_true(config->incomplete);
}

static void test_a_file_over_the_limit_is_not_read_by_half(void **state)
{
	(void)state;
	CLEANUP(freep) char *text = memory_alloc(CONFIG_FILE_LIMIT + 2, 1);
	memset(text, '\n', CONFIG_FILE_LIMIT + 1);
	static const char header[] = "[certificate a.example]\n";
	memcpy(text, header, sizeof(header) - 1);
	file_put("conf.d/1.ini", text);
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(config, "@/conf.d/1.ini: cannot read @/conf.d/1.ini: larger than "
				     "1048576 bytes");
	assert_int_equal(config->certificate_count, 0);
}

static void test_the_first_of_two_sections_alike_stays(void **state)
{
	(void)state;
	file_put("agent.ini", "[certificate a.example]\nkey_type = rsa-2048\n[api]\n");
	file_put("conf.d/1.ini", "\n[certificate a.example]\n[target nginx]\nprobe = none\n");
	file_put("conf.d/2.ini", "[api]\n[target nginx]\n[certificate A.example]\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(
		config,
		"@/conf.d/1.ini:2: a second [certificate a.example], which is not used; the first "
		"is at @/agent.ini:1; remove one of them\n"
		"@/conf.d/2.ini:1: a second [api], which is not used; the first is at "
		"@/agent.ini:3; remove one of them\n"
		"@/conf.d/2.ini:2: a second [target nginx], which is not used; the first is at "
		"@/conf.d/1.ini:3; remove one of them");
	assert_int_equal(certificate_of(config, "a.example")->key_type, KEY_RSA_2048);
	/* Names that differ by case are two names. */
	certificate_of(config, "A.example");
	assert_int_equal(config->broken_certificates.count, 0);
	assert_null(config_target_find(config, "nginx")->probe_host);
}

static void test_agent_belongs_to_the_main_file(void **state)
{
	(void)state;
	file_put("conf.d/1.ini", "[agent]\nstate_dir = /elsewhere\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(config,
			     "@/conf.d/1.ini:1: [agent] in a drop-in file; move it to @/agent.ini");
	assert_string_not_equal(config->agent.state_dir, "/elsewhere");
}

static void test_sections_need_right_names(void **state)
{
	(void)state;
	file_put("agent.ini", "[certificate *.example.com]\n[certificate .a]\n[target]\n"
			      "[api -x]\n[website shop]\n[certificate a b]\n");
	CLEANUP(config_freep) struct config *config = load();
#define NAME_RULE "a name is 1 to 40 of A-Z a-z 0-9 . _ - and starts with neither \".\" nor \"-\""
	assert_problems_here(
		config, "@/agent.ini:1: [certificate *.example.com]: " NAME_RULE
			"; write \"[certificate example.com]\", which covers the wildcard too\n"
			"@/agent.ini:2: [certificate .a]: " NAME_RULE
			"; choose another name and write \"hostnames = .a\"\n"
			"@/agent.ini:3: [target] needs a name; write \"[target NAME]\"\n"
			"@/agent.ini:4: [api -x]: " NAME_RULE "\n"
			"@/agent.ini:5: unknown section [website shop]; there are [agent], [api], "
			"[api NAME], [target NAME] and [certificate NAME]\n"
			"@/agent.ini:6: [certificate a b]: " NAME_RULE
			"; choose another name and write \"hostnames = a b\"");
}

static void test_an_absent_conf_dir_is_fine_unless_it_is_written(void **state)
{
	(void)state;
	assert_int_equal(unlinkat(directory_fd, "conf.d", AT_REMOVEDIR), 0);
	CLEANUP(config_freep) struct config *silent = load();
	assert_problems_here(silent, "");
	assert_false(silent->incomplete);

	file_put("agent.ini", "[agent]\n\nconf_dir = sites\n[certificate a.example]\n");
	CLEANUP(config_freep) struct config *written = load();
	assert_problems_here(written,
			     "@/agent.ini:3: cannot read the directory @/sites: No such file or "
			     "directory; make the directory, or remove the line");
	certificate_of(written, "a.example");
	assert_true(written->incomplete);
}

static void test_conf_dir_may_be_relative_and_a_symbolic_link(void **state)
{
	(void)state;
	assert_int_equal(symlinkat("conf.d", directory_fd, "sites"), 0);
	file_put("agent.ini", "[agent]\nconf_dir = ./sites/\n");
	file_put("conf.d/1.ini", "[certificate a.example]\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(config, "");
	assert_true(string_ends(config->agent.conf_dir, "/sites"));
	certificate_of(config, "a.example");
}

static void test_files_that_anyone_may_change_are_said(void **state)
{
	(void)state;
	file_put("conf.d/1.ini", "[certificate a.example]\n");
	assert_int_equal(fchmodat(directory_fd, "conf.d/1.ini", 0666, 0), 0);
	assert_int_equal(fchmodat(directory_fd, "agent.ini", 0602, 0), 0);
	assert_int_equal(fchmodat(directory_fd, "conf.d", 01777, 0), 0);
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(
		config,
		"(warning) @/agent.ini: anyone on this host may change it; chmod o-w @/agent.ini\n"
		"(warning) @/conf.d: anyone on this host may change it; chmod o-w @/conf.d\n"
		"(warning) @/conf.d/1.ini: anyone on this host may change it; chmod o-w "
		"@/conf.d/1.ini");
	certificate_of(config, "a.example");
}

static void test_a_file_name_cannot_forge_a_line_of_the_log(void **state)
{
	(void)state;
	file_put("conf.d/a\nb.ini", "x\n");
	CLEANUP(config_freep) struct config *config = load();
	assert_problems_here(config, "@/conf.d/a?b.ini:1: text before the first section header; "
				     "start with a line such as \"[certificate example.com]\"");
}

static void test_ten_thousand_sections_alike_do_not_take_their_square(void **state)
{
	(void)state;
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	for (int i = 0; i < 30000; i++)
		buffer_add_text(&text, "[certificate a.example]\n");
	buffer_add_text(&text, "[certificate b.example]\n");
	file_put("agent.ini", text.data);
	buffer_free(&text);
	CLEANUP(config_freep) struct config *config = load();
	assert_int_equal(config->certificate_count, 2);
	assert_int_equal(config->problem_count, 101);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_drop_ins_are_read_in_the_order_of_their_names),
		TEST(test_leftovers_are_not_read_and_forgotten_names_are_said),
		TEST(test_one_bad_file_never_stops_the_others),
		TEST(test_a_file_that_may_not_be_read_is_its_own_problem),
		TEST(test_a_file_over_the_limit_is_not_read_by_half),
		TEST(test_the_first_of_two_sections_alike_stays),
		TEST(test_agent_belongs_to_the_main_file),
		TEST(test_sections_need_right_names),
		TEST(test_an_absent_conf_dir_is_fine_unless_it_is_written),
		TEST(test_conf_dir_may_be_relative_and_a_symbolic_link),
		TEST(test_files_that_anyone_may_change_are_said),
		TEST(test_a_file_name_cannot_forge_a_line_of_the_log),
		TEST(test_ten_thousand_sections_alike_do_not_take_their_square),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
