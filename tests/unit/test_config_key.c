/* certificate_key.c and certificate_formats.c: whose key it is, and in which files it is kept. */
#include "config_text.h"

static void test_the_agents_own_key_and_pem_are_the_defaults(void **state)
{
	(void)state;
	CLEANUP(config_freep) struct config *config = config_of("[certificate a.example]\n");
	assert_problems(config, "");
	const struct config_certificate *certificate = certificate_of(config, "a.example");
	assert_int_equal(certificate->key_type, KEY_ECDSA_P256);
	assert_false(certificate->key_type_given);
	assert_false(certificate->reuse_key);
	assert_null(certificate->private_key_file);
	assert_null(certificate->csr_file);
	assert_int_equal(certificate->formats, 0);
	assert_null(certificate->keystore_password_file);
	assert_false(certificate->chain_root);
	assert_false(certificate->authenticated_origin_pulls);
}

static void test_every_key_about_key_and_formats_is_read(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate a.example]\n"
					  "targets = nginx\n"
					  "key_type = ecdsa-p256\n"
					  "private_key = /etc//key.pem\n"
					  "csr = /etc/request.pem\n"
					  "formats = combined, der\n  p12 pem p7b der\n"
					  "keystore_password_file = /etc/password\n"
					  "chain = root\n"
					  "authenticated_origin_pulls = yes\n"
					  "[certificate b.example]\nreuse_key = yes\n");
	assert_problems(config, "");
	const struct config_certificate *certificate = certificate_of(config, "a.example");
	assert_true(certificate->key_type_given);
	assert_string_equal(certificate->private_key_file, "/etc/key.pem");
	assert_string_equal(certificate->csr_file, "/etc/request.pem");
	assert_int_equal(certificate->formats,
			 FORMAT_DER | FORMAT_P7B | FORMAT_P12 | FORMAT_COMBINED);
	assert_string_equal(certificate->keystore_password_file, "/etc/password");
	assert_true(certificate->chain_root);
	assert_true(certificate->authenticated_origin_pulls);
	assert_true(certificate_of(config, "b.example")->reuse_key);
}

static void test_each_format_is_its_own(void **state)
{
	(void)state;
	static const struct {
		const char *word;
		unsigned formats;
	} formats[] = {{"pem", 0},
		       {"der", FORMAT_DER},
		       {"p7b", FORMAT_P7B},
		       {"p12", FORMAT_P12},
		       {"combined", FORMAT_COMBINED}};
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		CLEANUP(freep)
		char *text = string_format(
			"[certificate a.example]\nformats = %s\n%s", formats[i].word,
			formats[i].formats == FORMAT_P12 ? "keystore_password_file = /p\n" : "");
		CLEANUP(config_freep) struct config *config = config_of(text);
		assert_problems(config, "");
		assert_int_equal(certificate_of(config, "a.example")->formats, formats[i].formats);
	}
}

/* These lines, from line 2 on, give exactly these problems. */
static void assert_lines(const char *lines, const char *problems)
{
	CLEANUP(freep) char *text = string_format("[certificate a.example]\n%s\n", lines);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, problems);
	assert_int_equal(config->certificate_count, config_error_count(config) == 0);
}

static void test_wrong_values_say_what_is_right(void **state)
{
	(void)state;
	assert_lines(
		"formats = der\n  pkcs7, p21",
		"/c/agent.ini:3: formats = p21: must be one of: pem, der, p7b, p12, combined; "
		"did you mean \"p12\"?\n"
		"/c/agent.ini:3: formats = pkcs7: must be one of: pem, der, p7b, p12, combined");
	assert_lines("formats = ,", "/c/agent.ini:2: formats = ,: names no format");
	assert_lines("chain = full", "/c/agent.ini:2: chain = full: must be one of: none, root");
	assert_lines("reuse_key = maybe", "/c/agent.ini:2: reuse_key = maybe: must be yes or no");
	assert_lines("authenticated_origin_pulls = 1",
		     "/c/agent.ini:2: authenticated_origin_pulls = 1: must be yes or no");
	assert_lines("csr = request.pem", "/c/agent.ini:2: csr = request.pem: not an absolute "
					  "path; start it with \"/\"");
}

static void test_what_is_pasted_by_mistake_is_not_shown(void **state)
{
	(void)state;
	assert_lines("private_key = -----BEGIN PRIVATE KEY-----\n  MC4CAQAwBQYDK2Vw",
		     "/c/agent.ini:2: private_key: not an absolute path; write the path of a PEM "
		     "file, never the key itself");
	assert_lines("formats = p12\nkeystore_password_file = hunter2",
		     "/c/agent.ini:3: keystore_password_file: not an absolute path; write the path "
		     "of a file that holds the password, never the password itself");
	assert_lines("keystore_password_file = \"hunter2\"",
		     "/c/agent.ini:2: keystore_password_file: values are written without quotation "
		     "marks; remove them");
}

static void test_a_keystore_needs_a_password(void **state)
{
	(void)state;
	assert_lines("formats = pem p12",
		     "/c/agent.ini:2: format p12 needs \"keystore_password_file\"; write the path "
		     "of a file whose first line is the password that the keystore is to have");
}

static void test_a_password_needs_a_keystore(void **state)
{
	(void)state;
	assert_lines("targets = nginx\nformats = der\nkeystore_password_file = /p",
		     "(warning) /c/agent.ini:4: \"keystore_password_file\" has no effect: there is "
		     "no keystore; write \"formats = p12\", or remove the line");
	assert_text_problems("[target tomcat]\ngroup = 0\n[certificate a.example]\n"
			     "targets = nginx tomcat\nkeystore_password_file = /p\n",
			     "");
}

static void test_haproxy_gets_the_one_file_that_it_reads(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target edge]\ntype = haproxy\n"
					  "[certificate a.example]\ntargets = nginx edge\n"
					  "formats = der\n"
					  "[certificate b.example]\ntargets = nginx\n");
	assert_problems(config, "");
	assert_int_equal(certificate_of(config, "a.example")->formats,
			 FORMAT_DER | FORMAT_COMBINED);
	assert_int_equal(certificate_of(config, "b.example")->formats, 0);
}

static void test_a_request_alone_is_enough_where_no_key_is_needed(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config =
		config_of("[certificate a.example]\ncsr = /r\nformats = pem der p7b\n"
			  "chain = root\nreuse_key = no\n");
	assert_problems(config, "");
	const struct config_certificate *certificate = certificate_of(config, "a.example");
	assert_string_equal(certificate->csr_file, "/r");
	assert_int_equal(certificate->formats, FORMAT_DER | FORMAT_P7B);
}

static void test_what_needs_a_key_that_is_not_here_is_named(void **state)
{
	(void)state;
	assert_lines("csr = /r\ntargets = nginx, haproxy\n"
		     "formats = p12 der combined\nkeystore_password_file = /p",
		     "/c/agent.ini:3: \"csr\" without \"private_key\": the private key is not on "
		     "this host, but it is needed for targets nginx, haproxy; write \"private_key "
		     "= FILE\" "
		     "if the key is here, or remove it from \"targets\"\n"
		     "/c/agent.ini:4: \"csr\" without \"private_key\": the private key is not on "
		     "this host, but it is needed for formats p12, combined; write \"private_key = "
		     "FILE\" "
		     "if the key is here, or remove it from \"formats\"");
	assert_lines("csr = /r\nprivate_key = /k\ntargets = haproxy\n"
		     "formats = p12\nkeystore_password_file = /p",
		     "");
}

static void test_a_key_of_ones_own_is_always_the_same(void **state)
{
	(void)state;
	assert_lines("private_key = /k\nreuse_key = yes",
		     "/c/agent.ini:3: \"reuse_key = yes\" beside \"private_key\", which says "
		     "already which key every renewal has; remove \"reuse_key\"");
	assert_lines("reuse_key = yes\ncsr = /r",
		     "/c/agent.ini:2: \"reuse_key = yes\" beside \"csr\", which says already which "
		     "key every renewal has; remove \"reuse_key\"");
	assert_lines("private_key = /k\nreuse_key = no", "");
}

static void test_origin_pulls_need_a_server(void **state)
{
	(void)state;
	assert_lines("authenticated_origin_pulls = yes",
		     "(warning) /c/agent.ini:2: \"authenticated_origin_pulls = yes\" has no effect "
		     "without \"targets\"; write \"targets = ...\", or remove the line");
	assert_lines("authenticated_origin_pulls = yes\ntargets = nginx", "");
	assert_lines("authenticated_origin_pulls = no", "");
}

static void test_a_wrong_target_is_said_once(void **state)
{
	(void)state;
	assert_lines("targets = tomct\nkeystore_password_file = /p",
		     "/c/agent.ini:2: there is no target \"tomct\"; did you mean \"tomcat\"?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_agents_own_key_and_pem_are_the_defaults),
		cmocka_unit_test(test_every_key_about_key_and_formats_is_read),
		cmocka_unit_test(test_each_format_is_its_own),
		cmocka_unit_test(test_wrong_values_say_what_is_right),
		cmocka_unit_test(test_what_is_pasted_by_mistake_is_not_shown),
		cmocka_unit_test(test_a_keystore_needs_a_password),
		cmocka_unit_test(test_a_password_needs_a_keystore),
		cmocka_unit_test(test_haproxy_gets_the_one_file_that_it_reads),
		cmocka_unit_test(test_a_request_alone_is_enough_where_no_key_is_needed),
		cmocka_unit_test(test_what_needs_a_key_that_is_not_here_is_named),
		cmocka_unit_test(test_a_key_of_ones_own_is_always_the_same),
		cmocka_unit_test(test_origin_pulls_need_a_server),
		cmocka_unit_test(test_a_wrong_target_is_said_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
