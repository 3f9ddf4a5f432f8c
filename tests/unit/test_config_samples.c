/* What the documentation and the sample file tell people to write is taken as it is. */
#include "config_text.h"

static char *sample_read(const char *name)
{
	CLEANUP(freep) char *path = string_format("%s/%s", TEST_SOURCE_DIR, name);
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	struct error error = {0};
	if (file_read(path, &text, &error) < 0)
		fail_msg("%s", error.message);
	return buffer_take(&text);
}

/* Warnings may be about this host: it may have no Tomcat. */
static struct config *config_taken(const char *text)
{
	struct config *config = config_of(text);
	if (config_error_count(config) > 0) {
		CLEANUP(freep) char *problems = config_problems(config);
		fail_msg("%s\n%s", text, problems);
	}
	return config;
}

/* How many there were. */
static unsigned examples_take(const char *name)
{
	static const char fence[] = "\n```ini\n";
	CLEANUP(freep) char *text = sample_read(name);
	unsigned examples = 0;
	for (const char *at = strstr(text, fence); at; at = strstr(at, fence), examples++) {
		at += strlen(fence);
		const char *end = strstr(at, "\n```\n");
		assert_non_null(end);
		CLEANUP(freep) char *example = string_copy_n(at, (size_t)(end + 1 - at));
		CLEANUP(config_freep) struct config *config = config_taken(example);
		/* The default [api] is always there. */
		assert_true(config->certificate_count + config->target_count > 0 ||
			    config->apis[0]->place.line > 0);
	}
	return examples;
}

static void test_each_example_of_the_documentation_is_taken(void **state)
{
	(void)state;
	assert_true(examples_take("docs/configuration.md") >= 10);
	assert_int_equal(examples_take("docs/remote.md"), 4);
}

/* ";key = value", ";[section]" and ";  an indented line", but no "; comment". */
static bool is_commented_out(const char *line)
{
	return line[0] == ';' && line[1] != '\n' &&
	       (line[1] != ' ' || (line[2] == ' ' && line[3] != ' '));
}

static void test_each_line_of_the_sample_can_be_put_to_use(void **state)
{
	(void)state;
	CLEANUP(freep) char *text = sample_read("etc/agent.ini");
	CLEANUP(config_freep) struct config *sample = config_taken(text);
	assert_problems(sample, "");
	assert_int_equal(sample->certificate_count, 0);
	struct buffer used = BUFFER(CONFIG_FILE_LIMIT);
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n") + 1;
		bool commented = is_commented_out(line);
		buffer_add(&used, line + commented, length - commented);
		line += length;
	}
	buffer_add_text(&used, "[api other-account]\n");
	CLEANUP(config_freep) struct config *all = config_taken(buffer_text(&used));
	assert_int_equal(all->certificate_count, 2);
	assert_int_equal(certificate_of(all, "example.com")->hostnames.count, 4);
	assert_int_equal(all->target_count, 7);
	assert_int_equal(config_api_find(all, "")->root_sha256.count, 1);
	buffer_free(&used);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_example_of_the_documentation_is_taken),
		cmocka_unit_test(test_each_line_of_the_sample_can_be_put_to_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
