/* What each server's escape writes and refuses, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "target/template.h"

static int render(enum template_escape escape, const char *template, const char *value,
		  struct buffer *output, struct error *error)
{
	cJSON *values = json_object();
	json_add_string(values, "v", value);
	struct template_options options = {.escape = escape, .source_name = "t"};
	int result = template_render(template, strlen(template), values, &options, output, error);
	cJSON_Delete(values);
	return result;
}

static void assert_writes(enum template_escape escape, const char *template, const char *value,
			  const char *expected)
{
	struct buffer output = BUFFER(4096);
	struct error error = {0};
	if (render(escape, template, value, &output, &error) < 0)
		fail_msg("%s", error.message);
	assert_string_equal(buffer_text(&output), expected);
	buffer_free(&output);
}

static void assert_refuses(enum template_escape escape, const char *template, const char *value,
			   const char *why)
{
	struct buffer output = BUFFER(4096);
	struct error error = {0};
	int result = render(escape, template, value, &output, &error);
	if (result != -EILSEQ || error.class != ERROR_CONFIGURATION || !strstr(error.message, why))
		fail_msg("%s with <%s>: %d, \"%s\", not \"%s\"", template, value, result,
			 error.message, why);
	assert_string_equal(buffer_text(&output), "");
	buffer_free(&output);
}

static void test_control_characters_are_refused_everywhere(void **state)
{
	(void)state;
	static const char *const controls[] = {"a\nb", "\r",	   "\x01",
					       "\x7f", "\xc2\x85", "a\x1b[2J"};
	static const enum template_escape escapes[] = {
		TEMPLATE_ESCAPE_XML,
		TEMPLATE_ESCAPE_NGINX,
		TEMPLATE_ESCAPE_APACHE,
		TEMPLATE_ESCAPE_NONE,
	};
	for (size_t i = 0; i < ARRAY_SIZE(escapes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(controls); j++) {
			assert_refuses(escapes[i], "\"{{v}}\"", controls[j], "control character");
			assert_refuses(escapes[i], "\"{{{v}}}\"", controls[j], "control character");
			assert_refuses(escapes[i], "# {{&v}}", controls[j], "control character");
		}
	}
	assert_writes(TEMPLATE_ESCAPE_HTML, "{{v}}", "a\tb\r\n", "a\tb\r\n");
	assert_refuses(TEMPLATE_ESCAPE_HTML, "{{{v}}}", "\x01", "control character");
}

static void test_errors_say_place_name_reason_and_value(void **state)
{
	(void)state;
	assert_refuses(
		TEMPLATE_ESCAPE_NGINX, "a;\n \"{{v}}\"", "/x$y",
		"t:2:3: the value of \"v\" holds \"$\", which nginx takes for a variable and "
		"has no escape for: /x$y");
}

static void test_nginx_value_depends_on_what_stands_before_it(void **state)
{
	(void)state;
	const enum template_escape nginx = TEMPLATE_ESCAPE_NGINX;
	assert_writes(nginx, "\"{{v}}\"", "a b;{}#", "\"a b;{}#\"");
	assert_writes(nginx, "'{{v}}'", "\"'\\", "'\\\"\\'\\\\'");
	assert_writes(nginx, "{{v}}", "\"'\\", "\\\"\\'\\\\");
	assert_writes(nginx, "# {{v}}", "\"'\\ ;$", "# \"'\\ ;$");
	/* a quotation mark in the middle of a word quotes nothing, nor does an escaped one */
	assert_refuses(nginx, "a x\"{{v}}\"", "b c", "not in quotation marks");
	assert_refuses(nginx, "a \\\"{{v}}\"", "b c", "not in quotation marks");
	assert_refuses(nginx, "a \"x\" {{v}}", "b c", "not in quotation marks");
	assert_writes(nginx, "a \"x\\\"{{v}}\"", "b c", "a \"x\\\"b c\"");
	/* "#" begins a comment only where a word could begin */
	assert_refuses(nginx, "a#{{v}}", "b c", "not in quotation marks");
	assert_writes(nginx, "a;#{{v}}", "b c", "a;#b c");
	assert_refuses(nginx, "a #\n{{v}}", "b c", "not in quotation marks");
	assert_writes(nginx, "a{#{{v}}", "b c", "a{#b c");
	assert_refuses(nginx, "a${#{{v}}", "b c", "not in quotation marks");
	assert_writes(nginx, "a }\"{{v}}", "b c", "a }\"b c");
	/* an escape after a backslash of the template would escape nothing */
	assert_refuses(nginx, "\"\\{{v}}\"", "\"", "after a backslash");
	assert_refuses(nginx, "\\{{v}}", "x", "after a backslash");
	assert_writes(nginx, "\"\\\\{{v}}\"", "\"", "\"\\\\\\\"\"");
	/* raw values move the reader as well */
	assert_writes(nginx, "{{{v}}}{{v}}", "\"", "\"\\\"");
	/* across sections */
	assert_writes(nginx, "{{#v}}\"{{/v}}{{v}} {{v}}\"", "a b", "\"a b a b\"");
}

static void test_apache_value_depends_on_what_stands_before_it(void **state)
{
	(void)state;
	const enum template_escape apache = TEMPLATE_ESCAPE_APACHE;
	assert_writes(apache, "A \"{{v}}\"", "a 'b' \"c\" \\ <>#",
		      "A \"a 'b' \\\"c\\\" \\\\ <>#\"");
	assert_writes(apache, "A '{{v}}'", "'\"\\", "A '\\'\"\\\\'");
	assert_writes(apache, "A {{v}}/x", "/a/b-c", "A /a/b-c/x");
	assert_refuses(apache, "A {{v}}", "a b", "not in quotation marks");
	assert_refuses(apache, "A {{v}}", "a\\", "not in quotation marks");
	assert_refuses(apache, "A \"x\" {{v}}", "a b", "not in quotation marks");
	assert_refuses(apache, "A \"x\n{{v}}", "a b", "not in quotation marks");
	assert_writes(apache, "A \"x\\\n{{v}}\"", "a b", "A \"x\\\na b\"");
	assert_refuses(apache, "A x\"{{v}}\"", "a b", "not in quotation marks");
	assert_refuses(apache, "A \"{{v}}\"", "${HOME}", "which httpd replaces");
	assert_refuses(apache, "A \"{{v}}\"", "%{env}", "which httpd replaces");
	assert_refuses(apache, "A \"{{v}}{X}\"", "a$", "which httpd replaces");
	assert_refuses(apache, "A \"${{v}}\"", "{X}", "which httpd replaces");
	assert_writes(apache, "A \"{{v}}\"", "$a %b {c}", "A \"$a %b {c}\"");
	assert_refuses(apache, "# ${{v}}", "{X}", "which httpd replaces");
	/* comments are whole lines */
	assert_writes(apache, " \t# {{v}}", "a b\"", " \t# a b\"");
	assert_refuses(apache, "# {{v}}", "a\\", "backslash in a comment");
	assert_refuses(apache, "A # {{v}}", "a b", "not in quotation marks");
	assert_refuses(apache, "# x\n{{v}}", "a b", "not in quotation marks");
	assert_writes(apache, "# x\\\n{{v}}", "a b", "# x\\\na b");
	assert_refuses(apache, "A \"\\{{v}}\"", "\"", "after a backslash");
	assert_writes(apache, "A \"\\\\{{v}}\"", "\"", "A \"\\\\\\\"\"");
	assert_refuses(apache, "A x\\{{v}}", "y", "after a backslash");
}

static void test_xml_value_fits_attributes_text_and_comments(void **state)
{
	(void)state;
	const enum template_escape xml = TEMPLATE_ESCAPE_XML;
	assert_writes(xml, "<a b='{{v}}'/>", "&<>\"'", "<a b='&amp;&lt;&gt;&quot;&#39;'/>");
	assert_writes(xml, "<!--{{v}}-->", "a--b-", "<!--a-&#45;b&#45;-->");
	assert_writes(xml, "<!--{{v}}-->", "-", "<!--&#45;-->");
	assert_writes(xml, "{{v}}", "a-b", "a-b");
	assert_writes(xml, "{{v}}", "\xc3\xa9\xe4\xbe\x8b\xf0\x9f\x98\x80",
		      "\xc3\xa9\xe4\xbe\x8b\xf0\x9f\x98\x80");
	assert_refuses(xml, "{{v}}", "${user.home}", "Tomcat");
	assert_refuses(xml, "{{v}}{a}", "$", "Tomcat");
	assert_refuses(xml, "${{v}}", "{a}", "Tomcat");
	static const char *const bad[] = {
		"\xff",
		"\xc3",
		"\x80",
		"\xc0\xaf",
		"\xe0\x80\xaf",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf0\x80\x80\xaf",
		"\xef\xbf\xbe",
		"\xf5\x80\x80\x80",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_refuses(xml, "{{v}}", bad[i], "not UTF-8");
}

static void test_none_refuses_white_space_and_escapes_nothing(void **state)
{
	(void)state;
	assert_writes(TEMPLATE_ESCAPE_NONE, "{{v}}", "&<\"'\\$", "&<\"'\\$");
	assert_refuses(TEMPLATE_ESCAPE_NONE, "{{v}}", "a b", "white space");
	assert_writes(TEMPLATE_ESCAPE_NONE, "{{{v}}}", "a b", "a b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_characters_are_refused_everywhere),
		cmocka_unit_test(test_errors_say_place_name_reason_and_value),
		cmocka_unit_test(test_nginx_value_depends_on_what_stands_before_it),
		cmocka_unit_test(test_apache_value_depends_on_what_stands_before_it),
		cmocka_unit_test(test_xml_value_fits_attributes_text_and_comments),
		cmocka_unit_test(test_none_refuses_white_space_and_escapes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
