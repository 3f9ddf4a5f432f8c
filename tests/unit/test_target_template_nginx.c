/* The real nginx reads back exactly the value that was put in, or the value is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "nginx_run.h"
#include "target/template.h"

/* nginx names the file that it cannot open: what it took for the directive's argument. */
struct place {
	const char *template;
	const char *before, *after; /* of the value, in the file's name */
	bool bare;		    /* not in quotation marks */
	bool comment;
};

#define HEAD "pid nginx.pid; error_log stderr; events {}\n"

static const struct place places[] = {
	{HEAD "include \"{{value}}\";\n", "", "", false, false},
	{HEAD "include '{{value}}';\n", "", "", false, false},
	{HEAD "include {{value}};\n", "", "", true, false},
	{HEAD "include x/{{value}}/y;\n", "x/", "/y", true, false},
	{HEAD "include \"x {{value}} ;\";\n", "x ", " ;", false, false},
	{HEAD "include 'x\\'{{value}}\"';\n", "x'", "\"", false, false},
	{HEAD "# \"{{value}}\ninclude sentinel;\n", "sentinel", NULL, false, true},
	{HEAD "include{{! }} \"{{#value}}{{.}}{{/value}}\"\n;", "", "", false, false},
};

static const char *const hostile[] = {
	"plain",
	"with space",
	"a; daemon off",
	"a\"; daemon off; #",
	"a'; daemon off; #",
	"a\\",
	"a\\\\",
	"\\\"",
	"\\\\\"; daemon off; #",
	"\\n\\t\\r",
	"} http { server { listen 80; } }",
	"{",
	"}",
	"#",
	"#a",
	"a#",
	"$document_root",
	"${a}",
	"a$",
	"'\"\"'",
	"\"",
	"'",
	"\xc3\xa9\xe4\xbe\x8b.example",
	"a)b(c",
};

static bool is_expected_to_be_refused(const struct place *place, const char *value)
{
	return !place->comment && (strchr(value, '$') || (place->bare && strpbrk(value, " ;{}#")));
}

static void assert_nginx_reads_the_value(const char *nginx, const char *directory,
					 const struct place *place, const char *value,
					 size_t *refused)
{
	struct template_options options = {
		.escape = TEMPLATE_ESCAPE_NGINX,
		.source_name = "test",
	};
	struct buffer output = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	cJSON *values = json_object();
	json_add_string(values, "value", value);
	int result = template_render(place->template, strlen(place->template), values, &options,
				     &output, &error);
	cJSON_Delete(values);
	if (is_expected_to_be_refused(place, value)) {
		assert_int_equal(result, -EILSEQ);
		assert_int_equal(error.class, ERROR_CONFIGURATION);
		++*refused;
	} else {
		if (result < 0)
			fail_msg("%s", error.message);
		struct buffer said = BUFFER(1 << 16);
		CLEANUP(freep)
		char *expected = string_format("open() \"%s/%s%s%s\" failed", directory,
					       place->before, place->comment ? "" : value,
					       place->comment ? "" : place->after);
		bool taken = nginx_test(nginx, directory, buffer_text(&output), &said);
		if (taken || !strstr(buffer_text(&said), expected))
			fail_msg("value <%s> written as <%s>: not <%s> but <%s>", value,
				 buffer_text(&output), expected, buffer_text(&said));
		buffer_free(&said);
	}
	buffer_free(&output);
}

static char *directory_new(void)
{
	char *directory = string_copy("/tmp/origin-ca-nginx-XXXXXX");
	assert_non_null(mkdtemp(directory));
	return directory;
}

static void directory_drop(char *directory)
{
	struct error error = {0};
	assert_int_equal(file_remove_at(AT_FDCWD, "", directory, &error), 0);
	free(directory);
}

static void test_no_hostile_value_leaves_its_argument(void **state)
{
	(void)state;
	const char *nginx = nginx_find();
	if (!nginx) {
		print_message("skipped: nginx is not installed\n");
		skip();
	}
	char *directory = directory_new();
	size_t refused = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (size_t j = 0; j < ARRAY_SIZE(hostile); j++)
			assert_nginx_reads_the_value(nginx, directory, &places[i], hostile[j],
						     &refused);
	assert_true(refused > 0 && refused < ARRAY_SIZE(places) * ARRAY_SIZE(hostile) / 2);
	directory_drop(directory);
}

/* The same for short words of all bytes that mean something to nginx. */
static void test_no_mixture_of_special_bytes_leaves_its_argument(void **state)
{
	(void)state;
	const char *nginx = nginx_find();
	if (!nginx) {
		print_message("skipped: nginx is not installed\n");
		skip();
	}
	static const char alphabet[] = "\\\\\\\"\"'';{}# abntr$()";
	char *directory = directory_new();
	size_t refused = 0;
	uint32_t random = 20251122; /* fixed: a failure can be repeated */
	for (size_t i = 0; i < 120; i++) {
		char value[8] = "";
		random = random * 1664525 + 1013904223;
		size_t length = 1 + (random >> 16) % (sizeof(value) - 1);
		for (size_t j = 0; j < length; j++) {
			random = random * 1664525 + 1013904223;
			value[j] = alphabet[(random >> 16) % (sizeof(alphabet) - 1)];
		}
		assert_nginx_reads_the_value(nginx, directory, &places[i % ARRAY_SIZE(places)],
					     value, &refused);
	}
	assert_true(refused < 100);
	directory_drop(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_hostile_value_leaves_its_argument),
		cmocka_unit_test(test_no_mixture_of_special_bytes_leaves_its_argument),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
