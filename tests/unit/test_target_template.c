/* What the specification leaves open: errors with their places, bounds, numbers, loading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "target/template.h"

struct rendering {
	int result;
	struct buffer output;
	struct error error;
};

static int partial(const char *name, struct buffer *text, void *context, struct error *error)
{
	if (strcmp(name, "broken") == 0)
		return error_set(error, ERROR_LOCAL, -EACCES, "cannot read broken");
	const char *found = json_string(context, name);
	if (!found)
		return error_set(error, ERROR_CONFIGURATION, -ENOENT, "no %s", name);
	buffer_add_text(text, found);
	return 0;
}

static struct rendering render_limited(const char *template, const char *values,
				       const char *partials, size_t limit)
{
	struct rendering rendering = {.output = BUFFER(limit)};
	cJSON *data = json_parse(values, strlen(values));
	cJSON *texts = partials ? json_parse(partials, strlen(partials)) : NULL;
	assert_non_null(data);
	struct template_options options = {
		.escape = TEMPLATE_ESCAPE_HTML,
		.partial = texts ? partial : NULL,
		.context = texts,
		.source_name = "t.mustache",
	};
	rendering.result = template_render(template, strlen(template), data, &options,
					   &rendering.output, &rendering.error);
	cJSON_Delete(texts);
	cJSON_Delete(data);
	return rendering;
}

static void assert_renders(const char *template, const char *values, const char *partials,
			   const char *expected)
{
	struct rendering rendering =
		render_limited(template, values, partials, TEMPLATE_OUTPUT_LIMIT);
	if (rendering.result < 0)
		fail_msg("%s: %s", template, rendering.error.message);
	assert_string_equal(buffer_text(&rendering.output), expected);
	buffer_free(&rendering.output);
}

static void assert_fails(const char *template, const char *values, const char *partials, int code,
			 const char *message)
{
	struct rendering rendering =
		render_limited(template, values, partials, TEMPLATE_OUTPUT_LIMIT);
	assert_int_equal(rendering.result, code);
	assert_int_equal(rendering.error.code, code);
	assert_int_equal(rendering.error.class, ERROR_CONFIGURATION);
	if (!strstr(rendering.error.message, message))
		fail_msg("\"%s\" is not in \"%s\"", message, rendering.error.message);
	assert_string_equal(buffer_text(&rendering.output), "");
	buffer_free(&rendering.output);
}

static void test_errors_say_source_line_and_column(void **state)
{
	(void)state;
	assert_fails("a\nb {{name", "{}", NULL, -EINVAL, "t.mustache:2:3: this tag does not close");
	assert_fails("\xc3\xa9\xc3\xa9{{name", "{}", NULL, -EINVAL, "t.mustache:1:3:");
	assert_fails("{{{name}} ", "{}", NULL, -EINVAL, "no \"}}}\" after it");
	assert_fails("{{=<% %>}}", "{}", NULL, -EINVAL, "no \"=}}\" after it");
	assert_fails("\n\n {{#a}}x{{/b}}", "{\"a\":1}", NULL, -EINVAL,
		     "t.mustache:3:9: section \"b\" is closed, but the one that is open is \"a\"");
	assert_fails("{{/a}}", "{}", NULL, -EINVAL, "1:1: section \"a\" is closed but was not");
	assert_fails("{{#a}}\n{{^b}}", "{}", NULL, -EINVAL, "2:1: section \"b\" is not closed");
	assert_fails("x{{>p}}", "{}", "{\"p\":\"\\n {{#a}}\"}", -EINVAL,
		     "partial p:2:2: section \"a\" is not closed");
}

static void test_bad_names_and_delimiters_are_refused(void **state)
{
	(void)state;
	assert_fails("{{}}", "{}", NULL, -EINVAL, "has no name");
	assert_fails("{{ }}", "{}", NULL, -EINVAL, "has no name");
	assert_fails("{{#}}{{/}}", "{}", NULL, -EINVAL, "has no name");
	assert_fails("{{a b}}", "{}", NULL, -EINVAL, "white space");
	assert_fails("{{a\001b}}", "{}", NULL, -EINVAL, "control character");
	assert_fails("{{a..b}}", "{}", NULL, -EINVAL, "empty part");
	assert_fails("{{.a}}", "{}", NULL, -EINVAL, "empty part");
	assert_fails("{{a.}}", "{}", NULL, -EINVAL, "empty part");
	assert_fails("{{=a=}}", "{}", NULL, -EINVAL, "two words");
	assert_fails("{{==}}", "{}", NULL, -EINVAL, "two words");
	assert_fails("{{= a b c =}}", "{}", NULL, -EINVAL, "two words");
	assert_fails("{{= a= b =}}", "{}", NULL, -EINVAL, "two words");
	assert_fails("{{=aaaaaaaaaaaaaaaaa b=}}", "{}", NULL, -EINVAL, "at most 16 bytes");

	char name[TEMPLATE_NAME + 6];
	snprintf(name, sizeof(name), "{{%0*d}}", TEMPLATE_NAME + 1, 0);
	assert_fails(name, "{}", NULL, -EINVAL, "more than 256 bytes");
	snprintf(name, sizeof(name), "{{%0*d}}", TEMPLATE_NAME, 0);
	assert_renders(name, "{}", NULL, "");
}

static void test_delimiters_may_be_odd(void **state)
{
	(void)state;
	assert_renders("{{=# !=}}<#a!>", "{\"a\":1}", NULL, "<1>");
	assert_renders("{{=aaaaaaaaaaaaaaaa b=}}<aaaaaaaaaaaaaaaac b>", "{\"c\":1}", NULL, "<1>");
	assert_renders("{{=<% %>=}}<%{a}%><%={{ }}=%>{{a}}", "{\"a\":\"<\"}", NULL, "<&lt;");
	assert_renders("{{ # a }}x{{ / a }}", "{\"a\":1}", NULL, "x");
}

static void test_truth_is_that_of_javascript_but_for_lists(void **state)
{
	(void)state;
	static const char *const truths[] = {"true", "1", "-0.5", "\"0\"", "{}", "[0]"};
	static const char *const lies[] = {"false", "0", "\"\"", "null", "[]"};
	char values[64];
	for (size_t i = 0; i < ARRAY_SIZE(truths); i++) {
		snprintf(values, sizeof(values), "{\"a\":%s}", truths[i]);
		assert_renders("{{#a}}yes{{/a}}{{^a}}no{{/a}}", values, NULL, "yes");
	}
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		snprintf(values, sizeof(values), "{\"a\":%s}", lies[i]);
		assert_renders("{{#a}}yes{{/a}}{{^a}}no{{/a}}", values, NULL, "no");
	}
}

static void test_numbers_have_no_exponent_and_no_needless_digits(void **state)
{
	(void)state;
	static const char *const numbers[][2] = {
		{"0", "0"},
		{"-0.0", "0"},
		{"7", "7"},
		{"-7", "-7"},
		{"1.50", "1.5"},
		{"0.1", "0.1"},
		{"-0.05", "-0.05"},
		{"1e3", "1000"},
		{"1e-7", "0.0000001"},
		{"1e20", "100000000000000000000"},
		{"123456789012345680000", "123456789012345680000"},
		{"1.7976931348623157e2", "179.76931348623157"},
		{"9007199254740993", "9007199254740992"},
	};
	char values[64];
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(values, sizeof(values), "[%s]", numbers[i][0]);
		assert_renders("{{#.}}{{.}}{{/.}}", values, NULL, numbers[i][1]);
	}
	assert_renders("{{a}}{{b}}", "{\"a\":true,\"b\":false}", NULL, "truefalse");
	assert_fails("{{a}}", "{\"a\":1e999}", NULL, -EINVAL, "not a finite number");
	assert_fails("{{a}}", "{\"a\":[1]}", NULL, -EINVAL, "\"a\" is a list");
	assert_fails(" {{a.b}}", "{\"a\":{\"b\":{}}}", NULL, -EINVAL, "1:2: \"a.b\" is an object");
}

static void test_null_in_an_inner_context_hides_the_outer_one(void **state)
{
	(void)state;
	assert_renders("{{#a}}[{{b}}]{{/a}}", "{\"b\":1,\"a\":{\"b\":null}}", NULL, "[]");
}

static void test_every_line_of_a_nested_partial_is_indented_once(void **state)
{
	(void)state;
	const char *partials = "{\"outer\":\"{\\n  {{>inner}}\\n{{#a}}\\n{{.}}\\n{{/a}}\\n\\n"
			       "{{!x}} y {{>inner}}}\\n\",\"inner\":\"1\\n{{n}}\\n\"}";
	assert_renders("\t{{>outer}}\nend\n", "{\"a\":[\"p\",\"q\"],\"n\":\"<\\n>\"}", partials,
		       "\t{\n\t  1\n\t  &lt;\n&gt;\n\tp\n\tq\n\t\n\t y 1\n&lt;\n&gt;\n}\nend\n");
}

static void test_partials_that_never_end_are_an_error(void **state)
{
	(void)state;
	assert_fails("{{>p}}", "{}", "{\"p\":\"x{{>p}}\"}", -ELOOP,
		     "partial p:1:2: more than 32 sections and partials inside each other");
	assert_fails("{{>a}}", "{}", "{\"a\":\"{{>b}}\",\"b\":\"{{>a}}\"}", -ELOOP,
		     "without an end");
	assert_fails("{{#a}}{{>p}}{{/a}}", "{\"a\":{\"c\":1}}",
		     "{\"p\":\"{{#a}}{{#a.c}}{{>p}}{{/a.c}}{{/a}}\"}", -ELOOP, "partial p:1:");
}

static void test_errors_of_finding_a_partial_come_back_but_an_absent_one_is_empty(void **state)
{
	(void)state;
	assert_renders("[{{>absent}}]", "{}", "{}", "[]");
	struct rendering rendering = render_limited("{{>broken}}", "{}", "{}", 100);
	assert_int_equal(rendering.result, -EACCES);
	assert_string_equal(rendering.error.message, "cannot read broken");
	buffer_free(&rendering.output);
}

static char *repeat(const char *text, size_t count)
{
	struct buffer buffer = BUFFER(64 << 20);
	for (size_t i = 0; i < count; i++)
		buffer_add_text(&buffer, text);
	assert_false(buffer.failed);
	return buffer_take(&buffer);
}

static void test_nesting_size_and_output_are_bounded(void **state)
{
	(void)state;
	CLEANUP(freep) char *deep = repeat("{{#a}}", TEMPLATE_NESTING + 1);
	assert_fails(deep, "{}", NULL, -ELOOP, "1:193: more than 32 sections");

	CLEANUP(freep) char *opened = repeat("{{#a}}", TEMPLATE_NESTING);
	CLEANUP(freep) char *closed = repeat("{{/a}}", TEMPLATE_NESTING);
	CLEANUP(freep) char *nested = string_format("%sx%s", opened, closed);
	assert_renders(nested, "{\"a\":1}", NULL, "x");

	CLEANUP(freep) char *large = repeat("x", TEMPLATE_LIMIT + 1);
	assert_fails(large, "{}", NULL, -EFBIG, "t.mustache: a template has at most 262144 bytes");

	struct rendering rendering = render_limited("12345\n{{a}}", "{\"a\":\"67890\"}", NULL, 10);
	assert_int_equal(rendering.result, -EMSGSIZE);
	assert_string_equal(rendering.error.message,
			    "t.mustache:2:1: more than 10 bytes of output");
	assert_string_equal(buffer_text(&rendering.output), "");
	assert_false(rendering.output.failed);
	buffer_free(&rendering.output);
}

static void test_failure_leaves_earlier_output_as_it_was(void **state)
{
	(void)state;
	struct buffer output = BUFFER(100);
	struct template_options options = {.escape = TEMPLATE_ESCAPE_HTML};
	buffer_add_text(&output, "before");
	cJSON *values = json_array();
	assert_int_equal(template_render("x{{/a}}", 7, values, &options, &output, NULL), -EINVAL);
	assert_int_equal(template_render("x{{.}}", 6, values, &options, &output, NULL), -EINVAL);
	assert_int_equal(template_render("after", 5, values, &options, &output, NULL), 0);
	cJSON_Delete(values);
	assert_string_equal(buffer_text(&output), "beforeafter");
	buffer_free(&output);
}

static void test_work_that_writes_nothing_is_bounded(void **state)
{
	(void)state;
	CLEANUP(freep) char *opened = repeat("{{#a}}", 20);
	CLEANUP(freep) char *closed = repeat("{{/a}}", 20);
	CLEANUP(freep) char *loops = string_format("%s%s", opened, closed);
	assert_fails(loops, "{\"a\":[1,2,3,4,5,6,7,8,9]}", NULL, -E2BIG, "more than 4194304 steps");
	/* 2^31 calls of partials, were they made */
	assert_fails("{{>p}}", "{\"a\":[1,1]}", "{\"p\":\"{{#a}}{{>q}}{{/a}}\",\"q\":\"{{>p}}\"}",
		     -ELOOP, "without an end");
}

static void test_many_partials_are_an_error(void **state)
{
	(void)state;
	struct buffer template = BUFFER(1 << 16);
	for (int i = 0; i <= TEMPLATE_PARTIALS; i++)
		buffer_add_format(&template, "{{>p%d}}{{>p%d}}\n", i, i);
	assert_fails(buffer_text(&template), "{}", NULL, -E2BIG, ":65:1: more than 64 different");
	buffer_free(&template);
}

static char *directory_new(void)
{
	char *directory = string_copy("/tmp/origin-ca-template-XXXXXX");
	assert_non_null(mkdtemp(directory));
	return directory;
}

static void file_put(const char *directory, const char *name, const char *text)
{
	struct error error = {0};
	CLEANUP(closep) int fd = -1;
	assert_int_equal(directory_make_path(directory, &FILE_ACCESS(0755), &fd, &error), 0);
	assert_int_equal(file_write_at(fd, directory, name, text, strlen(text), &FILE_ACCESS(0644),
				       FILE_NO_SYNC, &error),
			 0);
}

static void test_users_template_is_found_before_the_packaged_one(void **state)
{
	(void)state;
	CLEANUP(freep) char *base = directory_new();
	struct string_list directories = {0};
	string_list_take(&directories, string_format("%s/own", base));
	string_list_take(&directories, string_format("%s/packaged", base));
	struct buffer text = BUFFER(TEMPLATE_LIMIT);
	struct error error = {0};
	CLEANUP(freep) char *path = NULL;

	assert_int_equal(template_load("nginx", &directories, &text, NULL, &error), -ENOENT);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, directories.items[0]));
	assert_non_null(strstr(error.message, directories.items[1]));

	file_put(directories.items[1], "nginx.mustache", "packaged");
	assert_int_equal(template_load("nginx", &directories, &text, NULL, &error), 0);
	assert_string_equal(buffer_text(&text), "packaged");

	file_put(directories.items[0], "nginx.mustache", "own");
	assert_int_equal(template_load("nginx", &directories, &text, &path, &error), 0);
	assert_string_equal(buffer_text(&text), "own");
	assert_true(string_ends(path, "/own/nginx.mustache"));

	assert_int_equal(template_load(path, NULL, &text, NULL, &error), 0);
	assert_string_equal(buffer_text(&text), "own");
	assert_int_equal(template_load("/nowhere/x.mustache", NULL, &text, NULL, &error), -ENOENT);
	assert_int_equal(template_load("../own/nginx", &directories, &text, NULL, &error), -EINVAL);
	assert_int_equal(template_load(".nginx", &directories, &text, NULL, &error), -EINVAL);
	assert_int_equal(template_load("", &directories, &text, NULL, &error), -EINVAL);

	CLEANUP(freep) char *large = repeat("x", TEMPLATE_LIMIT + 1);
	file_put(directories.items[0], "large.mustache", large);
	assert_int_equal(template_load("large", &directories, &text, NULL, &error), -EFBIG);
	assert_int_equal(error.class, ERROR_CONFIGURATION);

	buffer_free(&text);
	string_list_free(&directories);
	assert_int_equal(file_remove_at(AT_FDCWD, "", base, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors_say_source_line_and_column),
		cmocka_unit_test(test_bad_names_and_delimiters_are_refused),
		cmocka_unit_test(test_delimiters_may_be_odd),
		cmocka_unit_test(test_truth_is_that_of_javascript_but_for_lists),
		cmocka_unit_test(test_numbers_have_no_exponent_and_no_needless_digits),
		cmocka_unit_test(test_null_in_an_inner_context_hides_the_outer_one),
		cmocka_unit_test(test_every_line_of_a_nested_partial_is_indented_once),
		cmocka_unit_test(test_partials_that_never_end_are_an_error),
		cmocka_unit_test(
			test_errors_of_finding_a_partial_come_back_but_an_absent_one_is_empty),
		cmocka_unit_test(test_nesting_size_and_output_are_bounded),
		cmocka_unit_test(test_failure_leaves_earlier_output_as_it_was),
		cmocka_unit_test(test_work_that_writes_nothing_is_bounded),
		cmocka_unit_test(test_many_partials_are_an_error),
		cmocka_unit_test(test_users_template_is_found_before_the_packaged_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
