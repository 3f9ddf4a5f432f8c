#include "store_fixture.h"

static struct state load(struct fixture *fixture, bool expect_rebuilt)
{
	struct state state = {0};
	bool rebuilt = !expect_rebuilt;
	assert_int_equal(
		state_load(fixture->certificate, fixture->where, &state, &rebuilt, &fixture->error),
		0);
	assert_int_equal(rebuilt, expect_rebuilt);
	return state;
}

static void save(struct fixture *fixture, const struct state *state)
{
	assert_int_equal(state_save(fixture->certificate, fixture->where, state, &fixture->error),
			 0);
}

static void fill(struct fixture *fixture, struct state *state)
{
	*state = (struct state){
		.active = 6,
		.newest = 7,
		.fingerprint = string_copy("fingerprint"),
		.checked_at = 1795000000,
		.validity_days = 90,
		.id = string_copy("12345678901234567890"),
		.renew_at = 4102444800,
		.facts = {.not_before = 1795000000,
			  .not_after = 4102444800,
			  .key_type = KEY_RSA_2048},
	};
	strcpy(state->facts.serial, "12345678901234567890");
	memset(state->facts.sha256, 'a', SHA256_TEXT_SIZE - 1);
	memset(state->facts.spki_sha256, '0', SHA256_TEXT_SIZE - 1);
	string_list_copy(&state->facts.hostnames, &fixture->hostnames);
	struct state_target *target = state_target_get(state, "nginx");
	target->generation = 7;
	target->rendered_from = string_copy("0f");
	target->snippet_stamp = string_copy("1:2:3");
	target->reload_pending = true;
	target->verified_generation = 6;
	target->verified_at = 1795000001;
	target->refused_generation = 5;
	struct error error = {.class = ERROR_DEPLOY, .message = "a \"quoted\" ü", .remedy = "mend"};
	state_attempt_fail(&target->attempt, &error, 10, 20, "print");
	state_attempt_fail(&target->attempt, &error, 11, 30, "print");
	error.class = ERROR_TRANSIENT;
	error.remedy[0] = '\0';
	state_attempt_fail(&state->issue, &error, 12, 13, NULL);
	state_issue_add(state, 100);
	state_issue_add(state, 200);
	state_event_add(state, 5, "issued", "generation %d", 7);
}

static void test_what_is_saved_is_loaded(void **state)
{
	struct fixture *fixture = *state;
	struct state saved;
	fill(fixture, &saved);
	save(fixture, &saved);
	assert_int_equal(fixture_stat(fixture, "state.json").st_mode, S_IFREG | 0600);
	struct state loaded = load(fixture, false);
	assert_int_equal(loaded.active, 6);
	assert_int_equal(loaded.newest, 7);
	assert_string_equal(loaded.fingerprint, "fingerprint");
	assert_int_equal(loaded.checked_at, 1795000000);
	assert_int_equal(loaded.validity_days, 90);
	assert_string_equal(loaded.id, "12345678901234567890");
	assert_true(loaded.renew_at == 4102444800);
	assert_string_equal(loaded.facts.serial, saved.facts.serial);
	assert_string_equal(loaded.facts.sha256, saved.facts.sha256);
	assert_string_equal(loaded.facts.spki_sha256, saved.facts.spki_sha256);
	assert_true(loaded.facts.not_after == 4102444800);
	assert_int_equal(loaded.facts.key_type, KEY_RSA_2048);
	assert_int_equal(loaded.facts.hostnames.count, 2);
	const struct state_target *target = state_target_find(&loaded, "nginx");
	assert_non_null(target);
	assert_int_equal(target->generation, 7);
	assert_string_equal(target->rendered_from, "0f");
	assert_string_equal(target->snippet_stamp, "1:2:3");
	assert_true(target->reload_pending);
	assert_int_equal(target->verified_generation, 6);
	assert_int_equal(target->verified_at, 1795000001);
	assert_int_equal(target->refused_generation, 5);
	assert_int_equal(target->attempt.count, 2);
	assert_int_equal(target->attempt.since, 10);
	assert_int_equal(target->attempt.last, 11);
	assert_int_equal(target->attempt.next, 30);
	assert_int_equal(target->attempt.class, ERROR_DEPLOY);
	assert_string_equal(target->attempt.message, "a \"quoted\" ü");
	assert_string_equal(target->attempt.remedy, "mend");
	assert_string_equal(target->attempt.fingerprint, "print");
	assert_int_equal(loaded.issue.class, ERROR_TRANSIENT);
	assert_null(loaded.issue.remedy);
	assert_null(loaded.issue.fingerprint);
	assert_int_equal(loaded.issue_count, 2);
	assert_int_equal(loaded.issues[1], 200);
	assert_int_equal(loaded.history_count, 1);
	assert_string_equal(loaded.history[0].event, "issued");
	assert_string_equal(loaded.history[0].message, "generation 7");
	state_free(&saved);
	state_free(&loaded);
}

static void test_saving_what_is_there_writes_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct state saved;
	fill(fixture, &saved);
	save(fixture, &saved);
	struct stat before = fixture_stat(fixture, "state.json");
	struct state loaded = load(fixture, false);
	save(fixture, &loaded);
	assert_int_equal(fixture_stat(fixture, "state.json").st_ino, before.st_ino);
	loaded.active = 7;
	save(fixture, &loaded);
	assert_int_not_equal(fixture_stat(fixture, "state.json").st_ino, before.st_ino);

	assert_int_equal(unlinkat(fixture->certificate, "state.json", 0), 0);
	save(fixture, &loaded);
	assert_true(fixture_has(fixture, "state.json"));
	state_free(&saved);
	state_free(&loaded);
}

static void test_file_of_a_newer_version_is_an_error_and_stays(void **state)
{
	struct fixture *fixture = *state;
	struct state loaded = {0};
	bool rebuilt = false;
	fixture_put(fixture, "state.json", "{\"version\":2,\"newest\":7}");
	struct stat before = fixture_stat(fixture, "state.json");
	assert_int_equal(state_load(fixture->certificate, fixture->where, &loaded, &rebuilt,
				    &fixture->error),
			 -EPROTO);
	assert_non_null(strstr(fixture->error.message, "newer version"));
	assert_non_null(strstr(fixture->error.remedy, "install that version again"));
	assert_int_equal(fixture_stat(fixture, "state.json").st_ino, before.st_ino);
}

static void test_absent_foreign_and_broken_files_are_rebuilt(void **state)
{
	struct fixture *fixture = *state;
	struct state loaded = load(fixture, true);
	assert_int_equal(loaded.newest, 0);
	assert_int_equal(loaded.facts.key_type, KEY_TYPE_COUNT);
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"1",
		"\"x\"",
		"{}",
		"\xff",
		"{\"version\":0}",
		"{\"version\":\"1\"}",
		"{}{}",
		"{\"version\":1,\"newest\":7",
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		fixture_put(fixture, "state.json", texts[i]);
		loaded = load(fixture, true);
		assert_int_equal(loaded.newest, 0);
		state_free(&loaded);
	}
	CLEANUP(freep) char *deep = memory_alloc(100001, 1);
	memset(deep, '[', 100000);
	fixture_put(fixture, "state.json", deep);
	loaded = load(fixture, true);
	CLEANUP(freep)
	char *large = string_format("{\"version\":1}%*s", STATE_FILE_LIMIT, "");
	fixture_put(fixture, "state.json", large);
	loaded = load(fixture, true);

	assert_int_equal(unlinkat(fixture->certificate, "state.json", 0), 0);
	fixture_mkdir(fixture, "state.json");
	loaded = load(fixture, true);
}

static void test_members_of_wrong_types_are_as_if_absent(void **state)
{
	struct fixture *fixture = *state;
	static const char names[] =
		"[{\"name\":1},{\"name\":\"\"},{\"name\":\"n\"},{\"name\":\"n\"}]";
	static const char huge[] = "{\"count\":1e300,\"class\":7,\"message\":[],\"hostnames\":7,"
				   "\"serial\":\"../../x\"}";
	static const char negative[] = "{\"count\":-1,\"hostnames\":[1,null,\"a\"],"
				       "\"sha256\":\"ABC\",\"not_after\":\"x\"}";
	static const char *const values[] = {
		"null",	 "true",     "-1",     "1e300", "-1e300",
		"1.5e9", "\"text\"", "[]",     "{}",	"[null,1,\"x\",[],{},-5,1e300]",
		names,	 huge,	     negative,
	};
	static const char *const members[] = {
		"active", "newest",   "fingerprint", "checked_at", "validity_days", "id",
		"leaf",	  "renew_at", "issue",	     "targets",	   "issues",	    "history"};
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct buffer text = BUFFER(1 << 16);
		buffer_add_text(&text, "{\"version\":1");
		for (size_t j = 0; j < ARRAY_SIZE(members); j++)
			buffer_add_format(&text, ",\"%s\":%s", members[j], values[i]);
		buffer_add_text(&text, "}");
		fixture_put(fixture, "state.json", buffer_text(&text));
		buffer_free(&text);
		struct state loaded = load(fixture, false);
		assert_true(loaded.active <= GENERATION_MOST);
		assert_true(loaded.newest <= GENERATION_MOST);
		assert_true(loaded.renew_at >= 0);
		assert_true(loaded.issue.count <= 1000000);
		assert_true(loaded.target_count <= 1);
		assert_string_equal(loaded.facts.serial, "");
		assert_string_equal(loaded.facts.sha256, "");
		/* And what was understood can be written and read again. */
		save(fixture, &loaded);
		state_free(&loaded);
		loaded = load(fixture, false);
		state_free(&loaded);
	}
}

static void test_long_lists_keep_their_newest(void **state)
{
	struct fixture *fixture = *state;
	struct buffer text = BUFFER(STATE_FILE_LIMIT);
	buffer_add_text(&text, "{\"version\":1,\"issues\":[0");
	for (int i = 1; i <= 1000; i++)
		buffer_add_format(&text, ",%d", i);
	buffer_add_text(&text, "],\"history\":[{}");
	for (int i = 1; i <= 1000; i++)
		buffer_add_format(&text, ",{\"at\":%d,\"event\":\"e\"}", i);
	buffer_add_text(&text, "],\"targets\":[{}");
	for (int i = 1; i <= 1000; i++)
		buffer_add_format(&text, ",{\"name\":\"t%d\"}", i);
	buffer_add_text(&text, "]}");
	fixture_put(fixture, "state.json", buffer_text(&text));
	buffer_free(&text);
	struct state loaded = load(fixture, false);
	assert_int_equal(loaded.issue_count, STATE_ISSUES);
	assert_int_equal(loaded.issues[STATE_ISSUES - 1], 1000);
	assert_int_equal(loaded.history_count, STATE_HISTORY);
	assert_int_equal(loaded.history[STATE_HISTORY - 1].at, 1000);
	assert_true(loaded.target_count > 0 && loaded.target_count < 1000);
	state_free(&loaded);
}

static void test_history_and_budget_are_bounded(void **state)
{
	(void)state;
	struct state record = {0};
	for (int i = 1; i <= 100; i++) {
		state_event_add(&record, i, "issued", "%0*d", 3000, i);
		state_issue_add(&record, i);
	}
	assert_int_equal(record.history_count, STATE_HISTORY);
	assert_int_equal(record.history[0].at, 100 - STATE_HISTORY + 1);
	assert_int_equal(strlen(record.history[0].message), ERROR_MESSAGE_SIZE - 1);
	assert_int_equal(record.issue_count, STATE_ISSUES);
	assert_int_equal(record.issues[0], 100 - STATE_ISSUES + 1);
	assert_int_equal(state_issues_after(&record, 95), 5);
	assert_int_equal(state_issues_after(&record, 0), STATE_ISSUES);
	assert_int_equal(state_issues_after(&record, 100), 0);
	state_free(&record);
}

static void test_targets_come_and_go(void **state)
{
	(void)state;
	struct state record = {0};
	state_target_get(&record, "a")->generation = 1;
	state_target_get(&record, "b")->generation = 2;
	state_target_get(&record, "c")->generation = 3;
	assert_ptr_equal(state_target_get(&record, "b"), state_target_find(&record, "b"));
	assert_int_equal(record.target_count, 3);
	state_target_drop(&record, "a");
	state_target_drop(&record, "absent");
	assert_null(state_target_find(&record, "a"));
	assert_int_equal(state_target_find(&record, "b")->generation, 2);
	assert_int_equal(state_target_find(&record, "c")->generation, 3);
	state_free(&record);
}

static void test_an_attempt_remembers_since_when_until_it_is_cleared(void **state)
{
	(void)state;
	struct state_attempt attempt = {0};
	struct error error = {.class = ERROR_LOCAL, .message = "one"};
	state_attempt_fail(&attempt, &error, 100, 200, "f");
	/* The old fingerprint may be handed in again. */
	state_attempt_fail(&attempt, &error, 300, 400, attempt.fingerprint);
	assert_int_equal(attempt.count, 2);
	assert_int_equal(attempt.since, 100);
	assert_int_equal(attempt.last, 300);
	assert_int_equal(attempt.next, 400);
	assert_string_equal(attempt.fingerprint, "f");
	state_attempt_clear(&attempt);
	assert_int_equal(attempt.count, 0);
	assert_null(attempt.message);
	state_attempt_fail(&attempt, &error, 500, 600, NULL);
	assert_int_equal(attempt.since, 500);
	state_attempt_clear(&attempt);
}

static void test_stuck_since_is_not_in_the_future_once_the_clock_is_right_again(void **state)
{
	(void)state;
	struct state_attempt attempt = {0};
	struct error error = {.class = ERROR_TRANSIENT, .message = "one"};
	state_attempt_fail(&attempt, &error, 9000, 9001, NULL);
	state_attempt_fail(&attempt, &error, 500, 600, NULL);
	assert_int_equal(attempt.since, 500);
	assert_int_equal(attempt.count, 2);
	state_attempt_clear(&attempt);
}

static void test_a_planted_link_is_replaced_not_written_through(void **state)
{
	struct fixture *fixture = *state;
	fixture_put(fixture, "victim", "{\"version\":1,\"newest\":7}");
	assert_int_equal(symlinkat("victim", fixture->certificate, "state.json"), 0);
	struct state loaded = load(fixture, true);
	save(fixture, &loaded);
	state_free(&loaded);
	CLEANUP(freep) char *victim = fixture_get(fixture, "victim");
	assert_string_equal(victim, "{\"version\":1,\"newest\":7}");
	assert_true(S_ISREG(fixture_stat(fixture, "state.json").st_mode));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_what_is_saved_is_loaded),
		fixture_test(test_saving_what_is_there_writes_nothing),
		fixture_test(test_file_of_a_newer_version_is_an_error_and_stays),
		fixture_test(test_absent_foreign_and_broken_files_are_rebuilt),
		fixture_test(test_members_of_wrong_types_are_as_if_absent),
		fixture_test(test_long_lists_keep_their_newest),
		cmocka_unit_test(test_history_and_budget_are_bounded),
		cmocka_unit_test(test_targets_come_and_go),
		cmocka_unit_test(test_an_attempt_remembers_since_when_until_it_is_cleared),
		cmocka_unit_test(
			test_stuck_since_is_not_in_the_future_once_the_clock_is_right_again),
		fixture_test(test_a_planted_link_is_replaced_not_written_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
