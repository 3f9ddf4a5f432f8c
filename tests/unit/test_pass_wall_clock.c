/* When this host's clock is not to be believed: pass/wall_clock.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "pass/wall_clock.h"

static void assert_says(const struct error *error, const char *const *words)
{
	assert_int_equal(error->class, ERROR_LOCAL);
	for (; *words; words++)
		if (!strstr(error->message, *words) && !strstr(error->remedy, *words))
			fail_msg("%s is not in: %s -> %s", *words, error->message, error->remedy);
}

static void test_clock_before_the_build_is_wrong(void **state)
{
	(void)state;
	struct error error = {0};
	assert_int_equal(wall_clock_check(clock_build_date, 0, NULL, &error), 0);
	assert_int_equal(wall_clock_check(clock_build_date - 1, 0, NULL, &error), -ETIME);
	char text[CLOCK_TEXT_SIZE];
	clock_format(clock_build_date, text);
	assert_says(&error, (const char *[]){"clock is wrong", "this program was built", text,
					     "no certificate is asked for", "served", "timedatectl",
					     "chronyc", NULL});
}

static void test_clock_of_1970_after_a_dead_battery_is_wrong(void **state)
{
	(void)state;
	struct error error = {0};
	assert_int_equal(wall_clock_check(17, 0, NULL, &error), -ETIME);
	assert_says(&error, (const char *[]){"1970-01-01T00:00:17Z", "later", NULL});
}

static void test_clock_an_hour_before_a_certificate_was_issued_is_wrong(void **state)
{
	(void)state;
	struct error error = {0};
	int64_t now = clock_build_date + 100 * CLOCK_DAY;
	assert_int_equal(wall_clock_check(now, now - CLOCK_DAY, "shop", &error), 0);
	assert_int_equal(wall_clock_check(now, now + CLOCK_HOUR, "shop", &error), 0);
	assert_int_equal(wall_clock_check(now, now + CLOCK_HOUR + 1, "shop", &error), -ETIME);
	assert_says(&error, (const char *[]){"the certificate shop was issued", "later", NULL});
}

static void test_clock_more_than_an_hour_from_the_apis_is_wrong_both_ways(void **state)
{
	(void)state;
	struct error error = {0};
	int64_t now = 0;
	assert_int_equal(clock_parse("2031-01-01T00:00:00Z", &now), 0);
	for (int sign = -1; sign <= 1; sign += 2) {
		assert_int_equal(wall_clock_compare(now, sign * CLOCK_HOUR, "[api]", &error), 0);
		assert_int_equal(wall_clock_compare(now, sign * (CLOCK_HOUR + 1), "[api]", &error),
				 -ETIME);
	}
	assert_int_equal(wall_clock_compare(now, -10 * CLOCK_DAY, "[api shop]", &error), -ETIME);
	assert_says(&error, (const char *[]){"it says 2031-01-01T00:00:00Z",
					     "the clock of [api shop] says 2030-12-22T00:00:00Z",
					     "10 days earlier", NULL});
}

static void test_what_was_heard_of_the_time_is_told(void **state)
{
	(void)state;
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	struct pass pass = {.clock = {.offset = -7, .heard_at = 1800000000, .source = "[api b]"}};
	wall_clock_json(&pass, json);
	const cJSON *clock = cJSON_GetObjectItemCaseSensitive(json, "clock");
	assert_int_equal(json_integer(clock, "offset", 0), -7);
	assert_string_equal(json_string(clock, "source"), "[api b]");
	assert_string_equal(json_string(clock, "heard_at"), "2027-01-15T08:00:00Z");
	assert_null(cJSON_GetObjectItemCaseSensitive(clock, "error"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_before_the_build_is_wrong),
		cmocka_unit_test(test_clock_of_1970_after_a_dead_battery_is_wrong),
		cmocka_unit_test(test_clock_an_hour_before_a_certificate_was_issued_is_wrong),
		cmocka_unit_test(test_clock_more_than_an_hour_from_the_apis_is_wrong_both_ways),
		cmocka_unit_test(test_what_was_heard_of_the_time_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
