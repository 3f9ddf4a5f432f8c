/* Every case of the Mustache specification's core files (data/mustache-spec/). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "target/template.h"

static const char *const files[] = {
	"comments", "delimiters", "interpolation", "inverted", "partials", "sections",
};

static int partial(const char *name, struct buffer *text, void *context, struct error *error)
{
	const char *found = json_string(context, name);
	(void)error;
	return found ? buffer_add_text(text, found) : -ENOENT;
}

/* True when the case renders what it expects; says what it got otherwise. */
static bool run_case(const char *file, const cJSON *test)
{
	const char *template = json_string(test, "template");
	const char *expected = json_string(test, "expected");
	assert_non_null(template);
	assert_non_null(expected);

	struct template_options options = {
		.escape = TEMPLATE_ESCAPE_HTML,
		.partial = partial,
		.context = cJSON_GetObjectItemCaseSensitive(test, "partials"),
		.source_name = file,
	};
	struct buffer output = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	int result = template_render(template, strlen(template),
				     cJSON_GetObjectItemCaseSensitive(test, "data"), &options,
				     &output, &error);
	bool passed = result == 0 && strcmp(buffer_text(&output), expected) == 0;
	if (!passed)
		print_error("%s: \"%s\": expected \"%s\", got \"%s\" (%d %s)\n", file,
			    json_string(test, "name"), expected, buffer_text(&output), result,
			    error.message);
	buffer_free(&output);
	return passed;
}

static void test_every_case_of_the_specification_renders_as_expected(void **state)
{
	(void)state;
	size_t run = 0;
	size_t failed = 0;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct buffer text = BUFFER(FILE_LIMIT);
		struct error error = {0};
		CLEANUP(freep)
		char *path = string_format("%s/mustache-spec/%s.json", TEST_DATA_DIR, files[i]);
		if (file_read(path, &text, &error) < 0)
			fail_msg("%s", error.message);
		cJSON *document = json_parse(buffer_text(&text), text.length);
		const cJSON *tests = cJSON_GetObjectItemCaseSensitive(document, "tests");
		assert_true(cJSON_IsArray(tests));

		size_t in_file = 0;
		const cJSON *test;
		cJSON_ArrayForEach (test, tests) {
			in_file++;
			failed += run_case(files[i], test) ? 0 : 1;
		}
		assert_int_not_equal(in_file, 0);
		run += in_file;
		cJSON_Delete(document);
		buffer_free(&text);
	}
	print_message("%zu cases of the Mustache specification, %zu failed\n", run, failed);
	assert_int_not_equal(run, 0);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_case_of_the_specification_renders_as_expected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
