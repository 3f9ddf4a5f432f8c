/* api.c and url.c: accounts, and the roots. */
#include "config_text.h"

static void assert_line(const char *section, const char *line, const char *problem)
{
	CLEANUP(freep) char *text = string_format("[%s]\n%s\n", section, line);
	CLEANUP(freep) char *expected = string_format("/c/agent.ini:2: %s", problem);
	assert_text_problems(text, expected);
}

static void test_every_key_of_an_api_is_read(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[api]\n"
					  "endpoint = http://127.1.2.3:8080/client/v4//\n"
					  "token_file = /etc/token\n"
					  "ca_file = /etc/ca.pem\n"
					  "proxy = socks5h://user:p@ss@[::1]:1080\n"
					  "timeout = 5s\n"
					  "[api empty]\n");
	assert_problems(config, "");
	assert_int_equal(config->api_count, 2);
	const struct config_api *api = config_api_find(config, "");
	assert_string_equal(api->endpoint, "http://127.1.2.3:8080/client/v4");
	assert_string_equal(api->token_file, "/etc/token");
	assert_string_equal(api->ca_file, "/etc/ca.pem");
	assert_string_equal(api->proxy, "socks5h://user:p@ss@[::1]:1080");
	assert_int_equal(api->timeout, 5);
	api = config_api_find(config, "empty");
	assert_string_equal(api->endpoint, "https://api.cloudflare.com/client/v4");
	assert_null(api->token_file);
	assert_null(api->ca_file);
	assert_null(api->proxy);
	assert_int_equal(api->timeout, 30);
}

static void test_a_token_is_never_sent_in_the_clear(void **state)
{
	(void)state;
	static const char *const fine[] = {"https://a.example", "http://localhost:1/x",
					   "http://[::1]:8080/client/v4", "HTTP://127.255.0.1/"};
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		CLEANUP(freep) char *text = string_format("[api]\nendpoint = %s\n", fine[i]);
		assert_text_problems(text, "");
	}
	static const char *const plain[] = {"http://a.example",
					    "http://128.0.0.1",
					    "http://localhost.a.example",
					    "http://[::2]/",
					    "http://127.0.0.1.a.example/",
					    "http://[::ffff:1.2.3.4]/"};
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		CLEANUP(freep) char *line = string_format("endpoint = %s", plain[i]);
		CLEANUP(freep)
		char *problem = string_format("%s: plain http would show the API token to the "
					      "network; it is for 127.0.0.0/8, [::1] and localhost "
					      "alone; write https://",
					      line);
		assert_line("api", line, problem);
	}
}

static void test_other_endpoints_are_refused_without_showing_them(void **state)
{
	(void)state;
	static const char *const wrong[] = {"api.cloudflare.com", "https://",	  "https://a:0/",
					    "https://a:99999/",	  "https://[x]/", "https://a b/"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep) char *line = string_format("endpoint = %s", wrong[i]);
		assert_line("api", line, "endpoint: not a URL; write https://HOST/PATH");
	}
	assert_line("api", "endpoint = https://token@a.example/",
		    "endpoint: credentials in the URL; the API token is read from token_file");
	assert_line("api", "endpoint = https://a.example/?key=1",
		    "endpoint: must have neither \"?\" nor \"#\"");
	assert_line("api", "endpoint = ftp://a.example/",
		    "endpoint = ftp://a.example/: must start with https://");
}

static void test_secrets_are_never_in_a_message(void **state)
{
	(void)state;
	assert_line("api", "proxy = ftp://user:hunter2@p.example",
		    "proxy: the scheme must be http, https or socks5h");
	assert_line("api", "proxy = user:hunter2@p.example",
		    "proxy: not the URL of a proxy; write SCHEME://[USER:PASSWORD@]HOST[:PORT], "
		    "with /, ? and # of a password as %2F, %3F and %23");
	assert_line("api", "proxy = \"http://user:hunter2@p.example\"",
		    "proxy: values are written without quotation marks; remove them");
	assert_line("api", "token_file = hunter2",
		    "token_file: not an absolute path; write the path of a file that holds the API "
		    "token, never the token itself");
	assert_line("api", "token = hunter2",
		    "unknown key \"token\" in [api]; did you mean \"token_file\"?");
	assert_line("api", "hunter2",
		    "neither \"key = value\" nor a section header; indent the line if it continues "
		    "the value above it");
}

static void test_a_wrong_api_refuses_the_certificates_that_use_it(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[api]\ntimeout = x\n"
					  "[api other]\n"
					  "[certificate a.example]\n"
					  "[certificate b.example]\napi = other\n"
					  "[certificate c.example]\napi = othr\n");
	assert_problems(config, "/c/agent.ini:2: timeout = x: not a duration; write a whole number "
				"and s, m, h or d, such as 30m\n"
				"/c/agent.ini:4: [api] is wrong itself, at /c/agent.ini:1\n"
				"/c/agent.ini:8: there is no [api othr]; write that section, or "
				"remove \"api\" to use [api]");
	assert_null(config_api_find(config, ""));
	certificate_of(config, "b.example");
	assert_false(config->incomplete);
}

static void test_roots_come_from_where_they_are_published(void **state)
{
	(void)state;
	CLEANUP(config_freep) struct config *config = config_of("");
	assert_problems(config, "");
	const struct config_api *api = config_api_find(config, "");
	assert_string_equal(api->root_url, "https://developers.cloudflare.com/ssl/static");
	assert_int_equal(api->root_sha256.count, 0);
}

static void test_roots_of_a_sandbox_are_read_from_loopback(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[api]\nroot_url = http://127.0.0.1:8080/ssl/static/\n");
	assert_problems(config, "");
	assert_string_equal(config_api_find(config, "")->root_url,
			    "http://127.0.0.1:8080/ssl/static");
	assert_line(
		"api", "root_url = http://a.example/roots",
		"root_url = http://a.example/roots: plain http would let the network change "
		"what is read; it is for 127.0.0.0/8, [::1] and localhost alone; write https://");
	assert_line("api", "root_url = https://user:hunter2@a.example/",
		    "root_url: credentials in the URL; the roots are public, so none are needed");
	assert_line("api", "root_url = /etc/roots", "root_url: not a URL; write https://HOST/PATH");
}

#define DIGITS_16 "0123456789abcdef"
#define DIGITS_64 DIGITS_16 DIGITS_16 DIGITS_16 DIGITS_16
#define BYTES_8	  "AA:63:69:7A:22:76:4B:67"

static void test_fingerprints_are_kept_in_one_form(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[api]\nroot_sha256 = " DIGITS_64 "\n"
					  "  " BYTES_8 ":" BYTES_8 ":" BYTES_8 ":" BYTES_8 ",\n"
					  "  0123456789ABCDEF" DIGITS_16 DIGITS_16 DIGITS_16 "\n");
	assert_problems(config, "");
	assert_list(&config_api_find(config, "")->root_sha256,
		    DIGITS_64 " "
			      "aa63697a22764b67aa63697a22764b67"
			      "aa63697a22764b67aa63697a22764b67");
}

static void test_a_bad_fingerprint_names_its_line(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"12",
		DIGITS_64 "0",
		DIGITS_64 ":",
		":" DIGITS_64,
		"x" DIGITS_64,
		"0123456789abcdeg" DIGITS_16 DIGITS_16 DIGITS_16,
		"0:123456789abcdef" DIGITS_16 DIGITS_16 DIGITS_16,
		"01::23456789abcdef" DIGITS_16 DIGITS_16 DIGITS_16,
	};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep)
		char *text =
			string_format("[api]\nroot_sha256 =\n  " DIGITS_64 "\n  %s\n", wrong[i]);
		CLEANUP(freep)
		char *problem = string_format(
			"/c/agent.ini:4: root_sha256 = %s: not a SHA-256 fingerprint; write the 64 "
			"hexadecimal digits that \"openssl x509 -noout -fingerprint -sha256\" "
			"prints, with or without colons",
			wrong[i]);
		assert_text_problems(text, problem);
	}
}

static void test_fingerprints_are_counted(void **state)
{
	(void)state;
	assert_line("api", "root_sha256 = ,", "root_sha256 = ,: must be 1 to 20 fingerprints");
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	buffer_add_text(&text, "[api]\nroot_sha256 =\n");
	for (int i = 0; i < 21; i++)
		buffer_add_format(&text, "  %062x%02x\n", 0U, (unsigned)i);
	CLEANUP(config_freep) struct config *config = config_of(buffer_text(&text));
	assert_int_equal(config_error_count(config), 1);
	assert_non_null(strstr(config->problems[0].message, "...: must be 1 to 20 fingerprints"));
	buffer_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_of_an_api_is_read),
		cmocka_unit_test(test_a_token_is_never_sent_in_the_clear),
		cmocka_unit_test(test_other_endpoints_are_refused_without_showing_them),
		cmocka_unit_test(test_secrets_are_never_in_a_message),
		cmocka_unit_test(test_a_wrong_api_refuses_the_certificates_that_use_it),
		cmocka_unit_test(test_roots_come_from_where_they_are_published),
		cmocka_unit_test(test_roots_of_a_sandbox_are_read_from_loopback),
		cmocka_unit_test(test_fingerprints_are_kept_in_one_form),
		cmocka_unit_test(test_a_bad_fingerprint_names_its_line),
		cmocka_unit_test(test_fingerprints_are_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
