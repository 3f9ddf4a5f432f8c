/* target_remote.c: the keys of targets that are not services of this host. */
#include "config_text.h"

#define CPANEL                                                                                     \
	"[target hosting]\ntype = cpanel\nurl = https://host.example.net:2083/\nuser = shop\n"     \
	"token_file = /t\n"
#define IIS "[target iis]\ndirectory = /mnt/c\npassword_file = /p\nprobe = 192.0.2.1:443\n"

static const struct config_target *target_of(const struct config *config, const char *name)
{
	const struct config_target *target = config_target_find(config, name);
	if (!target) {
		CLEANUP(freep) char *problems = config_problems(config);
		fail_msg("no target %s: %s", name, problems);
	}
	return target;
}

static void test_what_is_not_written_follows_from_the_type(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config =
		config_of("[agent]\nstate_dir = /s\n" CPANEL IIS
			  "[target aws-acm]\nregion = eu-central-1\nprobe = none\n");
	assert_problems(config, "");
	const struct config_target *hosting = target_of(config, "hosting");
	assert_int_equal(hosting->reload, RELOAD_DELIVER);
	assert_string_equal(hosting->remote.url, "https://host.example.net:2083");
	assert_string_equal(hosting->probe_host, "host.example.net");
	assert_int_equal(hosting->probe_port, 443);
	assert_int_equal(hosting->reload_timeout, 60);
	assert_string_equal(hosting->template_name, "remote");
	assert_false(hosting->remote.allow_ecdsa);
	const struct config_target *iis = target_of(config, "iis");
	assert_int_equal(iis->remote.delivery, IIS_CENTRAL_STORE);
	assert_int_equal(iis->remote.encryption, KEYSTORE_AES256);
	assert_int_equal(iis->access.mode, 0600);
	assert_string_equal(iis->template_name, "remote");
	assert_null(target_of(config, "aws-acm")->probe_host);
}

static void test_a_script_has_its_own_template(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of(IIS "delivery = script\nkeystore_encryption = 3des\n");
	assert_problems(config, "");
	const struct config_target *iis = target_of(config, "iis");
	assert_string_equal(iis->template_name, "iis");
	assert_int_equal(iis->remote.encryption, KEYSTORE_3DES);
}

static void test_keys_of_other_types_are_refused_where_they_stand(void **state)
{
	(void)state;
	assert_text_problems(
		CPANEL "region = x\nunit = nginx.service\n[target nginx]\ndomains = example.com\n",
		"/c/agent.ini:6: \"region\" has no effect on a target of type cpanel; remove the "
		"line\n"
		"/c/agent.ini:7: \"unit\" has no effect on a target of type cpanel; remove the "
		"line\n"
		"/c/agent.ini:9: \"domains\" has no effect on a target of type nginx; remove the "
		"line");
}

static void test_plain_http_is_no_cpanel_and_an_arn_is_one(void **state)
{
	(void)state;
	assert_text_problems(
		"[target h]\ntype = cpanel\nurl = http://127.0.0.1:2082\nuser = u\ntoken_file = "
		"/t\n",
		"/c/agent.ini:3: url: cPanel is asked over https only; write https://, and the "
		"port 2083");
	CLEANUP(config_freep)
	struct config *config = config_of("[target aws-acm]\nregion = eu-central-1\nprobe = none\n"
					  "certificate_arn = my-certificate\n");
	CLEANUP(freep) char *problems = config_problems(config);
	assert_non_null(strstr(problems, "/c/agent.ini:4: certificate_arn = my-certificate: not "
					 "the ARN of a certificate in ACM"));
}

static void test_ecdsa_for_cpanel_needs_somebody_who_insists(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of(
		CPANEL "[certificate a.example]\ntargets = hosting\n"
		       "[certificate b.example]\ntargets = hosting\nkey_type = rsa-2048\n");
	CLEANUP(freep) char *problems = config_problems(config);
	assert_non_null(strstr(problems, "/c/agent.ini:7: an ECDSA key for target \"hosting\""));
	assert_non_null(strstr(problems, "allow_ecdsa = yes"));
	assert_int_equal(config->certificate_count, 1);
	CLEANUP(config_freep)
	struct config *insists = config_of(CPANEL "allow_ecdsa = yes\n[certificate a.example]\n"
						  "targets = hosting\n");
	assert_problems(insists, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_not_written_follows_from_the_type),
		cmocka_unit_test(test_a_script_has_its_own_template),
		cmocka_unit_test(test_keys_of_other_types_are_refused_where_they_stand),
		cmocka_unit_test(test_plain_http_is_no_cpanel_and_an_arn_is_one),
		cmocka_unit_test(test_ecdsa_for_cpanel_needs_somebody_who_insists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
