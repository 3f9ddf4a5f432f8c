/* ini.c and line.c: what inih would read by halves or not at all is said, and spoils its section
 * alone. */
#include "config_text.h"

#include <stdio.h>

/* A good certificate after whatever the test puts first. */
#define GOOD "[certificate good.example]\n"

static void assert_good(const char *text, const char *expected)
{
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, expected);
	certificate_of(config, "good.example");
}

static void test_a_section_without_keys_is_a_certificate(void **state)
{
	(void)state;
	CLEANUP(config_freep) struct config *config = config_of("[certificate example.com]");
	assert_problems(config, "");
	assert_int_equal(config->certificate_count, 1);
	assert_list(&certificate_of(config, "example.com")->hostnames, "example.com *.example.com");
}

static void test_the_longest_line_is_read_whole_and_one_more_is_refused(void **state)
{
	(void)state;
	char text[600];
	char path[200];
	memset(path, 'p', sizeof(path));
	/* "token_file = /ppp...": 198 bytes, then 199. */
	snprintf(text, sizeof(text), "[api]\ntoken_file = /%.*s\n", 198 - 14, path);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, "");
	assert_int_equal(strlen(config->apis[0]->token_file), 198 - 13);

	snprintf(text, sizeof(text), "[api]\r\ntoken_file = /%.*s  \r\n" GOOD, 198 - 13, path);
	assert_text_problems(text, "/c/agent.ini:2: the line is 199 bytes long, and more than 198 "
				   "cannot be read; continue the value on further lines that are "
				   "indented\n"
				   "/c/agent.ini:3: [api] is wrong itself, at /c/agent.ini:1");
}

static void test_a_long_line_spoils_its_section_alone(void **state)
{
	(void)state;
	char text[900];
	char names[300];
	memset(names, 'n', sizeof(names));
	snprintf(
		text, sizeof(text),
		"[certificate before.example]\n"
		"[certificate cut.example]\nhostnames = %.*s\n  more.example\nkey_type = rsa-2048\n"
		"[certificate good.example]\n",
		290, names);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, "/c/agent.ini:3: the line is 302 bytes long, and more than 198 "
				"cannot be read; continue the value on further lines that are "
				"indented");
	assert_int_equal(config->certificate_count, 2);
	certificate_of(config, "before.example");
	certificate_of(config, "good.example");
	assert_list(&config->broken_certificates, "cut.example");
}

static void test_values_go_on_in_indented_lines(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate a.example]\n"
					  "hostnames =\n"
					  "  a.example, b.example ; the second\n"
					  "\n"
					  "; not of the list\n"
					  "  # nor this\n"
					  "\tc.example\td.example,\n"
					  "key_type = rsa-\n"
					  "   2048\n"
					  "targets =\n"
					  "  nginx\n");
	assert_problems(config, "");
	const struct config_certificate *certificate = certificate_of(config, "a.example");
	assert_list(&certificate->hostnames, "a.example b.example c.example d.example");
	assert_int_equal(certificate->key_type, KEY_RSA_2048);
	assert_int_equal(certificate->target_count, 1);
}

static void test_a_40_character_name_is_not_cut_though_inih_would(void **state)
{
	(void)state;
	/* "certificate " and 40 characters are more than inih's 49. */
	const char *name = "abcdefghijklmnopqrstuvwxyz01234567.a.com";
	assert_int_equal(strlen(name), CONFIG_NAME_LIMIT);
	char text[200];
	snprintf(text, sizeof(text), "[certificate %s]\ntargets = nginx\n", name);
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, "");
	assert_int_equal(certificate_of(config, name)->target_count, 1);
}

static void test_names_and_keys_that_are_too_long_are_refused_whole(void **state)
{
	(void)state;
	assert_text_problems("[target abcdefghijklmnopqrstuvwxyz0123456789abcde]\ntype = nginx\n",
			     "/c/agent.ini:1: [target abcdefghijklmnopqrstuvwxyz0123456789abcde]: "
			     "a name is 1 to "
			     "40 of A-Z a-z 0-9 . _ - and starts with neither \".\" nor \"-\"");
	assert_text_problems(
		"[certificate a.example]\n"
		"hostnames_of_this_certificate_and_many_other_words_too = a.example\n",
		"/c/agent.ini:2: unknown key "
		"\"hostnames_of_this_certificate_and_many_other_words_too\" in [certificate "
		"a.example]");
}

static void test_line_endings_bom_and_a_missing_last_newline(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"[certificate a.example]\r\nhostnames = b.example\r\n",
		"\xef\xbb\xbf[certificate a.example]\nhostnames = b.example",
		"\n\n[certificate a.example] ; comment\n\nhostnames: b.example   \n",
		"  [ certificate   a.example ]\n  hostnames=b.example\n",
		"#\xff\xfe may stand here\n[certificate a.example]\nhostnames = b.example\n",
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		CLEANUP(config_freep) struct config *config = config_of(texts[i]);
		assert_problems(config, "");
		assert_list(&certificate_of(config, "a.example")->hostnames, "b.example");
	}
}

static void test_bytes_that_no_value_may_hold_spoil_the_section(void **state)
{
	(void)state;
	static const char nul[] = "[certificate a.example]\nhostnames = b.ex\0ample\n" GOOD;
	CLEANUP(config_freep) struct config *config = config_of_bytes(nul, sizeof(nul) - 1);
	assert_problems(config, "/c/agent.ini:2: the line holds a NUL byte");
	certificate_of(config, "good.example");

	assert_good("[certificate a.example]\nhostnames = m\xfcnchen.example\n" GOOD,
		    "/c/agent.ini:2: the line is not UTF-8");
	/* An overlong slash, a surrogate, beyond Unicode, a cut character. */
	static const char *const wrong[] = {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
					    "\xe2\x82"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CLEANUP(freep)
		char *text = string_format("[certificate a.example]\napi = %s\n" GOOD, wrong[i]);
		assert_good(text, "/c/agent.ini:2: the line is not UTF-8");
	}
	assert_good("[certificate a.example]\napi = \x1b[31m\n" GOOD,
		    "/c/agent.ini:2: the line holds a control character");
	assert_good("[certificate b\xff.example]\napi = x\n" GOOD,
		    "/c/agent.ini:1: the line is not UTF-8; write \"[certificate NAME]\" on a line "
		    "of its own");
	/* Only lines end lines: an old Mac's file is one line. */
	assert_text_problems("[certificate a.example]\rtargets = nginx\r",
			     "/c/agent.ini:1: the line holds a control character; write "
			     "\"[certificate NAME]\" on a line of its own");
	assert_text_problems("\xff\xfe[\0c\0",
			     "/c/agent.ini: the file is UTF-16; save it as UTF-8");
}

static void test_text_outside_a_section_is_said_once(void **state)
{
	(void)state;
	assert_good("targets = nginx\nhostnames = a.example\nrubbish\n" GOOD,
		    "/c/agent.ini:1: text before the first section header; start with a line such "
		    "as \"[certificate example.com]\"");
}

static void test_a_line_that_is_neither_key_nor_header(void **state)
{
	(void)state;
	assert_good("[certificate a.example]\nhostnames a.example\n   b.example\n" GOOD,
		    "/c/agent.ini:2: neither \"key = value\" nor a section header; indent the line "
		    "if it continues the value above it");
	assert_good("[certificate a.example]\n= a.example\n" GOOD,
		    "/c/agent.ini:2: there is no key before the \"=\"");
	/* The last line, too. */
	assert_text_problems(GOOD "rubbish",
			     "/c/agent.ini:2: neither \"key = value\" nor a section header; indent "
			     "the line if it continues the value above it");
}

static void test_broken_headers_never_give_their_keys_to_the_section_above(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate a.example]\n"
					  "[certificate b.example\n"
					  "hostnames = b.example\n"
					  "[]\n"
					  "key_type = rsa-2048\n"
					  "[certificate c.example] targets = nginx\n"
					  "validity = 7d\n"
					  "[certificate d.example ; ]\n");
	assert_problems(config, "/c/agent.ini:2: the section header has no \"]\"; write "
				"\"[certificate NAME]\" on a line of its own\n"
				"/c/agent.ini:4: the section header is empty; write "
				"\"[certificate NAME]\" on a line of its own\n"
				"/c/agent.ini:6: there is text after the section header; write "
				"\"[certificate NAME]\" on a line of its own\n"
				"/c/agent.ini:8: the section header has no \"]\"; write "
				"\"[certificate NAME]\" on a line of its own");
	assert_int_equal(config->certificate_count, 1);
	const struct config_certificate *certificate = certificate_of(config, "a.example");
	assert_list(&certificate->hostnames, "a.example *.a.example");
	assert_int_equal(certificate->key_type, KEY_ECDSA_P256);
	assert_int_equal(certificate->validity_days, 90);
	/* What was written is not forgotten, though it cannot be used. */
	assert_list(&config->broken_certificates, "b.example c.example d.example");
	assert_true(config->incomplete);
}

static void test_indented_keys_and_headers_are_not_swallowed_by_the_value_above(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[certificate a.example]\n"
					  "  targets = nginx\n"
					  "  validity = 7d\n"
					  "[certificate b.example]\n"
					  "targets = nginx\n"
					  "  [certificate c.example]\n"
					  "  validity = 7d\n" GOOD);
	assert_problems(config,
			"/c/agent.ini:3: an indented line continues the value of \"targets\", but "
			"this looks like a key of its own; start the line in the first column\n"
			"/c/agent.ini:6: an indented line continues the value of \"targets\", but "
			"this looks like a section header; start the line in the first column");
	assert_int_equal(config->certificate_count, 1);
	certificate_of(config, "good.example");
	assert_list(&config->broken_certificates, "a.example b.example c.example");
}

static void test_an_indented_ipv6_address_is_a_value(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[target nginx]\nprobe =\n  [::1]:8443\n");
	assert_problems(config, "");
	assert_string_equal(config_target_find(config, "nginx")->probe_host, "::1");
}

static void test_a_key_that_stands_twice_names_both_lines(void **state)
{
	(void)state;
	assert_good(
		"[certificate a.example]\ntargets = nginx\n\nvalidity = 7d\ntargets = nginx\n"
		"  nginx\n" GOOD,
		"/c/agent.ini:5: \"targets\" stands twice in this section (lines 2 and 5); keep "
		"one of them; a list goes on in indented lines");
}

static void test_comments_quotes_and_empty_values(void **state)
{
	(void)state;
	CLEANUP(config_freep)
	struct config *config = config_of("[api]\ntoken_file = /a;b ; c\n");
	assert_problems(config, "");
	assert_string_equal(config->apis[0]->token_file, "/a;b");

	assert_good("[certificate a.example]\ntargets = nginx # the server\n" GOOD,
		    "/c/agent.ini:2: \"#\" does not start a comment behind a value of \"targets\"; "
		    "write \" ;\", or a line of its own");
	assert_good("[certificate a.example]\napi = \"x\"\n" GOOD,
		    "/c/agent.ini:2: api = \"x\": values are written without quotation marks; "
		    "remove them");
	assert_good("[certificate a.example]\ntargets =\n" GOOD,
		    "/c/agent.ini:2: \"targets\" has no value; remove the line, or write a value");
	assert_good("[certificate a.example]\ntargets = ; none\nhostnames = ,\n" GOOD,
		    "/c/agent.ini:2: \"targets\" has no value; remove the line, or write a value\n"
		    "/c/agent.ini:3: hostnames = ,: names no hostname");
}

static void test_a_file_of_rubbish_gives_a_hundred_problems_and_one(void **state)
{
	(void)state;
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	for (int i = 0; i < 5000; i++)
		buffer_add_text(&text, "[\nx\n");
	buffer_add_text(&text, GOOD);
	CLEANUP(config_freep) struct config *config = config_of_bytes(text.data, text.length);
	buffer_free(&text);
	assert_int_equal(config->problem_count, 101);
	assert_int_equal(config_error_count(config), 101);
	assert_string_equal(config->problems[0].message,
			    "more than 100 problems; the others are not listed");
	certificate_of(config, "good.example");
}

static void test_more_keys_than_there_are_spoil_the_section(void **state)
{
	(void)state;
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	buffer_add_text(&text, "[certificate a.example]\n");
	for (int i = 0; i < 20000; i++)
		buffer_add_format(&text, "k%d = 1\n", i);
	buffer_add_text(&text, GOOD);
	CLEANUP(config_freep) struct config *config = config_of_bytes(text.data, text.length);
	buffer_free(&text);
	assert_string_equal(config->problems[1].message, "more than 64 keys in one section");
	assert_int_equal(config->problems[1].place.line, 66);
	certificate_of(config, "good.example");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_section_without_keys_is_a_certificate),
		cmocka_unit_test(test_the_longest_line_is_read_whole_and_one_more_is_refused),
		cmocka_unit_test(test_a_long_line_spoils_its_section_alone),
		cmocka_unit_test(test_values_go_on_in_indented_lines),
		cmocka_unit_test(test_a_40_character_name_is_not_cut_though_inih_would),
		cmocka_unit_test(test_names_and_keys_that_are_too_long_are_refused_whole),
		cmocka_unit_test(test_line_endings_bom_and_a_missing_last_newline),
		cmocka_unit_test(test_bytes_that_no_value_may_hold_spoil_the_section),
		cmocka_unit_test(test_text_outside_a_section_is_said_once),
		cmocka_unit_test(test_a_line_that_is_neither_key_nor_header),
		cmocka_unit_test(test_broken_headers_never_give_their_keys_to_the_section_above),
		cmocka_unit_test(
			test_indented_keys_and_headers_are_not_swallowed_by_the_value_above),
		cmocka_unit_test(test_an_indented_ipv6_address_is_a_value),
		cmocka_unit_test(test_a_key_that_stands_twice_names_both_lines),
		cmocka_unit_test(test_comments_quotes_and_empty_values),
		cmocka_unit_test(test_a_file_of_rubbish_gives_a_hundred_problems_and_one),
		cmocka_unit_test(test_more_keys_than_there_are_spoil_the_section),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
