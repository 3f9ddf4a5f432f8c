/* target.c and target_probe.c: what is the same for all kinds of web servers. */
#include "config_text.h"

static void test_every_key_of_a_target_is_read(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target web]\n"
					  "type = nginx\n"
					  "unit = nginx@shop.service\n"
					  "reload = restart\n"
					  "template = shop.mustache\n"
					  "snippet_dir = /etc/nginx//origin-ca/./shop/\n"
					  "probe = web.internal:8443\n"
					  "probe_timeout = 1m\n"
					  "start_stopped = yes\n"
					  "owner = 0\n"
					  "group = root\n"
					  "mode = 0600\n"
					  "[certificate a.example]\ntargets = web\n");
	assert_problems(config, "");
	const struct config_target *target = config_target_find(config, "web");
	assert_int_equal(target->type, TARGET_NGINX);
	assert_string_equal(target->unit, "nginx@shop.service");
	assert_int_equal(target->reload, RELOAD_RESTART);
	assert_string_equal(target->template_name, "shop");
	assert_string_equal(target->snippet_dir, "/etc/nginx/origin-ca/shop");
	assert_string_equal(target->probe_host, "web.internal");
	assert_int_equal(target->probe_port, 8443);
	assert_int_equal(target->probe_timeout, 60);
	assert_true(target->start_stopped);
	assert_int_equal(target->access.owner, 0);
	assert_int_equal(target->access.group, 0);
	assert_int_equal(target->access.mode, 0600);
	assert_ptr_equal(certificate_of(config, "a.example")->targets[0], target);
}

static void test_an_empty_target_has_the_defaults(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[agent]\nstate_dir = /s\n[target nginx]\n");
	assert_problems(config, "");
	const struct config_target *target = config_target_find(config, "nginx");
	assert_int_equal(target->place.line, 3);
	assert_null(target->unit);
	assert_int_equal(target->reload, RELOAD_RELOAD);
	assert_string_equal(target->template_name, "nginx");
	assert_string_equal(target->snippet_dir, "/s/snippets/nginx");
	assert_string_equal(target->probe_host, "127.0.0.1");
	assert_int_equal(target->probe_port, 443);
	assert_int_equal(target->probe_timeout, 15);
	assert_false(target->start_stopped);
	assert_int_equal(target->access.owner, (uid_t)-1);
	assert_int_equal(target->access.group, (gid_t)-1);
	assert_int_equal(target->access.mode, 0644);
}

static void assert_line(const char *section, const char *line, const char *problem)
{
	CLEANUP(freep) char *text = string_format("[%s]\n%s\n", section, line);
	CLEANUP(freep) char *expected = string_format("/c/agent.ini:2: %s", problem);
	assert_text_problems(text, expected);
}

static void test_probes_are_an_address_and_a_port(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config =
		config_of("[target nginx]\nprobe = none\n"
			  "[target six]\ntype = nginx\nprobe = [2001:db8::1]:443\n");
	assert_problems(config, "");
	assert_null(config_target_find(config, "nginx")->probe_host);
	assert_string_equal(config_target_find(config, "six")->probe_host, "2001:db8::1");

	static const char *const wrong[] = {
		"127.0.0.1", "::1:443",	    "2001:db8::1",     "[2001:db8::1]",
		":443",	     "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:https",
		"[x]:443",   "a b:443",	    "[]:443",	       "[:443"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep) char *line = string_format("probe = %s", wrong[i]);
		CLEANUP(freep)
		char *problem = string_format("%s: not an address and a port; write 127.0.0.1:443, "
					      "[::1]:443, or none for no probe",
					      line);
		assert_line("target nginx", line, problem);
	}
}

static void test_wrong_values_of_a_target_say_what_is_right(void **state)
{
	(void)state;
	assert_line("target nginx", "unit = nginx",
		    "unit = nginx: not a systemd service; write \"nginx.service\"");
	assert_line("target nginx", "unit = nginx.socket",
		    "unit = nginx.socket: not a systemd service");
	assert_line("target nginx", "unit = nginx@.service",
		    "unit = nginx@.service: a template, which cannot be reloaded; name one of its "
		    "instances");
	assert_line("target nginx", "unit = ../x.service",
		    "unit = ../x.service: not the name of a systemd unit");
	assert_line("target nginx", "reload = relaod",
		    "reload = relaod: must be one of: reload, restart, ssl-reload, command, "
		    "none; did you mean "
		    "\"reload\"?");
	assert_line("target nginx", "template = ../x",
		    "template = ../x: neither the name of a template nor an absolute path; write "
		    "the file's name without \".mustache\"");
	assert_line("target nginx", "mode = 0666",
		    "mode = 0666: anyone could change the server's configuration");
	assert_line("target nginx", "start_stopped = maybe",
		    "start_stopped = maybe: must be yes or no");
	assert_line("target nginx", "probe_timeout = 0s",
		    "probe_timeout = 0s: must be from 1 s to 1 h");
	assert_line("target nginx", "probe_timeout = 15",
		    "probe_timeout = 15: not a duration; write a whole number and s, m, h or d, "
		    "such as 30m");
	assert_line("target nginx", "snippet_dir = nginx",
		    "snippet_dir = nginx: not an absolute path; start it with \"/\"");
	assert_line("target nginx", "snippet_dir = /etc/nginx/../../etc",
		    "snippet_dir = /etc/nginx/../../etc: \"..\" in a path may lead elsewhere than "
		    "it seems; write the path without it");
}

static void test_the_agents_own_directories_are_no_snippet_dirs(void **state)
{
	(void)state;
	static const char *const wrong[] = {"/s", "/s/certificates", "/s/live/a", "/s/snippets",
					    "/s/snippetsx"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep)
		char *text = string_format("[agent]\nstate_dir = /s\n[target nginx]\n"
					   "snippet_dir = %s\n",
					   wrong[i]);
		CLEANUP(freep)
		char *problem = string_format("/c/agent.ini:4: snippet_dir = %s: the agent keeps "
					      "its own files there; choose a directory below "
					      "/s/snippets, or outside of /s",
					      wrong[i]);
		assert_text_problems(text, problem);
	}
	assert_text_problems("[agent]\nstate_dir = /s\n[target nginx]\nsnippet_dir = /s2\n", "");
}

static void test_two_targets_of_one_certificate_never_write_one_file(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target one]\ntype = nginx\nsnippet_dir = /n\n"
					  "[target two]\ntype = nginx\nsnippet_dir = /n/\n"
					  "[certificate a.example]\ntargets = one\n  two\n"
					  "[certificate b.example]\ntargets = one\n"
					  "[certificate c.example]\ntargets = two two\n");
	assert_problems(config,
			"/c/agent.ini:9: targets \"one\" and \"two\" would both write the "
			"snippet of this certificate in /n; give one of them another snippet_dir\n"
			"(warning) /c/agent.ini:13: target \"two\" is named twice");
	assert_int_equal(config->certificate_count, 2);
	assert_int_equal(certificate_of(config, "c.example")->target_count, 1);
	assert_int_equal(config_error_count(config), 1);
}

static void test_a_certificate_of_a_wrong_target_says_which(void **state)
{
	(void)state;
	assert_text_problems("[target web]\ntype = nginx\nmode = 7777\n"
			     "[certificate a.example]\ntargets = web\n"
			     "[certificate b.example]\ntargets = ngnix\n"
			     "[certificate c.example]\ntargets = nginx\n  mail\n"
			     "[certificate d.example]\ntargets = custom\n",
			     "/c/agent.ini:3: mode = 7777: must be at most 0777\n"
			     "/c/agent.ini:5: target \"web\" is wrong itself, at /c/agent.ini:1\n"
			     "/c/agent.ini:7: there is no target \"ngnix\"; did you mean "
			     "\"nginx\"?\n"
			     "/c/agent.ini:10: there is no target \"mail\"; write a section "
			     "[target NAME] for it\n"
			     "/c/agent.ini:12: target \"custom\" needs a section of its own; "
			     "write [target custom] with \"template\" and one of \"unit\", "
			     "\"reload_command\" and \"reload = none\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_of_a_target_is_read),
		cmocka_unit_test(test_an_empty_target_has_the_defaults),
		cmocka_unit_test(test_probes_are_an_address_and_a_port),
		cmocka_unit_test(test_wrong_values_of_a_target_say_what_is_right),
		cmocka_unit_test(test_the_agents_own_directories_are_no_snippet_dirs),
		cmocka_unit_test(test_two_targets_of_one_certificate_never_write_one_file),
		cmocka_unit_test(test_a_certificate_of_a_wrong_target_says_which),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
