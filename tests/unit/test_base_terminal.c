/* What fits a terminal: cells and paragraphs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/terminal.h"

static const struct terminal narrow = {.interactive = true, .utf8 = true, .columns = 20, .rows = 5};
static const struct terminal file = {.columns = 20, .rows = 5};

static void assert_cell(const struct terminal *terminal, const char *text, size_t columns, bool pad,
			const char *wanted)
{
	struct buffer out = BUFFER(1000);
	terminal_cell(terminal, text, columns, pad, &out);
	assert_string_equal(buffer_text(&out), wanted);
	buffer_free(&out);
}

static void test_cell_has_the_columns_that_it_was_given(void **state)
{
	(void)state;
	assert_cell(&narrow, "shop", 6, true, "shop  ");
	assert_cell(&narrow, "shop", 6, false, "shop");
	assert_cell(&narrow, "shop", 4, true, "shop");
	assert_cell(&narrow, "shopping", 4, true, "sho\u2026");
	assert_cell(&file, "shopping", 4, true, "sho~");
	assert_cell(&narrow, "m\u00fcller\u00e4", 6, true, "m\u00fclle\u2026");
	assert_cell(&narrow, "m\u00fcller", 7, true, "m\u00fcller ");
	assert_cell(&narrow, "shop", 0, true, "");
	assert_int_equal(terminal_width("m\u00fcller"), 6);
}

static void assert_paragraph(const struct terminal *terminal, const char *text, const char *wanted)
{
	struct buffer out = BUFFER(1000);
	terminal_paragraph(terminal, "  ", 4, text, &out);
	assert_string_equal(buffer_text(&out), wanted);
	buffer_free(&out);
}

static void test_paragraph_is_broken_on_a_terminal_only(void **state)
{
	(void)state;
	assert_paragraph(&narrow, "short", "  short\n");
	assert_paragraph(&narrow, "one two three four five six",
			 "  one two three four\n    five six\n");
	assert_paragraph(&narrow, "an-unbroken-word-of-many-letters and more",
			 "  an-unbroken-word-o\n    f-many-letters\n    and more\n");
	assert_paragraph(&file, "one two three four five six", "  one two three four five six\n");
	assert_paragraph(&narrow, "", "  \n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cell_has_the_columns_that_it_was_given),
		cmocka_unit_test(test_paragraph_is_broken_on_a_terminal_only),
	};
	return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
