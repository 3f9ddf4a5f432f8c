/* state_cloud.c: what a certificate's state says of Cloudflare's side outlives a restart. */
#include "store_fixture.h"

static void reload(struct fixture *fixture, struct state *state)
{
	bool rebuilt = false;
	assert_int_equal(state_save(fixture->certificate, fixture->where, state, &fixture->error),
			 0);
	state_free(state);
	assert_int_equal(
		state_load(fixture->certificate, fixture->where, state, &rebuilt, &fixture->error),
		0);
	assert_false(rebuilt);
}

static void test_what_is_superseded_is_kept_once_and_bounded(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(state_free) struct state state = {0};
	CLEANUP(string_list_free) struct string_list names = {0};
	string_list_add(&names, "example.com");
	string_list_add(&names, "*.example.com");
	for (int i = 0; i < STATE_SUPERSEDED + 4; i++) {
		CLEANUP(freep) char *id = string_format("10000000000000000000000000000%02d", i);
		state_superseded_add(&state, id, 2000000000 + i, &names);
		state_superseded_add(&state, id, 2000000000 + i, &names);
	}
	reload(fixture, &state);
	assert_int_equal(state.superseded_count, STATE_SUPERSEDED);
	assert_string_equal(state.superseded[0].id, "1000000000000000000000000000004");
	assert_int_equal(state.superseded[0].not_after, 2000000004);
	assert_true(string_list_same_set(&state.superseded[0].hostnames, &names));
	state_superseded_drop(&state, 0);
	reload(fixture, &state);
	assert_int_equal(state.superseded_count, STATE_SUPERSEDED - 1);
	assert_string_equal(state.superseded[0].id, "1000000000000000000000000000005");
}

/* What one of before this member knew is used. */
static void test_superseded_without_names_is_read(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(state_free) struct state state = {.newest = 3};
	static const struct string_list none = {0};
	state_superseded_add(&state, "1000000000000000000000000000004", 2000000004, &none);
	reload(fixture, &state);
	assert_int_equal(state.superseded_count, 1);
	assert_int_equal(state.superseded[0].hostnames.count, 0);
	assert_int_equal(state.superseded[0].not_after, 2000000004);
}

/* As many as there can be, with as many names as a certificate can have: it is read again. */
static void test_most_that_is_superseded_fits(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(state_free) struct state state = {.newest = 3};
	CLEANUP(string_list_free) struct string_list names = {0};
	for (int i = 0; i < STATE_NAMES + 1; i++)
		string_list_take(&names, string_format("%0243d.example", i));
	for (int i = 0; i < STATE_SUPERSEDED; i++) {
		CLEANUP(freep) char *id = string_format("10000000000000000000000000000%02d", i);
		state_superseded_add(&state, id, 2000000000 + i, &names);
	}
	reload(fixture, &state);
	assert_int_equal(state.superseded_count, STATE_SUPERSEDED);
	assert_int_equal(state.superseded[STATE_SUPERSEDED - 1].hostnames.count, STATE_NAMES);
}

/* The API writes ids in hexadecimal or decimal; what is revoked is known by either. */
static void test_what_is_revoked_is_kept_once_and_bounded(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(state_free) struct state state = {.revoked_serial = string_copy("7")};
	for (int i = 0; i < STATE_REVOKED + 2; i++) {
		CLEANUP(freep) char *serial = string_format("10000000000000000000000000000%03d", i);
		state_revoked_add(&state, serial);
		state_revoked_add(&state, serial);
	}
	state_revoked_add(&state, "no serial");
	reload(fixture, &state);
	assert_int_equal(state.revoked.count, STATE_REVOKED);
	assert_true(state_is_revoked(&state, "10000000000000000000000000000101"));
	assert_true(state_is_revoked(&state, "10000000000000000000000000000002"));
	assert_false(state_is_revoked(&state, "10000000000000000000000000000001"));
	assert_true(state_is_revoked(&state, "7"));
	assert_false(state_is_revoked(&state, "8"));
	assert_false(state_is_revoked(&state, "no serial"));
}

static void test_marks_moments_and_attempts_outlive_a_restart(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(state_free)
	struct state state = {
		.imported = true,
		.issued_mark = string_copy("mark"),
		.revoked_serial = string_copy("17"),
		.revocation_at = 1234567890,
		.ssl_mode_done = string_copy("digest"),
	};
	error_set(&fixture->error, ERROR_AUTHORIZATION, -EACCES, "no");
	state_attempt_fail(&state.revoke, &fixture->error, 100, 200, NULL);
	state_attempt_fail(&state.ssl_mode, &fixture->error, 300, 400, NULL);
	reload(fixture, &state);
	assert_true(state.imported);
	assert_string_equal(state.issued_mark, "mark");
	assert_string_equal(state.revoked_serial, "17");
	assert_int_equal(state.revocation_at, 1234567890);
	assert_string_equal(state.ssl_mode_done, "digest");
	assert_int_equal(state.revoke.next, 200);
	assert_int_equal(state.ssl_mode.class, ERROR_AUTHORIZATION);
}

static void test_state_of_before_has_none_of_it(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(state_free) struct state state = {.newest = 3};
	reload(fixture, &state);
	assert_int_equal(state.newest, 3);
	assert_false(state.imported);
	assert_null(state.issued_mark);
	assert_null(state.revoked_serial);
	assert_int_equal(state.superseded_count, 0);
	assert_int_equal(state.revoke.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_superseded_is_kept_once_and_bounded,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_superseded_without_names_is_read,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_most_that_is_superseded_fits, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_revoked_is_kept_once_and_bounded,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_marks_moments_and_attempts_outlive_a_restart,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_state_of_before_has_none_of_it, fixture_setup,
						fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
