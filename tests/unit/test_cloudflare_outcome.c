/* When may a POST have been carried out? Decided against a server that does all the wrong things.
 */
#include "cloudflare_fixture.h"

#include <errno.h>

/* A port that nobody listens on: bound, so that no one else takes it, but not listening. */
static int dead_port(uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void test_refused_connection_was_not_carried_out(void **state)
{
	(void)state;
	struct fixture fixture;
	uint16_t port;
	int fd = dead_port(&port);
	fixture_files(&fixture);
	snprintf(fixture.endpoint, sizeof(fixture.endpoint), "http://127.0.0.1:%u", port);
	fixture.api.endpoint = fixture.endpoint;
	assert_int_equal(client_new(&fixture.api, 0, &fixture.client, &fixture.error), 0);
	client_backoff(fixture.client, 4);

	assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), -ECONNREFUSED);
	assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
	assert_false(fixture.error.outcome_unknown);
	assert_int_equal(fixture.status.http_status, 0);
	client_free(fixture.client);
	fixture_files_remove(&fixture);
	close(fd);
}

/* Each of these may have cost a certificate: reported as such, and never sent again. */
static void test_post_without_a_whole_answer_is_unknown_and_sent_once(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_SILENT, 0, NULL, NULL, 0},
		{SCRIPT_RESET, 0, NULL, NULL, 0},
		{SCRIPT_CUT, 200, NULL, GOOD, 20},
		{SCRIPT_CUT, 400, NULL, FAILED("{\"code\":1100}"), 20},
		{SCRIPT_CUT, 502, NULL, "<html>bad gateway</html>", 5},
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":tr", 0},
		{SCRIPT_ANSWER, 200, NULL, "<html><title>hello</title></html>", 0},
		{SCRIPT_ANSWER, 200, NULL, "", 0},
		{SCRIPT_ANSWER, 502, NULL, "<html><title>502</title></html>", 0},
		{SCRIPT_ANSWER, 504, NULL, "", 0},
		{SCRIPT_ANSWER, 524, NULL, "<html>", 0},
		{SCRIPT_ANSWER, 503, NULL, FAILED("{\"code\":7010}"), 0},
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1100,\"message\":\"Failed\"}"), 0},
		{SCRIPT_RAW, 0, NULL, "this is not HTTP\r\n\r\n", 0},
		{SCRIPT_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Le", 0},
		{SCRIPT_RAW, 0, NULL,
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"success\"", 0},
	};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct fixture fixture;
		print_message("step %zu\n", i);
		fixture_open(&fixture, &steps[i], 1, 0);
		assert_true(fixture_call(&fixture, "POST", "/certificates") < 0);
		assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
		assert_true(fixture.error.outcome_unknown);
		assert_int_equal(server_count(&fixture.server, "POST "), 1);
		fixture_close(&fixture);
	}
}

/* libcurl sends a request again by itself when a connection that it used before dies on it. */
static void test_post_on_a_reused_connection_is_not_sent_twice(void **state)
{
	(void)state;
	static const enum script_kind deaths[] = {SCRIPT_SILENT, SCRIPT_RESET};
	for (size_t i = 0; i < 2; i++) {
		const struct script_step steps[] = {
			{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
			{deaths[i], 0, NULL, NULL, 0},
			{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
		};
		struct fixture fixture;
		FIXTURE_OPEN(&fixture, steps, 0);
		assert_int_equal(fixture_call(&fixture, "GET", "/certificates"), 0);
		assert_true(fixture_call(&fixture, "POST", "/certificates") < 0);
		assert_true(fixture.error.outcome_unknown);
		assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
		assert_int_equal(server_count(&fixture.server, "POST "), 1);
		/* And the client is good for the next call. */
		assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), 0);
		assert_int_equal(server_count(&fixture.server, "POST "), 2);
		fixture_close(&fixture);
	}
}

static void test_post_after_the_server_closed_an_idle_connection_goes_through(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_CLOSE, 200, NULL, GOOD, 0}, /* without saying so beforehand */
		{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(fixture_call(&fixture, "GET", "/certificates"), 0);
	clock_sleep_ms(50);
	assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), 0);
	assert_int_equal(server_count(&fixture.server, "POST "), 1);
	fixture_close(&fixture);
}

static void test_get_and_delete_are_repeated_until_answered(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_DROP, 0, NULL, NULL, 0},
		{SCRIPT_CUT, 200, NULL, GOOD, 10},
		{SCRIPT_ANSWER, 502, NULL, "<html>", 0},
		{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
	};
	static const char *const methods[] = {"GET", "DELETE"};
	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture;
		FIXTURE_OPEN(&fixture, steps, 0);
		assert_int_equal(fixture_call(&fixture, methods[i], "/certificates/1"), 0);
		assert_int_equal(fixture.error.class, ERROR_NONE);
		assert_int_equal(fixture.server.request_count, 3);
		fixture_close(&fixture);
	}
}

static void test_definite_passing_error_of_a_post_is_tried_again(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1201,\"message\":\"CA\"}"), 0},
		{SCRIPT_ANSWER, 200, NULL, FAILED("{\"code\":1000,\"message\":\"internal\"}"), 0},
		{SCRIPT_ANSWER, 200, NULL, GOOD, 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), 0);
	assert_int_equal(server_count(&fixture.server, "POST "), 3);
	fixture_close(&fixture);
}

static void test_tries_end_and_refusals_are_not_tried_again(void **state)
{
	(void)state;
	static const struct {
		struct script_step step;
		size_t tries;
	} table[] = {
		{{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1201}"), 0}, CLIENT_TRIES},
		{{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1010}"), 0}, 1},
		{{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1003}"), 0}, 1},
		{{SCRIPT_ANSWER, 403, NULL, FAILED("{\"code\":10000}"), 0}, 1},
		{{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":4711}"), 0}, 1},
		{{SCRIPT_ANSWER, 404, NULL, "<html>", 0}, 1},
		/* 4xx was not carried out, though its page is cut. */
		{{SCRIPT_CUT, 403, NULL, "<html>refused</html>", 3}, 1},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fixture fixture;
		fixture_open(&fixture, &table[i].step, 1, 0);
		assert_true(fixture_call(&fixture, "POST", "/certificates") < 0);
		assert_false(fixture.error.outcome_unknown);
		assert_int_equal(server_count(&fixture.server, "POST "), table[i].tries);
		fixture_close(&fixture);
	}
}

static void test_hanging_and_slow_answers_end_with_the_timeout(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_HANG, 0, NULL, NULL, 0},
		{SCRIPT_TRICKLE, 200, NULL, GOOD, 0},
	};
	for (size_t i = 0; i < 2; i++) {
		struct fixture fixture;
		fixture_open(&fixture, &steps[i], 1, 1300);
		int64_t start = clock_monotonic_ms();
		assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), -ETIMEDOUT);
		int64_t took = clock_monotonic_ms() - start;
		assert_true(fixture.error.outcome_unknown);
		/* The deadline, which comes before the timeout of 2 s. */
		assert_true(took >= 1000 && took < 1900);
		/* After it nothing is sent at all. */
		assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), -ETIMEDOUT);
		assert_false(fixture.error.outcome_unknown);
		assert_int_equal(server_count(&fixture.server, "POST "), 1);
		fixture_close(&fixture);
	}
}

static void test_post_is_not_begun_shortly_before_the_deadline(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{SCRIPT_ANSWER, 200, NULL, GOOD, 0}};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 800);
	assert_int_equal(fixture_call(&fixture, "POST", "/certificates"), -ETIMEDOUT);
	assert_false(fixture.error.outcome_unknown);
	assert_int_equal(fixture_call(&fixture, "GET", "/certificates"), 0);
	assert_int_equal(fixture.server.request_count, 1);
	fixture_close(&fixture);
}

static void test_redirect_is_not_followed(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 302, "Location: /elsewhere\r\n", "", 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_true(fixture_call(&fixture, "GET", "/certificates") < 0);
	assert_int_equal(fixture.error.class, ERROR_CONFIGURATION);
	assert_int_equal(fixture.status.http_status, 302);
	assert_int_equal(fixture.server.request_count, 1);
	fixture_close(&fixture);
}

static void test_token_is_sent_but_never_shown(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 403, "CF-Ray: " TEST_TOKEN "\r\n",
		 FAILED("{\"code\":9109,\"message\":\"Bearer " TEST_TOKEN " is bad\"}"), 0},
		{SCRIPT_ANSWER, 403, NULL, "<title>" TEST_TOKEN "</title>", 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(fixture_call(&fixture, "GET", "/certificates"), -EACCES);
	assert_null(strstr(fixture.error.message, "s3cret"));
	assert_non_null(strstr(fixture.error.message, "9109 Bearer [token] is bad"));
	assert_non_null(strstr(fixture.error.remedy, fixture.token_file));
	assert_non_null(
		strstr(fixture.server.requests[0], "\r\nAuthorization: Bearer " TEST_TOKEN "\r\n"));
	assert_non_null(strstr(fixture.server.requests[0], "\r\nUser-Agent: origin-ca-agent/"));
	assert_int_equal(fixture_call(&fixture, "GET", "/certificates"), -EACCES);
	assert_null(strstr(fixture.error.message, "s3cret"));
	fixture_close(&fixture);
}

static void test_too_large_an_answer_is_not_read_to_its_end(void **state)
{
	(void)state;
	size_t size = CLIENT_BODY_LIMIT + 100;
	char *large = memory_alloc(size + 1, 1);
	memset(large, ' ', size);
	size_t lines = 300 * 1024 / 64;
	char *headers = memory_alloc(lines * 64 + 1, 1);
	for (size_t i = 0; i < lines; i++)
		sprintf(headers + i * 64, "X-%03zu: %055d\r\n", i % 1000, 0);
	const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, large, 0},
		{SCRIPT_ANSWER, 200, headers, GOOD, 0},
	};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	for (int i = 0; i < 2; i++) {
		assert_true(fixture_call(&fixture, "POST", "/certificates") < 0);
		assert_true(fixture.error.outcome_unknown);
	}
	fixture_close(&fixture);
	free(large);
	free(headers);
}

static void test_path_cannot_smuggle_a_second_request(void **state)
{
	(void)state;
	static const struct script_step steps[] = {{SCRIPT_ANSWER, 200, NULL, GOOD, 0}};
	struct fixture fixture;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(fixture_call(&fixture, "GET", "/a HTTP/1.1\r\nX: y"), -EINVAL);
	assert_int_equal(fixture_call(&fixture, "GET", "certificates"), -EINVAL);
	assert_int_equal(fixture.error.class, ERROR_BUG);
	assert_int_equal(fixture.server.connection_count, 0);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_connection_was_not_carried_out),
		cmocka_unit_test(test_post_without_a_whole_answer_is_unknown_and_sent_once),
		cmocka_unit_test(test_post_on_a_reused_connection_is_not_sent_twice),
		cmocka_unit_test(test_post_after_the_server_closed_an_idle_connection_goes_through),
		cmocka_unit_test(test_get_and_delete_are_repeated_until_answered),
		cmocka_unit_test(test_definite_passing_error_of_a_post_is_tried_again),
		cmocka_unit_test(test_tries_end_and_refusals_are_not_tried_again),
		cmocka_unit_test(test_hanging_and_slow_answers_end_with_the_timeout),
		cmocka_unit_test(test_post_is_not_begun_shortly_before_the_deadline),
		cmocka_unit_test(test_redirect_is_not_followed),
		cmocka_unit_test(test_token_is_sent_but_never_shown),
		cmocka_unit_test(test_too_large_an_answer_is_not_read_to_its_end),
		cmocka_unit_test(test_path_cannot_smuggle_a_second_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
