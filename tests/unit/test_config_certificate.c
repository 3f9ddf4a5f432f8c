/* certificate.c and hostnames.c: what [certificate NAME] may say. */
#include "config_text.h"

static void test_two_lines_are_a_whole_host(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate Example.com]\ntargets = nginx\n");
	assert_problems(config, "");
	const struct config_certificate *certificate = certificate_of(config, "Example.com");
	assert_list(&certificate->hostnames, "example.com *.example.com");
	assert_list(&certificate->hostnames_unicode, "Example.com *.Example.com");
	assert_int_equal(certificate->key_type, KEY_ECDSA_P256);
	assert_int_equal(certificate->validity_days, 90);
	assert_int_equal(certificate->renew_before.percent, 33);
	assert_int_equal(certificate->renew_before.seconds, 0);
	assert_int_equal(certificate->access.mode, 0600);
	assert_int_equal(certificate->access.owner, (uid_t)-1);
	assert_null(certificate->zone_id);
	assert_string_equal(certificate->api->name, "");

	assert_int_equal(certificate->target_count, 1);
	const struct config_target *target = certificate->targets[0];
	assert_string_equal(target->name, "nginx");
	assert_int_equal(target->place.line, 2);
	assert_ptr_equal(target, config_target_find(config, "nginx"));
}

static void test_every_built_key_is_read(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[api other]\n"
					  "[certificate shop]\n"
					  "hostnames = münchen.example\n"
					  "api = other\n"
					  "zone_id = 023E105F4ecef8ad9ca31a8372d0c353\n"
					  "key_type = rsa-4096\n"
					  "validity = 5475d\n"
					  "renew_before = 12h\n"
					  "owner = root\n"
					  "group = 4294967294\n"
					  "mode = 640\n"
					  "formats = pem\n"
					  "chain = none\n"
					  "reuse_key = no\n"
					  "authenticated_origin_pulls = off\n"
					  "revoke_superseded = never\n"
					  "ssl_mode = unmanaged\n");
	assert_problems(config, "");
	const struct config_certificate *certificate = certificate_of(config, "shop");
	assert_list(&certificate->hostnames, "xn--mnchen-3ya.example");
	assert_list(&certificate->hostnames_unicode, "münchen.example");
	assert_string_equal(certificate->api->name, "other");
	assert_string_equal(certificate->zone_id, "023e105f4ecef8ad9ca31a8372d0c353");
	assert_int_equal(certificate->key_type, KEY_RSA_4096);
	assert_int_equal(certificate->validity_days, 5475);
	assert_int_equal(certificate->renew_before.seconds, 12 * 3600);
	assert_int_equal(certificate->access.owner, 0);
	assert_int_equal(certificate->access.group, 4294967294U);
	assert_int_equal(certificate->access.mode, 0640);
}

/* One line in a certificate gives one problem. */
static void assert_line(const char *line, const char *problem)
{
	CLEANUP(freep)
	char *text =
		string_format("[certificate a.example]\n%s\n[certificate good.example]\n", line);
	CLEANUP(freep) char *expected = string_format("/c/agent.ini:2: %s", problem);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, expected);
	assert_int_equal(config->certificate_count, 1);
	assert_list(&config->broken_certificates, "a.example");
}

static void test_wrong_values_say_what_is_right(void **state)
{
	(void)state;
	assert_line("validity = 31d",
		    "validity = 31d: not a validity that Cloudflare offers; write 7d, 30d, 90d, "
		    "365d, 730d, 1095d or 5475d");
	assert_line("validity = 90", "validity = 90: not a validity that Cloudflare offers; write "
				     "7d, 30d, 90d, 365d, 730d, 1095d or 5475d");
	assert_line("key_type = ecdsa-p265",
		    "key_type = ecdsa-p265: must be one of: ecdsa-p256, ecdsa-p384, rsa-2048, "
		    "rsa-3072, rsa-4096; did you mean \"ecdsa-p256\"?");
	assert_line("zone_id = 12ab", "zone_id = 12ab: a zone ID is 32 hexadecimal digits; copy it "
				      "from the zone's overview in the dashboard");
	assert_line("mode = 0644", "mode = 0644: anyone on this host could use the private key; "
				   "write 0600, or 0640 and a group");
	assert_line("mode = 01600",
		    "mode = 01600: must be at most 0777; write 0600, or 0640 and a group");
	assert_line("mode = 0040",
		    "mode = 0040: the owner must be able to read it; write 0600, or 0640 and a "
		    "group");
	assert_line("mode = 0o600",
		    "mode = 0o600: not an octal mode; write 0600, or 0640 and a group");
	assert_line("owner = nobody-of-this-name",
		    "owner = nobody-of-this-name: there is no such user on this host; create it "
		    "first, or write another name or a number");
	assert_line("group = 4294967295",
		    "group = 4294967295: there is no such group on this host; "
		    "create it first, or write another name or a number");
	assert_line("hostname = b.example", "unknown key \"hostname\" in [certificate a.example]; "
					    "did you mean \"hostnames\"?");
}

static void test_renewal_must_leave_the_certificate_some_life(void **state)
{
	(void)state;
	assert_line("renew_before = 90d",
		    "renew_before is 90 days, not shorter than the validity of 90 days; write a "
		    "shorter renew_before in this section, such as 33%");
	assert_line("renew_before = 100%", "renew_before = 100%: a share must be from 1% to 99%");
	assert_line("renew_before = 0%", "renew_before = 0%: a share must be from 1% to 99%");
	assert_line("renew_before = 0s",
		    "renew_before = 0s: must be more than 0 and less than 5475d");
	assert_line("renew_before = soon",
		    "renew_before = soon: neither a duration nor a share of the lifetime; write "
		    "something like 30d, 12h or 33%");
	assert_text_problems("[agent]\nrenew_before = 30d\n"
			     "[certificate a.example]\nvalidity = 30d\n"
			     "[certificate b.example]\nvalidity = 30d\nrenew_before = 99%\n",
			     "/c/agent.ini:3: renew_before of [agent] is 30 days, not shorter than "
			     "the validity of 30 days; write a shorter renew_before in this "
			     "section, such as 33%");
}

static void test_what_is_done_at_cloudflare_besides(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate a.example]\n"
					  "targets = nginx\n"
					  "revoke_superseded = 7d\n"
					  "ssl_mode = strict-hostnames\n"
					  "adopt = /srv/a.pem /srv/a.key\n"
					  "[certificate b.example]\n"
					  "targets = nginx\n"
					  "ssl_mode = strict\n"
					  "adopt = never\n");
	const struct config_certificate *a = config_certificate_find(config, "a.example");
	const struct config_certificate *b = config_certificate_find(config, "b.example");
	assert_int_equal(config->problem_count, 0);
	assert_int_equal(a->revoke_superseded, 7 * 86400);
	assert_int_equal(a->ssl_mode, SSL_STRICT_HOSTNAMES);
	assert_int_equal(a->adopt, ADOPT_FILES);
	assert_string_equal(a->adopt_certificate, "/srv/a.pem");
	assert_string_equal(a->adopt_key, "/srv/a.key");
	assert_int_equal(b->revoke_superseded, -1);
	assert_int_equal(b->ssl_mode, SSL_STRICT);
	assert_int_equal(b->adopt, ADOPT_NEVER);

	assert_line("ssl_mode = full", "ssl_mode = full: the agent only ever raises a zone's mode; "
				       "set it in the dashboard, and write unmanaged");
	assert_line("adopt = /srv/a.pem", "adopt = /srv/a.pem: needs two paths: of the certificate "
					  "and of its key; where one file holds both, write it "
					  "twice");
	assert_line("adopt = a.pem a.key", "adopt = a.pem a.key: not auto, never, or the absolute "
					   "paths of a certificate and its key; write adopt = "
					   "/path/cert.pem /path/key.pem");
	assert_line("revoke_superseded = soon", "revoke_superseded = soon: not a duration; write a "
						"whole number and s, m, h or d, such as 30m");
}

static void test_what_waits_for_a_handshake_needs_targets_that_are_asked(void **state)
{
	(void)state;
	assert_text_problems(
		"[certificate a.example]\nrevoke_superseded = 7d\n",
		"(warning) /c/agent.ini:2: \"revoke_superseded\" has no effect: it waits for a "
		"handshake with every target, and there is none; name targets that are "
		"probed, or remove the line");
	assert_text_problems(
		"[target nginx]\nprobe = none\n"
		"[certificate a.example]\ntargets = nginx\nssl_mode = strict\n",
		"(warning) /c/agent.ini:5: \"ssl_mode\" has no effect: it waits for a handshake "
		"with every target, and one has probe = none; name targets that are "
		"probed, or remove the line");
}

static void test_hostnames_that_are_one_name_both_lines(void **state)
{
	(void)state;
	assert_text_problems("[certificate a.example]\n"
			     "hostnames = www.a.example *.a.example\n"
			     "  münchen.a.example\n"
			     "  b.example, WWW.A.example.\n"
			     "  xn--mnchen-3ya.a.example\n",
			     "/c/agent.ini:4: hostname \"WWW.A.example.\" (www.a.example) stands "
			     "twice (lines 2 and 4); remove one of them\n"
			     "/c/agent.ini:5: hostname \"xn--mnchen-3ya.a.example\" "
			     "(xn--mnchen-3ya.a.example) stands twice (lines 3 and 5); remove one "
			     "of them");
}

static void test_a_wildcard_beside_a_name_it_covers_is_fine(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config =
		config_of("[certificate a]\nhostnames = *.a.example www.a.example\n");
	assert_problems(config, "");
	assert_list(&certificate_of(config, "a")->hostnames, "*.a.example www.a.example");
}

static void test_bad_hostnames_name_their_own_line(void **state)
{
	(void)state;
	assert_text_problems("[certificate shop]\n", "/c/agent.ini:1: hostname \"shop\" needs at "
						     "least two labels, as in \"example.com\"; "
						     "write \"hostnames = ...\" in [certificate "
						     "shop]");
	assert_text_problems("[certificate shop]\nhostnames =\n  shop.example\n  192.0.2.1\n"
			     "  https://shop.example\n",
			     "/c/agent.ini:4: hostname \"192.0.2.1\" is an IP address; Origin CA "
			     "certificates are for hostnames only\n"
			     "/c/agent.ini:5: hostname \"https://shop.example\" holds a \"/\"; "
			     "write the hostname alone, without scheme and path");
}

static void test_a_hundred_hostnames_and_no_more(void **state)
{
	(void)state;
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	buffer_add_text(&text, "[certificate a.example]\nhostnames =\n");
	for (int i = 0; i < 100; i++)
		buffer_add_format(&text, "  h%d.a.example\n", i);
	CLEANUP(config_freep) struct config *config = config_of(text.data);
	assert_problems(config, "");
	assert_int_equal(certificate_of(config, "a.example")->hostnames.count, 100);

	buffer_add_text(&text, "  one.more.example\n");
	assert_text_problems(text.data,
			     "/c/agent.ini:103: 101 hostnames, and Cloudflare takes at most 100 a "
			     "certificate; use a wildcard, or divide them among several "
			     "certificates");
	buffer_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_lines_are_a_whole_host),
		cmocka_unit_test(test_every_built_key_is_read),
		cmocka_unit_test(test_wrong_values_say_what_is_right),
		cmocka_unit_test(test_renewal_must_leave_the_certificate_some_life),
		cmocka_unit_test(test_what_is_done_at_cloudflare_besides),
		cmocka_unit_test(test_what_waits_for_a_handshake_needs_targets_that_are_asked),
		cmocka_unit_test(test_hostnames_that_are_one_name_both_lines),
		cmocka_unit_test(test_a_wildcard_beside_a_name_it_covers_is_fine),
		cmocka_unit_test(test_bad_hostnames_name_their_own_line),
		cmocka_unit_test(test_a_hundred_hostnames_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
