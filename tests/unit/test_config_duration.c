/* duration.c, names.c and nearest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "config/duration.h"
#include "config/model.h"
#include "config/nearest.h"

static void assert_seconds(const char *text, int64_t expected)
{
	int64_t seconds = -1;
	assert_int_equal(duration_parse(text, &seconds), 0);
	assert_int_equal(seconds, expected);
}

static void test_durations_are_a_number_and_a_unit(void **state)
{
	(void)state;
	assert_seconds("30d", INT64_C(30) * 86400);
	assert_seconds("12h", INT64_C(43200));
	assert_seconds("15m", INT64_C(900));
	assert_seconds("30s", 30);
	assert_seconds("0s", 0);
	assert_seconds("007m", INT64_C(420));
}

static void test_everything_else_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"",	     "d",    "30",   "-1d",  "+1d", "1.5h", "1w",
					    "1h30m", "30 d", " 30d", "30d ", "30D", "0x1s"};
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int64_t seconds = -7;
		assert_int_equal(duration_parse(wrong[i], &seconds), -EINVAL);
		assert_int_equal(seconds, -7);
	}
}

static void test_a_hundred_years_are_the_most(void **state)
{
	(void)state;
	int64_t seconds = 0;
	assert_seconds("36525d", INT64_C(36525) * 86400);
	assert_seconds("3155760000s", INT64_C(3155760000));
	assert_int_equal(duration_parse("36526d", &seconds), -ERANGE);
	assert_int_equal(duration_parse("3155760001s", &seconds), -ERANGE);
	assert_int_equal(duration_parse("99999999999999999999999999999999d", &seconds), -ERANGE);
	assert_int_equal(duration_parse("18446744073709551617s", &seconds), -ERANGE);
}

static void assert_reads(int64_t seconds, const char *expected)
{
	char text[DURATION_TEXT_SIZE];
	assert_string_equal(duration_format(seconds, text), expected);
}

static void test_durations_read_well(void **state)
{
	(void)state;
	assert_reads(0, "0 s");
	assert_reads(30, "30 s");
	assert_reads(720, "12 min");
	assert_reads(725, "12 min 5 s");
	assert_reads(3600, "1 h");
	assert_reads(3600 + 59 * 60 + 59, "1 h 59 min");
	assert_reads(INT64_C(100800), "1 day 4 h");
	assert_reads(INT64_C(29) * 86400 + 3600, "29 days");
	assert_reads(-10800, "-3 h");
	assert_reads(INT64_MAX, "106751991167300 days");
	assert_reads(INT64_MIN, "-106751991167300 days");
}

static void test_words_and_numbers_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < KEY_TYPE_COUNT; i++) {
		enum key_type type = KEY_TYPE_COUNT;
		assert_int_equal(key_type_parse(key_type_name((enum key_type)i), &type), 0);
		assert_int_equal(type, i);
	}
	enum key_type type = KEY_RSA_3072;
	assert_int_equal(key_type_parse("rsa-1024", &type), -EINVAL);
	assert_int_equal(key_type_parse(NULL, &type), -EINVAL);
	assert_int_equal(type, KEY_RSA_3072);
	assert_null(key_type_name(KEY_TYPE_COUNT));
	assert_string_equal(target_type_name(TARGET_NGINX), "nginx");
	assert_string_equal(reload_method_name(RELOAD_RELOAD), "reload");
	assert_string_equal(reload_method_name(RELOAD_RESTART), "restart");
	assert_string_equal(reload_method_name(RELOAD_NONE), "none");
}

static const char *nearest_of(const char *text)
{
	static const char *const names[] = {"hostnames", "targets", "token_file", "api", "mode"};
	struct nearest nearest = {.text = text};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		nearest_consider(&nearest, names[i]);
	return nearest.name ? nearest.name : "(none)";
}

static void test_the_nearest_name_is_found_and_nothing_far(void **state)
{
	(void)state;
	assert_string_equal(nearest_of("hostname"), "hostnames");
	assert_string_equal(nearest_of("Hostnames"), "hostnames");
	assert_string_equal(nearest_of("hsotnames"), "hostnames");
	assert_string_equal(nearest_of("tragest"), "targets");
	assert_string_equal(nearest_of("token"), "token_file");
	assert_string_equal(nearest_of("apy"), "api");
	assert_string_equal(nearest_of("owner"), "(none)");
	assert_string_equal(nearest_of(""), "(none)");
	assert_string_equal(nearest_of("hostnames-hostnames-hostnames-hostnames-hostnames"),
			    "(none)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_are_a_number_and_a_unit),
		cmocka_unit_test(test_everything_else_is_refused),
		cmocka_unit_test(test_a_hundred_years_are_the_most),
		cmocka_unit_test(test_durations_read_well),
		cmocka_unit_test(test_words_and_numbers_go_both_ways),
		cmocka_unit_test(test_the_nearest_name_is_found_and_nothing_far),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
