/* When the agent renews, retries and stops: pass/schedule.h and pass/note.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "pass/note.h"
#include "pass/schedule.h"

#define START INT64_C(1800000000)

static struct config config_of(int64_t splay)
{
	return (struct config){.agent = {.splay = splay}};
}

static struct leaf_facts leaf_of(int64_t lifetime)
{
	return (struct leaf_facts){.not_before = START, .not_after = START + lifetime};
}

static void test_third_of_the_lifetime_is_left_at_renewal(void **state)
{
	(void)state;
	struct config config = config_of(0);
	char name[] = "shop";
	struct config_certificate certificate = {.name = name, .renew_before = {.percent = 33}};
	struct leaf_facts facts = leaf_of(90 * CLOCK_DAY);
	struct renewal renewal = schedule_renewal(&config, &certificate, &facts);

	assert_int_equal(facts.not_after - renewal.window, 90 * CLOCK_DAY / 100 * 33);
	assert_int_equal(renewal.moment, renewal.window);
	assert_int_equal(facts.not_after - renewal.emergency, 90 * CLOCK_DAY / 20);
}

static void test_splay_is_stable_and_within_a_tenth_of_the_window(void **state)
{
	(void)state;
	struct config config = config_of(-1);
	struct leaf_facts facts = leaf_of(100 * CLOCK_DAY);
	char name[16];
	struct config_certificate certificate = {.name = name,
						 .renew_before = {.seconds = 30 * CLOCK_DAY}};
	int64_t least = INT64_MAX;
	int64_t most = 0;

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "host%d", i);
		struct renewal one = schedule_renewal(&config, &certificate, &facts);
		struct renewal two = schedule_renewal(&config, &certificate, &facts);
		int64_t splay = one.moment - one.window;
		assert_int_equal(one.moment, two.moment);
		assert_in_range(splay, 0, 3 * CLOCK_DAY);
		least = splay < least ? splay : least;
		most = splay > most ? splay : most;
	}
	/* It spreads: 200 names fill most of the three days. */
	assert_true(least < CLOCK_DAY / 4);
	assert_true(most > 2 * CLOCK_DAY + CLOCK_DAY / 2);
}

static void test_window_longer_than_the_lifetime_does_not_renew_for_ever(void **state)
{
	(void)state;
	struct config config = config_of(0);
	char name[] = "shop";
	struct config_certificate certificate = {.name = name,
						 .renew_before = {.seconds = 30 * CLOCK_DAY}};
	struct leaf_facts facts = leaf_of(7 * CLOCK_DAY);
	struct renewal renewal = schedule_renewal(&config, &certificate, &facts);

	assert_true(renewal.window > facts.not_before);
}

static uint32_t draw(void)
{
	return random_u32();
}

static void test_transient_failures_back_off_to_six_hours(void **state)
{
	(void)state;
	struct error error = {.class = ERROR_TRANSIENT, .code = -EIO};

	for (unsigned count = 1; count < 40; count++) {
		int64_t delay =
			schedule_retry(&error, count, SCHEDULE_NEVER, draw(), START) - START;
		int64_t most = count < 11 ? 30 + (INT64_C(30) << (count - 1)) : 6 * CLOCK_HOUR;
		assert_in_range(delay, 30, most);
	}
	int64_t longest = 0;
	for (int i = 0; i < 200; i++) {
		int64_t delay = schedule_retry(&error, 30, SCHEDULE_NEVER, draw(), START) - START;
		longest = delay > longest ? delay : longest;
	}
	assert_true(longest > 5 * CLOCK_HOUR);
}

static void test_retry_after_is_obeyed_within_reason(void **state)
{
	(void)state;
	struct error error = {.class = ERROR_TRANSIENT, .code = -EBUSY, .retry_after = 50000};
	assert_int_equal(schedule_retry(&error, 1, SCHEDULE_NEVER, 0, START), START + 50000);
	error.retry_after = INT64_C(9999999999);
	assert_int_equal(schedule_retry(&error, 1, SCHEDULE_NEVER, 0, START), START + CLOCK_DAY);
}

static void test_permanent_failures_do_not_hammer_but_hurry_in_an_emergency(void **state)
{
	(void)state;
	static const enum error_class classes[] = {ERROR_CONFIGURATION, ERROR_AUTHORIZATION,
						   ERROR_BUG};
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		struct error error = {.class = classes[i], .code = -EACCES};
		assert_int_equal(schedule_retry(&error, 1, SCHEDULE_NEVER, 0, START),
				 START + 6 * CLOCK_HOUR);
		assert_int_equal(schedule_retry(&error, 9, 0, 0, START), START + CLOCK_HOUR);
	}
	struct error local = {.class = ERROR_LOCAL, .code = -ENOSPC};
	assert_int_equal(schedule_retry(&local, 7, SCHEDULE_NEVER, 0, START),
			 START + 5 * CLOCK_MINUTE);
}

/* A site that is about to go dark does not wait for a day because an overloaded API said so. */
static void test_emergency_overrides_what_the_other_side_asks_for_but_not_the_budget(void **state)
{
	(void)state;
	struct error error = {.class = ERROR_TRANSIENT, .code = -EBUSY, .retry_after = 50000};
	assert_int_equal(schedule_retry(&error, 1, START, 0, START), START + CLOCK_HOUR);
	/* Before the first certificate nothing goes dark. */
	assert_int_equal(schedule_retry(&error, 1, 0, 0, START), START + 50000);
	error.retry_after = 600;
	assert_int_equal(schedule_retry(&error, 1, START, 0, START), START + 600);
	struct error budget = {.class = ERROR_BUG, .code = -EDQUOT, .retry_after = 50000};
	assert_int_equal(schedule_retry(&budget, 1, START, 0, START), START + 50000);
}

/* Or the first hours of the last twentieth would be slept through. */
static void test_failure_before_an_emergency_is_not_put_off_into_it(void **state)
{
	(void)state;
	struct error error = {.class = ERROR_CONFIGURATION, .code = -EINVAL};
	static const struct {
		int64_t emergency, next;
	} table[] = {
		{-5 * CLOCK_HOUR, CLOCK_HOUR},	      /* it has begun */
		{CLOCK_MINUTE, CLOCK_HOUR},	      /* hourly is enough */
		{2 * CLOCK_HOUR, 2 * CLOCK_HOUR},     /* as it begins */
		{6 * CLOCK_HOUR + 1, 6 * CLOCK_HOUR}, /* the backoff ends before */
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		assert_int_equal(schedule_retry(&error, 1, START + table[i].emergency, 0, START),
				 START + table[i].next);
	assert_int_equal(schedule_retry(&error, 1, SCHEDULE_NEVER, 0, START),
			 START + 6 * CLOCK_HOUR);
}

/* Each try of this class may have made a certificate that is of no use. */
static void test_broken_contract_is_tried_once_a_day_in_the_end(void **state)
{
	(void)state;
	struct error error = {.class = ERROR_BUG, .code = -EBADMSG};
	static const int64_t hours[] = {6, 12, 24, 24};
	for (unsigned i = 0; i < ARRAY_SIZE(hours); i++)
		assert_int_equal(schedule_retry(&error, i + 1, SCHEDULE_NEVER, 0, START),
				 START + hours[i] * CLOCK_HOUR);
	assert_int_equal(schedule_retry(&error, 4000000000U, SCHEDULE_NEVER, 0, START),
			 START + CLOCK_DAY);
}

/* A thousand that failed together are one pass, not a thousand. */
static void test_one_draw_gives_all_of_a_pass_the_same_moment(void **state)
{
	(void)state;
	struct error error = {.class = ERROR_TRANSIENT, .code = -EIO};
	uint32_t jitter = draw();
	int64_t first = schedule_retry(&error, 5, SCHEDULE_NEVER, jitter, START);
	for (int i = 0; i < 100; i++)
		assert_int_equal(schedule_retry(&error, 5, SCHEDULE_NEVER, jitter, START), first);
	assert_int_equal(schedule_retry(&error, 5, SCHEDULE_NEVER, 0, START), START + 30);
	assert_in_range(schedule_retry(&error, 5, SCHEDULE_NEVER, UINT32_MAX, START), START + 500,
			START + 510);
}

static void test_sixth_certificate_of_a_day_waits_for_the_first_to_be_a_day_old(void **state)
{
	(void)state;
	struct state store = {0};
	for (int i = 0; i < 4; i++)
		state_issue_add(&store, START + i * CLOCK_HOUR);
	assert_int_equal(schedule_budget(&store, START + 4 * CLOCK_HOUR), 0);
	state_issue_add(&store, START + 4 * CLOCK_HOUR);
	assert_int_equal(schedule_budget(&store, START + 5 * CLOCK_HOUR), START + CLOCK_DAY);
	assert_int_equal(schedule_budget(&store, START + CLOCK_DAY + 1), 0);
	state_free(&store);
}

/* Else a step back would be a new day. */
static void test_clock_that_was_set_back_does_not_renew_the_budget(void **state)
{
	(void)state;
	struct state store = {0};
	for (int i = 0; i < 5; i++)
		state_issue_add(&store, START + i);
	assert_int_equal(schedule_budget(&store, START - CLOCK_HOUR), START + CLOCK_DAY);
	assert_int_equal(schedule_budget(&store, START - 23 * CLOCK_HOUR), START + CLOCK_DAY);
	state_free(&store);
}

static void test_moments_noted_by_a_clock_that_was_ahead_do_not_block(void **state)
{
	(void)state;
	struct state store = {0};
	for (int i = 0; i < 5; i++)
		state_issue_add(&store, START + 400 * CLOCK_DAY + i);
	assert_int_equal(schedule_budget(&store, START), 0);
	state_free(&store);
}

static void test_note_survives_the_way_to_the_supervisor(void **state)
{
	(void)state;
	char path[] = "/tmp/test-note.XXXXXX";
	struct error error = {0};
	struct note note = {.finished_at = START,
			    .next_at = START + 5,
			    .full_check_at = START - 7,
			    .certificates = 3,
			    .current = 2,
			    .failing = 1,
			    .exit_status = 1,
			    .clock_offset = -4000,
			    .clock_heard_at = START};
	struct note back;
	strcpy(note.next_reason, "certificate \"shop\"");
	strcpy(note.clock_source, "[api shop]");
	assert_non_null(mkdtemp(path));
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	assert_int_equal(note_load(fd, path, &back, &error), -ENOENT);
	assert_int_equal(note_save(fd, path, &note, &error), 0);
	assert_int_equal(note_load(fd, path, &back, &error), 0);
	assert_memory_equal(&note, &back, sizeof(note));

	assert_int_equal(file_write_at(fd, path, "schedule.json", "{\"version\":1,", 13,
				       &FILE_ACCESS(0600), FILE_NO_SYNC, &error),
			 0);
	assert_int_equal(note_load(fd, path, &back, &error), -EBADMSG);
	assert_int_equal(back.next_at, 0);
	assert_int_equal(file_remove_at(AT_FDCWD, "", path, &error), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_third_of_the_lifetime_is_left_at_renewal),
		cmocka_unit_test(test_splay_is_stable_and_within_a_tenth_of_the_window),
		cmocka_unit_test(test_window_longer_than_the_lifetime_does_not_renew_for_ever),
		cmocka_unit_test(test_transient_failures_back_off_to_six_hours),
		cmocka_unit_test(test_retry_after_is_obeyed_within_reason),
		cmocka_unit_test(test_permanent_failures_do_not_hammer_but_hurry_in_an_emergency),
		cmocka_unit_test(
			test_sixth_certificate_of_a_day_waits_for_the_first_to_be_a_day_old),
		cmocka_unit_test(
			test_emergency_overrides_what_the_other_side_asks_for_but_not_the_budget),
		cmocka_unit_test(test_failure_before_an_emergency_is_not_put_off_into_it),
		cmocka_unit_test(test_broken_contract_is_tried_once_a_day_in_the_end),
		cmocka_unit_test(test_one_draw_gives_all_of_a_pass_the_same_moment),
		cmocka_unit_test(test_clock_that_was_set_back_does_not_renew_the_budget),
		cmocka_unit_test(test_moments_noted_by_a_clock_that_was_ahead_do_not_block),
		cmocka_unit_test(test_note_survives_the_way_to_the_supervisor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
