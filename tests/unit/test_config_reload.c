/* target_reload.c and command.c: how a server takes up what was written for it. */
#include "config_text.h"

/* A target of the type, with these lines from line 3 on, gives exactly these problems. */
static void assert_target(const char *type, const char *lines, const char *problems)
{
	CLEANUP(freep) char *text = string_format("[target web]\ntype = %s\n%s\n", type, lines);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, problems);
	assert_int_equal(config->target_count, config_error_count(config) == 0);
}

static void assert_command(const char *lines, const char *joined)
{
	CLEANUP(freep)
	char *text = string_format("[target web]\ntype = nginx\nreload_command = %s\n", lines);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, "");
	const struct config_target *target = config_target_find(config, "web");
	assert_int_equal(target->reload, RELOAD_COMMAND);
	CLEANUP(freep) char *words = string_list_join(&target->reload_command, "|");
	assert_string_equal(words, joined);
}

static void test_a_command_is_its_words(void **state)
{
	(void)state;
	assert_command("/bin/true", "/bin/true");
	assert_command("/usr/bin/docker  kill\t--signal=HUP web",
		       "/usr/bin/docker|kill|--signal=HUP|web");
	assert_command("/usr/bin/docker\n  exec web\n  nginx -s reload ; a comment\n",
		       "/usr/bin/docker|exec|web|nginx|-s|reload");
	assert_command("\n  /bin/a\n  b", "/bin/a|b");
	assert_command("/bin/a $HOME * ~ a;b a&b 12 x>y", "/bin/a|$HOME|*|~|a;b|a&b|12|x>y");
}

static void test_double_quotes_hold_words_together(void **state)
{
	(void)state;
	assert_command("\"/opt/my server/ctl\" reload", "/opt/my server/ctl|reload");
	assert_command("/bin/a --name=\"b c\"d \"\" e", "/bin/a|--name=b cd||e");
	assert_command("/bin/a \"say \\\"x\\\" \\\\ y\" b\\c", "/bin/a|say \"x\" \\ y|b\\c");
	assert_command("/bin/a \"|\" \"# b\" \"$(x)\" \"'c\" \"d\\\\\"",
		       "/bin/a|||# b|$(x)|'c|d\\");
}

static void assert_wrong(const char *lines, unsigned line, const char *problem)
{
	CLEANUP(freep) char *text = string_format("reload_command = %s", lines);
	CLEANUP(freep)
	char *expected = string_format("/c/agent.ini:%u: reload_command: %s", line, problem);
	assert_target("nginx", text, expected);
}

static void test_a_program_has_an_absolute_path(void **state)
{
	(void)state;
	static const char problem[] = "the first word must be the absolute path of a program; "
				      "write something like /usr/bin/docker";
	assert_wrong("docker kill web", 3, problem);
	assert_wrong("\"\" /bin/a", 3, problem);
	assert_wrong("PASSWORD=hunter2 /bin/a", 3, problem);
	assert_wrong("\n  ./a", 4, problem);
}

static void test_what_only_a_shell_knows_is_refused(void **state)
{
	(void)state;
	static const char *const operators[] = {"|",	"||", "&&", "&",    ">",
						">>/x", "<",  "2>", "2>&1", ">/dev/null"};
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		CLEANUP(freep) char *command = string_format("/bin/a\n  b %s c", operators[i]);
		assert_wrong(command, 4,
			     "there is no shell that would know \"|\", \"&\", \"<\" and \">\"; "
			     "name a script that does it; put the word into double quotes if it is "
			     "meant as it stands");
	}
	static const char inner[] = "there is no shell that would run a command within the "
				    "command; name a script that does it; put the word into double "
				    "quotes if it is meant as it stands";
	assert_wrong("/bin/kill $(cat /run/a.pid)", 3, inner);
	assert_wrong("/bin/kill `cat /run/a.pid`", 3, inner);
	assert_wrong("/bin/a 'b c'", 3,
		     "single quotation marks do not hold words together; write double ones");
	assert_wrong("/bin/a \\\n  b", 3,
		     "a backslash at the end of a word means nothing; indented lines go on without "
		     "it; put words with blanks into double quotes");
	assert_wrong("/bin/a # b", 3,
		     "\"#\" does not start a comment behind a value; write \" ;\", or a line of "
		     "its own");
}

static void test_quotes_are_closed_on_their_line(void **state)
{
	(void)state;
	static const char problem[] = "a quotation mark is not closed on its line; close it; "
				      "behind a blank, \";\" starts a comment even in quotation "
				      "marks";
	assert_wrong("/bin/a \"b", 3, problem);
	assert_wrong("/bin/a\n  \"b\n  c\"", 4, problem);
	assert_wrong("/bin/a \"b ; c\"", 3, problem);
	static const char backslash[] = "a backslash in double quotes may stand before \" and \\ "
					"only; write \\\\ for a backslash";
	assert_wrong("/bin/a \"b\\n\"", 3, backslash);
	assert_wrong("/bin/a \"b\\", 3, backslash);
}

static void test_a_command_has_a_hundred_words_and_no_more(void **state)
{
	(void)state;
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	buffer_add_text(&text, "[target web]\ntype = nginx\nreload_command = /bin/a\n");
	for (int i = 0; i < 99; i++)
		buffer_add_format(&text, "  word%d\n", i);
	CLEANUP(config_freep) struct config *config = config_of(buffer_text(&text));
	assert_problems(config, "");
	assert_int_equal(config_target_find(config, "web")->reload_command.count, 100);

	buffer_add_text(&text, "  more\n");
	assert_text_problems(buffer_text(&text),
			     "/c/agent.ini:103: reload_command: more than 100 words; put the "
			     "command into a script");
	buffer_free(&text);
}

static void test_a_command_stands_alone(void **state)
{
	(void)state;
	assert_target("custom", "template = x\nreload_command = /bin/a", "");
	assert_target("tomcat", "group = 0\nreload_command = /bin/a\nreload = command", "");
	assert_target("nginx", "reload = restart\nreload_command = /bin/a",
		      "/c/agent.ini:3: \"reload = restart\" beside \"reload_command\" (line 4): "
		      "only one of them can be done; remove one of the two lines");
	assert_target("nginx", "reload_command = /bin/a\nreload = none",
		      "/c/agent.ini:4: \"reload = none\" beside \"reload_command\" (line 3): only "
		      "one of them can be done; remove one of the two lines");
	assert_target("nginx", "reload_command = /bin/a\nunit = x.service\nstart_stopped = yes",
		      "/c/agent.ini:4: \"unit\" has no effect beside \"reload_command\" (line 3); "
		      "remove one of the two lines\n"
		      "/c/agent.ini:5: \"start_stopped\" has no effect beside \"reload_command\" "
		      "(line 3); remove one of the two lines");
	assert_target("nginx", "reload = command",
		      "/c/agent.ini:3: \"reload = command\" needs \"reload_command\"; write the "
		      "program and its arguments, such as \"reload_command = /usr/bin/docker kill "
		      "--signal=HUP web\"");
	assert_target("custom", "template = x\nreload = command",
		      "/c/agent.ini:4: \"reload = command\" needs \"reload_command\"; write the "
		      "program and its arguments, such as \"reload_command = /usr/bin/docker kill "
		      "--signal=HUP web\"");
}

static void test_a_reload_is_waited_for_up_to_an_hour(void **state)
{
	(void)state;
	assert_target("nginx", "reload_timeout = 1s", "");
	assert_target("nginx", "reload_timeout = 0s",
		      "/c/agent.ini:3: reload_timeout = 0s: must be from 1 s to 1 h");
	assert_target("nginx", "reload_timeout = 61m",
		      "/c/agent.ini:3: reload_timeout = 61m: must be from 1 s to 1 h");
}

static void test_ssl_reload_asks_the_manager(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target tomcat]\ngroup = 0\nreload = ssl-reload\n"
					  "manager_credentials_file = /etc/manager\n"
					  "[target far]\ntype = tomcat\ngroup = 0\n"
					  "reload = ssl-reload\nunit = far.service\n"
					  "manager_url = https://far.example:8443/manager/\n"
					  "manager_credentials_file = /etc//far\n");
	assert_problems(config, "");
	const struct config_target *target = config_target_find(config, "tomcat");
	assert_int_equal(target->reload, RELOAD_SSL);
	assert_string_equal(target->manager_url, "http://127.0.0.1:8080/manager");
	assert_string_equal(target->manager_credentials_file, "/etc/manager");
	target = config_target_find(config, "far");
	assert_string_equal(target->manager_url, "https://far.example:8443/manager");
	assert_string_equal(target->manager_credentials_file, "/etc/far");
}

static void test_ssl_reload_needs_tomcat_and_credentials(void **state)
{
	(void)state;
	assert_target("tomcat", "group = 0\nreload = ssl-reload",
		      "/c/agent.ini:4: \"reload = ssl-reload\" needs "
		      "\"manager_credentials_file\"; write the path of a file that holds "
		      "USER:PASSWORD of a manager's user with the role manager-script");
	assert_target("apache", "reload = ssl-reload\nmanager_credentials_file = /x",
		      "/c/agent.ini:3: \"reload = ssl-reload\" is for Tomcat alone, and this is a "
		      "target of type apache; write \"reload = reload\"");
}

static void test_keys_of_the_manager_need_ssl_reload(void **state)
{
	(void)state;
	assert_target("tomcat",
		      "group = 0\nmanager_url = https://a.example/\n"
		      "manager_credentials_file = /x",
		      "/c/agent.ini:4: \"manager_url\" has no effect without \"reload = "
		      "ssl-reload\"; write \"reload = ssl-reload\", or remove the line\n"
		      "/c/agent.ini:5: \"manager_credentials_file\" has no effect without "
		      "\"reload = ssl-reload\"; write \"reload = ssl-reload\", or remove the line");
	assert_target("nginx", "manager_url = https://a.example/",
		      "/c/agent.ini:3: \"manager_url\" has no effect without \"reload = "
		      "ssl-reload\"; remove the line");
}

static void test_the_managers_password_stays_secret(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		const char *problem;
	} wrong[] = {
		{"manager_url = http://admin:hunter2@127.0.0.1:8080/manager",
		 "manager_url: credentials in the URL; user and password are read from "
		 "manager_credentials_file"},
		{"manager_url = http://10.0.0.1:8080/manager",
		 "manager_url = http://10.0.0.1:8080/manager: plain http would show the manager's "
		 "password to the network; it is for 127.0.0.0/8, [::1] and localhost alone; write "
		 "https://"},
		{"manager_url = https://a.example/manager?x=hunter2",
		 "manager_url: must have neither \"?\" nor \"#\""},
		{"manager_url = https://a.example/manager/text/",
		 "manager_url = https://a.example/manager/text/: a part of the manager, not the "
		 "manager itself; leave out \"/text\""},
		{"manager_credentials_file = admin:hunter2",
		 "manager_credentials_file: not an absolute path; write the path of a file that "
		 "holds USER:PASSWORD, never the password itself"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep)
		char *lines = string_format("group = 0\nreload = ssl-reload\n%s", wrong[i].line);
		CLEANUP(freep)
		char *expected = string_format("/c/agent.ini:5: %s", wrong[i].problem);
		assert_target("tomcat", lines, expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_command_is_its_words),
		cmocka_unit_test(test_double_quotes_hold_words_together),
		cmocka_unit_test(test_a_program_has_an_absolute_path),
		cmocka_unit_test(test_what_only_a_shell_knows_is_refused),
		cmocka_unit_test(test_quotes_are_closed_on_their_line),
		cmocka_unit_test(test_a_command_has_a_hundred_words_and_no_more),
		cmocka_unit_test(test_a_command_stands_alone),
		cmocka_unit_test(test_a_reload_is_waited_for_up_to_an_hour),
		cmocka_unit_test(test_ssl_reload_asks_the_manager),
		cmocka_unit_test(test_ssl_reload_needs_tomcat_and_credentials),
		cmocka_unit_test(test_keys_of_the_manager_need_ssl_reload),
		cmocka_unit_test(test_the_managers_password_stays_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
