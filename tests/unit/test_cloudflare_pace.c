/* Rate limit, Retry-After and deadline; many threads on few connections. */
#include "cloudflare_fixture.h"

#include <errno.h>

#include "cloudflare/pace.h"

static void test_ratelimit_header_is_parsed_strictly(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int result;
		int64_t remaining;
		int64_t seconds;
	} table[] = {
		{"\"default\";r=1199;t=300", 0, 1199, 300},
		{"  \"default\"; r=0; t=7 ", 0, 0, 7},
		{"\"default\";t=7;r=0", 0, 0, 7},
		{"\"default\";r=3", 0, 3, -1},
		{"\"default\";q=\"x\";r=3;pk=:abc:;t=1", 0, 3, 1},
		{"\"a\";r=50;t=30, \"b\";r=2;t=1", 0, 2, 1},
		{"\"a\";r=2;t=30,\"b\";r=50;t=1", 0, 2, 30},
		{"", -EINVAL, 0, 0},
		{"\"default\"", -EINVAL, 0, 0},
		{"\"default\";t=3", -EINVAL, 0, 0},
		{"\"default", -EINVAL, 0, 0},
		{"default;r=1;t=2", -EINVAL, 0, 0},
		{"\"default\";r=-1;t=2", -EINVAL, 0, 0},
		{"\"default\";r=;t=2", -EINVAL, 0, 0},
		{"\"default\";r=1x;t=2", -EINVAL, 0, 0},
		{"\"default\";r=1;t=2;", -EINVAL, 0, 0},
		{"\"default\";r=1;t=2,", -EINVAL, 0, 0},
		{"\"default\";r=99999999999;t=2", -EINVAL, 0, 0},
		{"\"default\";r=1 t=2", -EINVAL, 0, 0},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int64_t remaining = -7;
		int64_t seconds = -7;
		print_message("%s\n", table[i].value);
		assert_int_equal(ratelimit_parse(table[i].value, &remaining, &seconds),
				 table[i].result);
		assert_int_equal(remaining, table[i].result ? -7 : table[i].remaining);
		assert_int_equal(seconds, table[i].result ? -7 : table[i].seconds);
	}
}

static void test_backoff_is_full_jitter_below_its_bound(void **state)
{
	(void)state;
	struct pace pace;
	int64_t lowest = INT64_MAX;
	int64_t highest = 0;
	pace_init(&pace, 0);
	for (int i = 0; i < 2000; i++) {
		int64_t wait = pace_backoff_ms(&pace, 2);
		lowest = wait < lowest ? wait : lowest;
		highest = wait > highest ? wait : highest;
	}
	assert_true(lowest >= 0 && lowest < 400);
	assert_true(highest < 4000 && highest > 3600);
	pace_destroy(&pace);
}

static void test_retry_after_is_waited_for(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 429, "Retry-After: 1\r\n", FAILED("{\"code\":10429}"), 0},
		{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	int64_t start = clock_monotonic_ms();
	/* 429 was not carried out, so a POST is tried again as well. */
	assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), 0);
	int64_t took = clock_monotonic_ms() - start;
	assert_true(took >= 1000 && took < 1800);
	assert_int_equal(fixture.server.request_count, 2);
	fixture_close(&fixture);
}

static void test_wait_that_does_not_fit_fails_at_once_for_all_calls(void **state)
{
	(void)state;
	static const struct {
		struct script_step step;
		int64_t deadline_ms;
		int64_t asked;
	} table[] = {
		{{SCRIPT_ANSWER, 429, "Retry-After: 300\r\n", FAILED("{\"code\":971}"), 0},
		 10000,
		 300},
		{{SCRIPT_ANSWER, 429, "Retry-After: 99999999999999999999\r\n", "<html>", 0},
		 10000,
		 INT64_C(24) * 3600},
		{{SCRIPT_ANSWER, 429, "Ratelimit: \"default\";r=0;t=60\r\n", "", 0}, 10000, 60},
		/* Without a deadline an hour is too long for one call all the same. */
		{{SCRIPT_ANSWER, 429, "Retry-After: 3600\r\n", "", 0}, 0, 3600},
		{{SCRIPT_ANSWER, 429,
		  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		  "Retry-After: Sun, 06 Nov 1994 09:49:37 GMT\r\n",
		  "", 0},
		 0,
		 3600},
		/* By the API's clock, whatever ours says, also when it is told after. */
		{{SCRIPT_ANSWER, 429,
		  "Retry-After: Sun, 06 Nov 1994 09:49:37 GMT\r\n"
		  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
		  "", 0},
		 0,
		 3600},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fixture fixture;
		fixture_open(&fixture, &table[i].step, 1, table[i].deadline_ms);
		int64_t start = clock_monotonic_ms();
		for (int call = 0; call < 2; call++) {
			assert_int_equal(fixture_call(&fixture, "GET", "/zones"), -EAGAIN);
			assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
			assert_true(fixture.error.retry_after >= table[i].asked - 1 &&
				    fixture.error.retry_after <= table[i].asked);
			assert_false(fixture.error.outcome_unknown);
		}
		assert_true(clock_monotonic_ms() - start < 900);
		/* The second call did not even ask. */
		assert_int_equal(fixture.server.request_count, 1);
		fixture_close(&fixture);
	}
}

static void test_last_allowed_request_makes_the_next_wait(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, "Ratelimit: \"default\";r=0;t=1\r\n", GOOD, 0},
		{SCRIPT_ANSWER, 200, "Ratelimit: \"default\";r=1199;t=300\r\n", GOOD, 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(client_remaining(fixture.client), -1);
	assert_int_equal(fixture_call(&fixture, "GET", "/zones"), 0);
	assert_int_equal(client_remaining(fixture.client), 0);
	int64_t start = clock_monotonic_ms();
	assert_int_equal(fixture_call(&fixture, "GET", "/zones"), 0);
	assert_true(clock_monotonic_ms() - start >= 900);
	assert_int_equal(client_remaining(fixture.client), 1199);
	fixture_close(&fixture);
}

static void test_date_of_the_answer_gives_the_clock_offset(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
		{SCRIPT_ANSWER, 200, "Date: Sun, 22 Nov 2026 19:00:00 GMT\r\n", GOOD, 0},
	};
	struct fixture fixture;
	int64_t offset = 0;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(fixture_call(&fixture, "GET", "/zones"), 0);
	assert_false(client_clock_offset(fixture.client, &offset));
	int64_t server_time = 0;
	assert_int_equal(clock_parse("2026-11-22T19:00:00Z", &server_time), 0);
	clock_fix(server_time - 3600);
	assert_int_equal(fixture_call(&fixture, "GET", "/zones"), 0);
	clock_fix(-1);
	assert_true(client_clock_offset(fixture.client, &offset));
	assert_int_equal(offset, 3600);
	fixture_close(&fixture);
}

/* Whatever the answer is: a moment is told by a refusal, too, and nothing is tried again for it. */
static void test_time_is_asked_once_and_any_answer_tells_it(void **state)
{
	(void)state;
	static const char date[] = "Date: Sun, 22 Nov 2026 19:00:00 GMT\r\n";
	static const struct script_step table[] = {
		{SCRIPT_ANSWER, 200, date, GOOD, 0},
		{SCRIPT_ANSWER, 503, date, "<html>", 0},
		{SCRIPT_ANSWER, 401, date, FAILED("{\"code\":10000}"), 0},
		{SCRIPT_CUT, 200, date, GOOD, 5},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fixture fixture;
		int64_t offset = 0;
		fixture_open(&fixture, &table[i], 1, 0);
		assert_int_equal(client_clock_ask(fixture.client, &fixture.error), 0);
		assert_int_equal(client_clock_ask(fixture.client, &fixture.error), 0);
		assert_true(client_clock_offset(fixture.client, &offset));
		assert_int_equal(server_count(&fixture.server, "GET /client/v4/ips"), 1);
		assert_int_equal(fixture.server.request_count, 1);
		fixture_close(&fixture);
	}
}

static void test_time_that_is_not_told_is_no_error_but_silence_is(void **state)
{
	(void)state;
	static const struct script_step steps[][1] = {
		{{SCRIPT_ANSWER, 200, NULL, GOOD, 0}},
		{{SCRIPT_DROP, 0, NULL, NULL, 0}},
	};
	struct fixture fixture;
	int64_t offset = 0;
	FIXTURE_OPEN(&fixture, steps[0], 0);
	assert_int_equal(client_clock_ask(fixture.client, &fixture.error), 0);
	assert_false(client_clock_offset(fixture.client, &offset));
	fixture_close(&fixture);
	FIXTURE_OPEN(&fixture, steps[1], 0);
	assert_true(client_clock_ask(fixture.client, &fixture.error) < 0);
	assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
	fixture_close(&fixture);
}

enum {
	THREADS = 8,
	CALLS = 125
};

struct worker {
	struct fixture *fixture;
	pthread_t thread;
	const char *method;
	unsigned calls;
	unsigned failures;
	int64_t last_ms;
};

static void *worker_run(void *argument)
{
	struct worker *worker = argument;
	for (unsigned i = 0; i < worker->calls; i++) {
		struct error error = {0};
		cJSON *answer = NULL;
		worker->failures += client_call(worker->fixture->client, worker->method,
						"/certificates", NULL, &answer, &error) < 0;
		cJSON_Delete(answer);
	}
	worker->last_ms = clock_monotonic_ms();
	return NULL;
}

static void workers_run(struct worker workers[THREADS], struct fixture *fixture, const char *method,
			unsigned calls)
{
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.fixture = fixture, .method = method, .calls = calls};
		pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
}

static void test_eight_threads_make_eight_connections_for_a_thousand_calls(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{SCRIPT_ANSWER, 200, NULL, GOOD, 0}};
	struct fixture fixture;
	struct worker workers[THREADS];
	FIXTURE_OPEN(&fixture, steps, 0);
	workers_run(workers, &fixture, "POST", CALLS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(workers[i].failures, 0);
	assert_int_equal(server_count(&fixture.server, "POST "), THREADS * CALLS);
	assert_true(fixture.server.connection_count <= THREADS);
	fixture_close(&fixture);
}

static void test_one_refused_thread_makes_all_wait(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 429, "Retry-After: 1\r\n", FAILED("{\"code\":971}"), 0},
		{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
	};
	struct fixture fixture;
	struct worker workers[THREADS];
	FIXTURE_OPEN(&fixture, steps, 0);
	/* One thread is refused; the others only begin after that. */
	struct worker first = {.fixture = &fixture, .method = "GET", .calls = 1};
	int64_t start = clock_monotonic_ms();
	pthread_create(&first.thread, NULL, worker_run, &first);
	while (server_count(&fixture.server, "GET ") == 0)
		clock_sleep_ms(1);
	clock_sleep_ms(50);
	workers_run(workers, &fixture, "GET", 1);
	pthread_join(first.thread, NULL);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(workers[i].failures, 0);
		assert_true(workers[i].last_ms - start >= 1000);
	}
	assert_int_equal(fixture.server.request_count, 2 + THREADS);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ratelimit_header_is_parsed_strictly),
		cmocka_unit_test(test_backoff_is_full_jitter_below_its_bound),
		cmocka_unit_test(test_retry_after_is_waited_for),
		cmocka_unit_test(test_wait_that_does_not_fit_fails_at_once_for_all_calls),
		cmocka_unit_test(test_last_allowed_request_makes_the_next_wait),
		cmocka_unit_test(test_date_of_the_answer_gives_the_clock_offset),
		cmocka_unit_test(test_time_is_asked_once_and_any_answer_tells_it),
		cmocka_unit_test(test_time_that_is_not_told_is_no_error_but_silence_is),
		cmocka_unit_test(test_eight_threads_make_eight_connections_for_a_thousand_calls),
		cmocka_unit_test(test_one_refused_thread_makes_all_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
