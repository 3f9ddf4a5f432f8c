/* Zones by hostname, and what the token says of itself. */
#include "cloudflare_fixture.h"

#include <errno.h>

#include "cloudflare/zone.h"

#define ZONE(id, name, status)                                                                     \
	"{\"id\":\"" id "\",\"name\":\"" name "\",\"status\":\"" status "\",\"paused\":false,"     \
	"\"account\":{\"id\":\"ffffffffffffffffffffffffffffffff\"}}"
#define LIST(zones) "{\"success\":true,\"result\":[" zones "]}"
#define OTHER	    "fedcba9876543210fedcba9876543210"

static void test_longest_parent_that_exists_is_the_zone(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, LIST(""), 0},
		/* A server that ignores the filter does not fool us. */
		{SCRIPT_ANSWER, 200, NULL, LIST(ZONE(OTHER, "other.com", "active")), 0},
		{SCRIPT_ANSWER, 200, NULL,
		 LIST(ZONE(OTHER, "example.co.uk",
			   "pending") "," ZONE(TEST_ZONE, "Example.co.uk",
					       "active") "," ZONE(OTHER, "example.co.uk", "moved")),
		 0},
	};
	struct fixture fixture;
	struct zone zone = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(zone_find(fixture.client, "*.a.b.example.co.uk", &zone, &fixture.error),
			 0);
	assert_string_equal(zone.id, TEST_ZONE);
	assert_string_equal(zone.status, "active");
	assert_string_equal(zone.account_id, "ffffffffffffffffffffffffffffffff");
	assert_int_equal(fixture.server.request_count, 3);
	assert_non_null(strstr(fixture.server.requests[0], "/zones?name=a.b.example.co.uk&"));
	assert_non_null(strstr(fixture.server.requests[1], "/zones?name=b.example.co.uk&"));
	assert_non_null(strstr(fixture.server.requests[2], "/zones?name=example.co.uk&"));
	fixture_close(&fixture);
}

static void test_no_zone_names_what_was_tried(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, LIST("{\"id\":\"short\",\"name\":\"example.com\"}"), 0},
	};
	struct fixture fixture;
	struct zone zone = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(zone_find(fixture.client, "www.example.com", &zone, &fixture.error),
			 -ENOENT);
	assert_int_equal(fixture.error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(fixture.error.message, "www.example.com, example.com)"));
	assert_non_null(strstr(fixture.error.remedy, "zone_id ="));
	assert_int_equal(fixture.server.request_count, 2);

	/* No name of the world costs more than some requests. */
	char deep[254] = "";
	for (size_t i = 0; i < 240; i++)
		deep[i] = i % 2 ? '.' : 'a';
	snprintf(deep + 240, sizeof(deep) - 240, "example.com");
	assert_int_equal(zone_find(fixture.client, deep, &zone, &fixture.error), -ENOENT);
	assert_int_equal(fixture.server.request_count, 2 + 16);
	assert_int_equal(zone_find(fixture.client, "a&b=c", &zone, &fixture.error), -EINVAL);
	assert_int_equal(zone_find(fixture.client, "", &zone, &fixture.error), -EINVAL);
	fixture_close(&fixture);
}

static void test_token_without_zone_read_is_told_so(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 403, NULL, FAILED("{\"code\":9109,\"message\":\"no\"}"), 0}};
	struct fixture fixture;
	struct zone zone = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(zone_find(fixture.client, "example.com", &zone, &fixture.error), -EACCES);
	assert_int_equal(fixture.error.class, ERROR_AUTHORIZATION);
	assert_non_null(strstr(fixture.error.remedy, "Zone > Zone > Read"));
	assert_non_null(strstr(fixture.error.remedy, "zone_id ="));
	fixture_close(&fixture);
}

static void test_zone_is_read_by_its_id(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL,
		 "{\"success\":true,\"result\":" ZONE(TEST_ZONE, "example.com", "pending") "}", 0},
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true,\"result\":[]}", 0},
	};
	struct fixture fixture;
	struct zone zone = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(zone_get(fixture.client, TEST_ZONE, &zone, &fixture.error), 0);
	assert_string_equal(zone.name, "example.com");
	assert_int_equal(zone_get(fixture.client, TEST_ZONE, &zone, &fixture.error), -EPROTO);
	assert_int_equal(zone_get(fixture.client, "../user", &zone, &fixture.error), -EINVAL);
	fixture_close(&fixture);
}

static void test_token_status_is_read(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL,
		 "{\"success\":true,\"messages\":[{\"code\":10000,\"message\":\"valid\"}],"
		 "\"result\":{\"status\":\"active\"}}",
		 0},
		{SCRIPT_ANSWER, 200, NULL,
		 "{\"success\":true,\"result\":{\"status\":\"disabled\"}}", 0},
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true,\"result\":{\"status\":\"expired\"}}",
		 0},
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true,\"result\":7}", 0},
		{SCRIPT_ANSWER, 401, NULL, FAILED("{\"code\":1000,\"message\":\"x\"}"), 0},
	};
	static const enum token_status expected[] = {TOKEN_ACTIVE, TOKEN_DISABLED, TOKEN_EXPIRED,
						     TOKEN_UNKNOWN};
	struct fixture fixture;
	enum token_status status;
	FIXTURE_OPEN(&fixture, steps, 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(token_verify(fixture.client, NULL, &status, &fixture.error), 0);
		assert_int_equal(status, expected[i]);
	}
	assert_true(token_verify(fixture.client, NULL, &status, &fixture.error) < 0);
	fixture_close(&fixture);
}

static void test_accounts_token_is_verified_at_its_account(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true,\"result\":{\"status\":\"active\"}}",
		 0}};
	struct fixture fixture;
	enum token_status status = TOKEN_ACTIVE;
	FIXTURE_OPEN(&fixture, steps, 0);
	client_free(fixture.client);
	int fd = open(fixture.token_file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(write(fd, "cfat_abc\n", 9), 9);
	close(fd);
	assert_int_equal(client_new(&fixture.api, 0, &fixture.client, &fixture.error), 0);
	assert_int_equal(token_verify(fixture.client, NULL, &status, &fixture.error), 0);
	assert_int_equal(status, TOKEN_UNKNOWN);
	assert_int_equal(fixture.server.request_count, 0);
	assert_int_equal(token_verify(fixture.client, TEST_ZONE, &status, &fixture.error), 0);
	assert_int_equal(status, TOKEN_ACTIVE);
	assert_non_null(strstr(fixture.server.requests[0],
			       "GET /client/v4/accounts/" TEST_ZONE "/tokens/verify "));
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_parent_that_exists_is_the_zone),
		cmocka_unit_test(test_no_zone_names_what_was_tried),
		cmocka_unit_test(test_token_without_zone_read_is_told_so),
		cmocka_unit_test(test_zone_is_read_by_its_id),
		cmocka_unit_test(test_token_status_is_read),
		cmocka_unit_test(test_accounts_token_is_verified_at_its_account),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
