/* The log of much that happened at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/summary.h"

/* What summary_log() writes; free() it. */
static char *logged(struct summary *summary)
{
	FILE *file = tmpfile();
	assert_non_null(file);
	int before = dup(STDERR_FILENO);
	assert_int_equal(dup2(fileno(file), STDERR_FILENO), STDERR_FILENO);
	summary_log(summary, "certificates", "see status");
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
	rewind(file);
	char *text = memory_alloc(1 << 20, 1);
	assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
	fclose(file);
	assert_int_equal(summary->count, 0);
	return text;
}

static size_t line_count(const char *text)
{
	size_t count = 0;
	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static void add(struct summary *summary, enum log_level level, unsigned number, const char *kind,
		const char *format, ...) PRINTF_LIKE(5, 6);

/* Of "c007.example.com" with number 7. */
static void add(struct summary *summary, enum log_level level, unsigned number, const char *kind,
		const char *format, ...)
{
	char name[32];
	char words[200];
	va_list arguments;
	snprintf(name, sizeof(name), "c%03u.example.com", number);
	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	summary_add(summary, level, name, kind, words);
}

static void test_few_are_told_of_one_by_one_in_their_order(void **state)
{
	(void)state;
	struct summary summary = {0};
	for (unsigned i = 0; i < SUMMARY_EACH; i++) {
		add(&summary, LOG_LEVEL_NOTICE, i, "issued", "issued generation %u", i);
		add(&summary, LOG_LEVEL_ERROR, i, NULL, "%u failures of c%03u.example.com", i, i);
	}
	CLEANUP(freep) char *text = logged(&summary);
	assert_int_equal(line_count(text), 2 * SUMMARY_EACH);
	assert_ptr_equal(strstr(text, "c000.example.com: issued generation 0\n"
				      "error: c000.example.com: 0 failures of c000.example.com\n"
				      "c001.example.com: issued generation 1\n"),
			 text);
}

static void test_many_become_one_line_and_the_odd_one_stands_out(void **state)
{
	(void)state;
	struct summary summary = {0};
	for (unsigned i = 0; i < 200; i++) {
		add(&summary, LOG_LEVEL_NOTICE, i, "issued", "issued generation %u", i);
		if (i == 77)
			add(&summary, LOG_LEVEL_ERROR, i, NULL,
			    "%u times refused by c%03u.example.com.conf:3", i, i);
	}
	CLEANUP(freep) char *text = logged(&summary);
	assert_string_equal(text, "200 certificates: issued (c000.example.com, c001.example.com, "
				  "c002.example.com and 197 more)\n"
				  "error: c077.example.com: 77 times refused by "
				  "c077.example.com.conf:3\n");
}

static void test_failures_that_differ_in_names_and_numbers_are_one(void **state)
{
	(void)state;
	struct summary summary = {0};
	for (unsigned i = 8; i < 200; i++)
		add(&summary, LOG_LEVEL_ERROR, i, NULL,
		    "after %u s: cannot write c%03u.example.com.conf", i, i);
	CLEANUP(freep) char *text = logged(&summary);
	assert_string_equal(text, "error: 192 certificates: c008.example.com, c009.example.com, "
				  "c010.example.com and 189 more; the first of them: "
				  "after 8 s: cannot write c008.example.com.conf\n");
}

static void test_same_words_of_other_weight_are_another_kind(void **state)
{
	(void)state;
	struct summary summary = {0};
	for (unsigned i = 0; i < 2 * SUMMARY_EACH; i++)
		add(&summary, i % 2 ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, i, "kind", "number %u",
		    i);
	CLEANUP(freep) char *text = logged(&summary);
	assert_int_equal(line_count(text), 2 * SUMMARY_EACH);
}

/* "aaa...": another kind each, by its length */
static void add_odd(struct summary *summary, enum log_level level, unsigned number)
{
	char words[400];
	memset(words, 'a', sizeof(words));
	words[number] = '\0';
	summary_add(summary, level, "odd", NULL, words);
}

static void test_what_is_too_much_is_counted_and_hides_no_failure(void **state)
{
	(void)state;
	struct summary summary = {0};
	for (unsigned i = 1; i <= SUMMARY_LINES + 7; i++)
		add_odd(&summary, LOG_LEVEL_NOTICE, i);
	summary_add(&summary, LOG_LEVEL_ERROR, "late", NULL, "failed");
	CLEANUP(freep) char *text = logged(&summary);
	assert_int_equal(line_count(text), SUMMARY_LINES + 2);
	assert_non_null(strstr(text, "error: late: failed\n"));
	assert_non_null(strstr(text, "warning: 7 more events are not listed here; see status\n"));
}

static void test_nothing_is_nothing(void **state)
{
	(void)state;
	struct summary summary = {0};
	CLEANUP(freep) char *text = logged(&summary);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_are_told_of_one_by_one_in_their_order),
		cmocka_unit_test(test_many_become_one_line_and_the_odd_one_stands_out),
		cmocka_unit_test(test_failures_that_differ_in_names_and_numbers_are_one),
		cmocka_unit_test(test_same_words_of_other_weight_are_another_kind),
		cmocka_unit_test(test_what_is_too_much_is_counted_and_hides_no_failure),
		cmocka_unit_test(test_nothing_is_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
