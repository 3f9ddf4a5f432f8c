/* target.c and target_units.c: what the type of a server decides. */
#include "config_text.h"

#include <grp.h>

static const struct config_target *target_of(const struct config *config, const char *name)
{
	const struct config_target *target = config_target_find(config, name);
	if (!target) {
		CLEANUP(freep) char *problems = config_problems(config);
		fail_msg("no target %s: %s", name, problems);
	}
	return target;
}

static void test_a_target_named_after_its_type_needs_no_section(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum target_type type;
	} types[] = {
		{"apache", TARGET_APACHE}, {"haproxy", TARGET_HAPROXY}, {"nginx", TARGET_NGINX}};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		CLEANUP(freep)
		char *text = string_format("[agent]\nstate_dir = /s\n[certificate a.example]\n"
					   "targets = %s\n",
					   types[i].name);
		CLEANUP(config_freep) struct config *config = config_of(text);
		assert_problems(config, "");
		const struct config_target *target = target_of(config, types[i].name);
		CLEANUP(freep) char *directory = string_format("/s/snippets/%s", types[i].name);
		assert_int_equal(target->type, types[i].type);
		assert_int_equal(target->place.line, 4);
		assert_null(target->unit);
		assert_int_equal(target->reload, RELOAD_RELOAD);
		assert_int_equal(target->reload_timeout, 90);
		assert_string_equal(target->template_name, types[i].name);
		assert_string_equal(target->snippet_dir, directory);
		assert_string_equal(target->probe_host, "127.0.0.1");
		assert_int_equal(target->probe_port, 443);
		assert_int_equal(target->probe_timeout, 15);
		assert_int_equal(target->access.mode, 0644);
		assert_int_equal(target->access.group, (gid_t)-1);
	}
}

static void test_tomcat_starts_slowly_and_its_snippet_is_secret(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[agent]\nstate_dir = /s\n"
					  "[target java]\ntype = tomcat\ngroup = 12\n");
	assert_problems(config, "");
	const struct config_target *target = target_of(config, "java");
	assert_int_equal(target->type, TARGET_TOMCAT);
	assert_int_equal(target->reload, RELOAD_RESTART);
	assert_string_equal(target->template_name, "tomcat");
	assert_string_equal(target->snippet_dir, "/s/snippets/java");
	assert_string_equal(target->probe_host, "127.0.0.1");
	assert_int_equal(target->probe_port, 8443);
	assert_int_equal(target->probe_timeout, 60);
	assert_int_equal(target->access.mode, 0640);
	assert_int_equal(target->access.group, 12);
	assert_null(target->manager_url);
}

static void test_tomcats_group_is_taken_where_there_is_one(void **state)
{
	(void)state;
	const struct group *group = getgrnam("tomcat");
	gid_t expected = group ? group->gr_gid : (gid_t)-1;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate a.example]\ntargets = tomcat\n");
	assert_problems(config,
			group ? ""
			      : "(warning) /c/agent.ini:2: there is no group \"tomcat\" on this "
				"host: Tomcat may not be able to read the snippets of target "
				"\"tomcat\"; write \"group = ...\" in [target tomcat], with the "
				"group that Tomcat runs as");
	assert_int_equal(target_of(config, "tomcat")->access.group, expected);
	assert_int_equal(target_of(config, "tomcat")->access.mode, 0640);
}

static void test_an_owner_is_enough_for_tomcat(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target tomcat]\nowner = 7\nmode = 0400\n");
	assert_problems(config, "");
	assert_int_equal(target_of(config, "tomcat")->access.owner, 7);
	assert_int_equal(target_of(config, "tomcat")->access.mode, 0400);
}

static void test_nobody_else_may_read_what_tomcat_reads(void **state)
{
	(void)state;
	static const char *const modes[] = {"0644", "0641", "0642", "0777"};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		/* The type stands below the mode: the order of keys means nothing. */
		CLEANUP(freep)
		char *text = string_format("[target java]\ngroup = 12\nmode = %s\ntype = tomcat\n",
					   modes[i]);
		CLEANUP(freep)
		char *problem = string_format(
			"/c/agent.ini:3: mode = %s: anyone on this host could read the password of "
			"the keystore in it; write 0640 and the group that Tomcat runs as",
			modes[i]);
		assert_text_problems(text, problem);
	}
}

static void test_what_is_written_comes_before_what_the_type_says(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target java]\nprobe = [::1]:443\nprobe_timeout = 5s\n"
					  "reload = none\nreload_timeout = 1h\ntemplate = mine\n"
					  "group = 12\nmode = 0440\ntype = tom\n  cat\n");
	assert_problems(config, "");
	const struct config_target *target = target_of(config, "java");
	assert_int_equal(target->type, TARGET_TOMCAT);
	assert_string_equal(target->probe_host, "::1");
	assert_int_equal(target->probe_port, 443);
	assert_int_equal(target->probe_timeout, 5);
	assert_int_equal(target->reload, RELOAD_NONE);
	assert_int_equal(target->reload_timeout, 3600);
	assert_string_equal(target->template_name, "mine");
	assert_int_equal(target->access.mode, 0440);
}

static void test_a_name_of_another_type_does_not_decide(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target nginx]\ntype = apache\n");
	assert_problems(config, "");
	assert_int_equal(target_of(config, "nginx")->type, TARGET_APACHE);
	assert_string_equal(target_of(config, "nginx")->template_name, "apache");
}

static void test_types_that_are_none_are_refused(void **state)
{
	(void)state;
	assert_text_problems("[target web]\ntype = apache2\n[target x]\n",
			     "/c/agent.ini:2: type = apache2: must be one of: nginx, apache, "
			     "tomcat, haproxy, custom, cpanel, aws-acm, iis; did you mean "
			     "\"apache\"?\n"
			     "/c/agent.ini:3: [target x] has no type; write \"type = ...\", one of "
			     "nginx, apache, tomcat, haproxy, cpanel, aws-acm, iis and custom");
	assert_text_problems("[target nginx]\nconfig_test = yes\n",
			     "/c/agent.ini:2: config_test = yes: not a systemd service; "
			     "write \"yes.service\"");
}

static void test_any_server_is_a_template_and_a_unit_away(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target lighttpd]\ntype = custom\ntemplate = lighttpd\n"
					  "unit = lighttpd.service\n"
					  "[target custom]\ntemplate = /etc/x.mustache\n"
					  "reload = none\n"
					  "[certificate a.example]\ntargets = lighttpd, custom\n");
	assert_problems(config, "");
	const struct config_target *target = target_of(config, "lighttpd");
	assert_int_equal(target->type, TARGET_CUSTOM);
	assert_int_equal(target->reload, RELOAD_RELOAD);
	assert_int_equal(target->access.mode, 0644);
	assert_int_equal(target->probe_port, 443);
	assert_int_equal(target_of(config, "custom")->reload, RELOAD_NONE);
	assert_string_equal(target_of(config, "custom")->template_name, "/etc/x.mustache");
	assert_int_equal(certificate_of(config, "a.example")->target_count, 2);
}

static void test_a_custom_server_has_no_defaults_to_fall_back_on(void **state)
{
	(void)state;
	assert_text_problems(
		"[target web]\ntype = custom\n",
		"/c/agent.ini:1: [target web]: a target of type custom needs a template; write "
		"\"template = NAME\" for /c/templates/NAME.mustache\n"
		"/c/agent.ini:1: [target web]: it is not said how this server is reloaded; write "
		"\"unit = NAME.service\", \"reload_command = ...\" or \"reload = none\"");
	assert_text_problems(
		"[target custom]\ntemplate = x\nreload = restart\n",
		"/c/agent.ini:1: [target custom]: it is not said how this server is reloaded; "
		"write \"unit = NAME.service\", \"reload_command = ...\" or \"reload = none\"");
	assert_text_problems("[target web]\ntype = custom\nunit = web.service\n",
			     "/c/agent.ini:1: [target web]: a target of type custom needs a "
			     "template; write \"template = NAME\" for /c/templates/NAME.mustache");
}

static void test_one_unit_is_reloaded_in_one_way(void **state)
{
	(void)state;
	assert_text_problems(
		"[target a]\ntype = nginx\nunit = x.service\n"
		"[target b]\ntype = nginx\nunit = x.service\nreload = restart\n"
		"[target c]\ntype = nginx\nunit = y.service\nreload = restart\n"
		"[target d]\ntype = nginx\nunit = x.service\n",
		"(warning) /c/agent.ini:4: target \"b\" has \"reload = restart\", and target \"a\" "
		"of the same unit has \"reload = reload\"; write the same in both");
	/* The unit that the type finds; one of the targets has no section. */
	assert_text_problems(
		"[target mail]\ntype = nginx\nreload = restart\n"
		"[certificate a.example]\ntargets = nginx apache\n",
		"(warning) /c/agent.ini:5: target \"nginx\" has \"reload = reload\", and target "
		"\"mail\" of the same unit has \"reload = restart\"; write the same in both");
	/* Whoever has no method leaves it to another. */
	assert_text_problems("[target a]\ntype = nginx\n[target b]\ntype = nginx\nreload = none\n"
			     "[target c]\ntype = nginx\nreload_command = /bin/true\n",
			     "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_target_named_after_its_type_needs_no_section),
		cmocka_unit_test(test_tomcat_starts_slowly_and_its_snippet_is_secret),
		cmocka_unit_test(test_tomcats_group_is_taken_where_there_is_one),
		cmocka_unit_test(test_an_owner_is_enough_for_tomcat),
		cmocka_unit_test(test_nobody_else_may_read_what_tomcat_reads),
		cmocka_unit_test(test_what_is_written_comes_before_what_the_type_says),
		cmocka_unit_test(test_a_name_of_another_type_does_not_decide),
		cmocka_unit_test(test_types_that_are_none_are_refused),
		cmocka_unit_test(test_any_server_is_a_template_and_a_unit_away),
		cmocka_unit_test(test_a_custom_server_has_no_defaults_to_fall_back_on),
		cmocka_unit_test(test_one_unit_is_reloaded_in_one_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
