/* pass/named.c: every file that a failure may be about starts a pass when somebody changes it. */
#include "config_text.h"

#include "pass/named.h"

static const char everything[] = "[agent]\n"
				 "state_dir = /var/lib/agent\n"
				 "[api]\n"
				 "token_file = /n/api-token\n"
				 "ca_file = /n/api-ca\n"
				 "[target hosting]\n"
				 "type = cpanel\n"
				 "url = https://cpanel.example.net:2083\n"
				 "user = example\n"
				 "token_file = /n/cpanel-token\n"
				 "ca_file = /n/cpanel-ca\n"
				 "[target windows]\n"
				 "type = iis\n"
				 "directory = /n/iis\n"
				 "password_file = /n/iis-password\n"
				 "probe = 192.0.2.1:443\n"
				 "[target own]\n"
				 "type = custom\n"
				 "template = /n/template\n"
				 "reload_command = /n/reload now\n"
				 "probe = none\n"
				 "[certificate a.example]\n"
				 "targets = hosting windows own\n"
				 "key_type = rsa-2048\n"
				 "keystore_password_file = /n/keystore-password\n"
				 "formats = p12\n"
				 "[certificate b.example]\n"
				 "adopt = /n/adopt-cert /n/adopt-key\n"
				 "[certificate c.example]\n"
				 "private_key = /n/private-key\n"
				 "csr = /n/csr\n"
				 "[certificate d.example]\n"
				 "private_key = /var/lib/agent/own\n";

static void test_all_files_that_a_configuration_names_are_known(void **state)
{
	static const char *const expected[] = {
		"/n/api-token",	   "/n/api-ca",	   "/n/cpanel-token", "/n/cpanel-ca",
		"/n/iis-password", "/n/template",  "/n/reload",	      "/n/keystore-password",
		"/n/adopt-cert",   "/n/adopt-key", "/n/private-key",  "/n/csr",
	};
	(void)state;
	CLEANUP(config_freep) struct config *config = config_of(everything);
	CLEANUP(string_list_free) struct string_list files = {0};
	CLEANUP(string_list_free) struct string_list wanted = {0};
	assert_problems(config, "");
	assert_false(named_files(config, &files));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		string_list_add(&wanted, expected[i]);
		if (!string_list_has(&files, expected[i]))
			fail_msg("%s is not watched", expected[i]);
	}
	CLEANUP(freep) char *all = string_list_join(&files, " ");
	if (!string_list_same_set(&files, &wanted))
		fail_msg("not these alone: %s", all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_files_that_a_configuration_names_are_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
