/* History, alarms and counters of a state: what is told once and what is told again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/state.h"

static struct state written_and_read(const struct state *record)
{
	char path[] = "/tmp/origin-ca-test-XXXXXX";
	assert_non_null(mkdtemp(path));
	int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct state loaded;
	bool rebuilt;
	assert_int_equal(state_save(directory, path, record, NULL), 0);
	assert_int_equal(state_load(directory, path, &loaded, &rebuilt, NULL), 0);
	assert_false(rebuilt);
	file_remove_at(AT_FDCWD, "/", path, NULL);
	close(directory);
	return loaded;
}

static void test_same_failure_again_counts_and_pushes_nothing_out(void **state)
{
	(void)state;
	struct state record = {0};
	state_event_add(&record, 1, "issued", "generation 1");
	for (int i = 0; i < 100; i++) {
		state_event_add_of(&record, 10 + i, "failed", "nginx", "refused after %d s", i);
		state_event_add_of(&record, 10 + i, "failed", "apache", "refused after %d s", i);
	}
	assert_int_equal(record.history_count, 3);
	assert_int_equal(record.history[1].count, 100);
	assert_int_equal(record.history[1].at, 10);
	assert_int_equal(record.history[1].last, 109);
	assert_string_equal(record.history[1].message, "refused after 99 s");
	assert_string_equal(record.history[2].target, "apache");

	/* Once it went well in between, it is another one. */
	state_event_add_of(&record, 200, "deployed", "nginx", "served");
	state_event_add_of(&record, 300, "failed", "nginx", "refused after 1 s");
	assert_int_equal(record.history_count, 5);
	assert_int_equal(record.history[4].count, 1);
	state_free(&record);
}

static void test_other_failures_and_successes_are_entries_of_their_own(void **state)
{
	(void)state;
	struct state record = {0};
	state_event_add(&record, 1, "failed", "no route");
	state_event_add(&record, 2, "failed", "no name");
	state_event_add(&record, 3, "rolled-back", "no name");
	state_event_add(&record, 4, "issued", "generation 1");
	state_event_add(&record, 5, "issued", "generation 1");
	assert_int_equal(record.history_count, 5);
	state_free(&record);
}

static void test_what_was_not_told_is_known_after_a_crash(void **state)
{
	(void)state;
	struct state record = {0};
	struct state_event *told = state_event_add(&record, 1, "issued", "one");
	told->untold = false;
	struct state_event *event = state_event_add_of(&record, 2, "deployed", "nginx", "two");
	event->generation = 7;
	struct state loaded = written_and_read(&record);
	assert_int_equal(loaded.history_count, 2);
	assert_false(loaded.history[0].untold);
	assert_null(loaded.history[0].target);
	assert_int_equal(loaded.history[0].count, 1);
	assert_int_equal(loaded.history[0].last, 1);
	assert_true(loaded.history[1].untold);
	assert_string_equal(loaded.history[1].target, "nginx");
	assert_int_equal(loaded.history[1].generation, 7);
	state_free(&record);
	state_free(&loaded);
}

static void test_alarms_and_counters_outlive_the_pass(void **state)
{
	(void)state;
	struct state record = {0};
	struct state_alarm *alarm = state_alarm_add(&record, "target nginx");
	alarm->event = string_copy("rolled-back");
	alarm->class = ERROR_DEPLOY;
	alarm->message = string_copy("refused");
	alarm->since = 5;
	alarm->told = 6;
	state_alarm_add(&record, "issue")->event = string_copy("failed");
	record.counts.attempts = 4;
	record.counts.success_at = 9;
	record.counts.failures[ERROR_DEPLOY] = 3;

	struct state loaded = written_and_read(&record);
	assert_int_equal(loaded.alarm_count, 2);
	const struct state_alarm *kept = state_alarm_find(&loaded, "target nginx");
	assert_string_equal(kept->event, "rolled-back");
	assert_int_equal(kept->class, ERROR_DEPLOY);
	assert_int_equal(kept->since, 5);
	assert_int_equal(kept->told, 6);
	assert_null(kept->remedy);
	assert_int_equal(loaded.counts.attempts, 4);
	assert_int_equal(loaded.counts.success_at, 9);
	assert_int_equal(loaded.counts.failures[ERROR_DEPLOY], 3);
	assert_int_equal(loaded.counts.failures[ERROR_LOCAL], 0);

	state_alarm_drop(&loaded, 0);
	assert_null(state_alarm_find(&loaded, "target nginx"));
	assert_non_null(state_alarm_find(&loaded, "issue"));
	state_free(&record);
	state_free(&loaded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_failure_again_counts_and_pushes_nothing_out),
		cmocka_unit_test(test_other_failures_and_successes_are_entries_of_their_own),
		cmocka_unit_test(test_what_was_not_told_is_known_after_a_crash),
		cmocka_unit_test(test_alarms_and_counters_outlive_the_pass),
	};
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
