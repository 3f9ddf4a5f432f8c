/* What would change, as diff(1) shows it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "target/diff.h"

static struct buffer filled(const char *text)
{
	struct buffer buffer = BUFFER(1 << 20);
	buffer_add_text(&buffer, text);
	return buffer;
}

/* `before` may be NULL. */
static void assert_diff(const char *before, const char *after, const char *expected)
{
	struct buffer one = filled(before ? before : "");
	struct buffer other = filled(after);
	struct buffer text = BUFFER(1 << 16);
	struct error error = {0};
	if (diff_unified("/etc/x/shop one.conf", before ? &one : NULL, &other, &text, &error) < 0)
		fail_msg("%s", error.message);
	assert_string_equal(buffer_text(&text), expected);
	buffer_free(&one);
	buffer_free(&other);
	buffer_free(&text);
}

static void test_changed_lines_stand_between_what_stays(void **state)
{
	(void)state;
	assert_diff("a\nb\nc\n", "a\nB\nc\n",
		    "--- /etc/x/shop one.conf (in place)\n+++ /etc/x/shop one.conf (new)\n"
		    "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
}

static void test_same_texts_differ_in_nothing(void **state)
{
	(void)state;
	assert_diff("a\nb\n", "a\nb\n", "");
	assert_diff("", "", "");
}

static void test_without_a_file_everything_is_new(void **state)
{
	(void)state;
	assert_diff(NULL, "a\nb\n",
		    "--- /dev/null\n+++ /etc/x/shop one.conf (new)\n@@ -0,0 +1,2 @@\n+a\n+b\n");
	assert_diff("", "a\n",
		    "--- /etc/x/shop one.conf (in place)\n+++ /etc/x/shop one.conf (new)\n"
		    "@@ -0,0 +1 @@\n+a\n");
	assert_diff("a", "a\n",
		    "--- /etc/x/shop one.conf (in place)\n+++ /etc/x/shop one.conf (new)\n"
		    "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n");
}

static void test_control_characters_and_other_bytes_do_not_reach_the_terminal(void **state)
{
	(void)state;
	assert_diff("\033[31m\xff\n", "\tx\n",
		    "--- /etc/x/shop one.conf (in place)\n+++ /etc/x/shop one.conf (new)\n"
		    "@@ -1 +1 @@\n- [31m?\n+        x\n");
	/* A 0 byte would make "binary files differ" of it. */
	struct buffer one = BUFFER(100);
	struct buffer other = filled("text\n");
	struct buffer text = BUFFER(1000);
	struct error error = {0};
	buffer_add(&one, "a\0b\n", 4);
	assert_int_equal(diff_unified("/x", &one, &other, &text, &error), 0);
	assert_non_null(strstr(buffer_text(&text), "\n-a b\n+text\n"));
	buffer_free(&one);
	buffer_free(&other);
	buffer_free(&text);
}

static void test_difference_that_is_too_large_is_an_error_and_adds_nothing(void **state)
{
	(void)state;
	struct buffer one = filled("");
	struct buffer other = BUFFER(1 << 20);
	for (int i = 0; i < 20000; i++)
		buffer_add_text(&other, "one line of many\n");
	struct buffer text = BUFFER(1000);
	struct error error = {0};
	buffer_add_text(&text, "before");
	assert_int_equal(diff_unified("/x", &one, &other, &text, &error), -EMSGSIZE);
	assert_string_equal(buffer_text(&text), "before");
	assert_false(text.failed);
	assert_non_null(strstr(error.message, "1000 bytes"));
	/* A snippet of the largest size can be shown. */
	text.limit = 4 << 20;
	assert_int_equal(diff_unified("/x", &one, &other, &text, &error), 0);
	assert_true(text.length > other.length);
	buffer_free(&one);
	buffer_free(&other);
	buffer_free(&text);
}

static void test_no_descriptor_is_left_open(void **state)
{
	(void)state;
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	assert_diff("a\n", "b\n",
		    "--- /etc/x/shop one.conf (in place)\n+++ /etc/x/shop one.conf (new)\n"
		    "@@ -1 +1 @@\n-a\n+b\n");
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_int_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changed_lines_stand_between_what_stays),
		cmocka_unit_test(test_same_texts_differ_in_nothing),
		cmocka_unit_test(test_without_a_file_everything_is_new),
		cmocka_unit_test(test_control_characters_and_other_bytes_do_not_reach_the_terminal),
		cmocka_unit_test(test_difference_that_is_too_large_is_an_error_and_adds_nothing),
		cmocka_unit_test(test_no_descriptor_is_left_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
