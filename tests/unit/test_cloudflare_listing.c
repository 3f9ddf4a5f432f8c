/* Lists from servers that lie about their pages: nothing missed, nothing twice, and an end. */
#include "cloudflare_fixture.h"

#include <errno.h>

#include "cloudflare/origin_ca.h"

/* A page with the ids `from` to `to`, and `info` as its result_info (NULL: none). */
static char *page_make(int from, int to, const char *info)
{
	cJSON *answer = json_object();
	json_add_bool(answer, "success", true);
	cJSON *list = json_add_array(answer, "result");
	for (int id = from; id <= to; id++)
		json_add_format(json_append_object(list), "id", "%d", id);
	if (info)
		cJSON_AddItemToObject(answer, "result_info", cJSON_Parse(info));
	char *text = json_print(answer, false);
	cJSON_Delete(answer);
	return text;
}

struct visits {
	int count[1000];
	int total;
	int stop_at; /* 0: never */
	int stop_with;
};

static int visit(const struct origin_certificate *certificate, void *context, struct error *error)
{
	struct visits *visits = context;
	visits->count[strtol(certificate->id, NULL, 10)]++;
	visits->total++;
	if (visits->total != visits->stop_at)
		return 0;
	return visits->stop_with < 0 ? error_set(error, ERROR_LOCAL, visits->stop_with, "enough")
				     : visits->stop_with;
}

struct pages {
	int from, to;
	const char *info;
};

/* Plays the pages (the last again and again), lists, and expects the ids 1 to `ids` once each. */
static void assert_listed(const struct pages *pages, size_t count, int ids, size_t requests)
{
	struct script_step steps[8];
	char *bodies[8];
	for (size_t i = 0; i < count; i++) {
		bodies[i] = page_make(pages[i].from, pages[i].to, pages[i].info);
		steps[i] = (struct script_step){SCRIPT_ANSWER, 200, NULL, bodies[i], 0};
	}
	struct fixture fixture;
	struct visits visits = {0};
	fixture_open(&fixture, steps, count, 0);
	assert_int_equal(origin_ca_list(fixture.client, TEST_ZONE, visit, &visits, &fixture.error),
			 0);
	assert_int_equal(visits.total, ids);
	for (int id = 1; id <= ids; id++)
		assert_int_equal(visits.count[id], 1);
	assert_int_equal(fixture.server.request_count, requests);
	assert_true(string_starts(fixture.server.requests[0],
				  "GET /client/v4/certificates?zone_id=" TEST_ZONE
				  "&page=1&per_page=50 HTTP/1.1\r\n"));
	fixture_close(&fixture);
	for (size_t i = 0; i < count; i++)
		free(bodies[i]);
}

#define LISTED(pages, ids, requests)                                                               \
	assert_listed(pages, sizeof(pages) / sizeof((pages)[0]), ids, requests)

static void test_honest_server_is_asked_no_more_than_needed(void **state)
{
	(void)state;
	static const struct pages three[] = {
		{1, 50, "{\"page\":1,\"per_page\":50,\"count\":50,\"total_count\":120}"},
		{51, 100, "{\"page\":2,\"per_page\":50,\"count\":50,\"total_count\":120}"},
		{101, 120, "{\"page\":3,\"per_page\":50,\"count\":20,\"total_count\":120}"},
	};
	static const struct pages one[] = {{1, 3, "{\"per_page\":50,\"total_count\":3}"}};
	static const struct pages none[] = {{1, 0, "{\"per_page\":50,\"total_count\":0}"}};
	LISTED(three, 120, 3);
	LISTED(one, 3, 1);
	LISTED(none, 0, 1);
}

static void test_smaller_pages_than_asked_for_miss_nothing(void **state)
{
	(void)state;
	static const struct pages said[] = {
		{1, 20, "{\"per_page\":20,\"total_count\":45}"},
		{21, 40, "{\"per_page\":20,\"total_count\":45}"},
		{41, 45, "{\"per_page\":20,\"total_count\":45}"},
	};
	static const struct pages unsaid[] = {
		{1, 20, NULL}, {21, 40, NULL}, {41, 45, NULL}, {1, 0, NULL}};
	static const struct pages pages_only[] = {
		{1, 20, "{\"total_count\":20,\"total_pages\":2}"},
		{21, 25, "{\"total_count\":20,\"total_pages\":2}"},
	};
	static const struct pages full_by_its_own_measure[] = {
		{1, 20, "{\"per_page\":20,\"total_count\":20}"},
		{21, 25, "{\"per_page\":20,\"total_count\":20}"},
	};
	LISTED(said, 45, 3);
	LISTED(full_by_its_own_measure, 25, 2);
	LISTED(unsaid, 45, 4);
	LISTED(pages_only, 25, 2);
}

static void test_wrong_totals_neither_loop_nor_miss(void **state)
{
	(void)state;
	static const struct pages too_low[] = {
		{1, 50, "{\"total_count\":3}"},
		{51, 60, "{\"total_count\":3}"},
	};
	static const struct pages too_high[] = {
		{1, 30, "{\"total_count\":9999999}"},
		{1, 0, "{\"total_count\":9999999}"},
	};
	static const struct pages nonsense[] = {
		{1, 50, "{\"total_count\":\"x\",\"per_page\":-3,\"total_pages\":1e300}"},
		{51, 51, "[]"},
		{1, 0, "7"},
	};
	LISTED(too_low, 60, 2);
	LISTED(too_high, 30, 2);
	LISTED(nonsense, 51, 3);
}

static void test_server_that_ignores_the_page_ends(void **state)
{
	(void)state;
	static const struct pages same[] = {{1, 50, "{\"total_count\":500}"}};
	LISTED(same, 50, 2);
}

static void test_repeated_certificates_are_visited_once(void **state)
{
	(void)state;
	/* One was issued between two pages, and pushed the others along. */
	static const struct pages shifted[] = {
		{1, 50, "{\"total_count\":61}"},
		{40, 89, "{\"total_count\":61}"},
		{89, 89, "{\"total_count\":61}"},
	};
	LISTED(shifted, 89, 3);
}

static void test_entries_without_id_are_known_by_their_pem(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL,
		 "{\"success\":true,\"result\":[7,null,{},{\"id\":\"5\"},{\"id\":\"5\"}]}", 0},
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true}", 0},
	};
	struct fixture fixture;
	struct visits visits = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(origin_ca_list(fixture.client, TEST_ZONE, visit, &visits, &fixture.error),
			 0);
	assert_int_equal(visits.total, 1);
	fixture_close(&fixture);
}

static void test_visitor_can_stop_with_success_or_error(void **state)
{
	(void)state;
	char *body = page_make(1, 10, NULL);
	const struct script_step steps[] = {{SCRIPT_ANSWER, 200, NULL, body, 0}};
	struct fixture fixture;
	struct visits visits = {.stop_at = 4, .stop_with = 1};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(origin_ca_list(fixture.client, TEST_ZONE, visit, &visits, &fixture.error),
			 1);
	assert_int_equal(visits.total, 4);
	visits = (struct visits){.stop_at = 2, .stop_with = -ENOSPC};
	assert_int_equal(origin_ca_list(fixture.client, TEST_ZONE, visit, &visits, &fixture.error),
			 -ENOSPC);
	assert_string_equal(fixture.error.message, "enough");
	fixture_close(&fixture);
	free(body);
}

static void test_bad_list_or_zone_is_an_error_not_an_empty_list(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true,\"result\":{\"id\":\"1\"}}", 0},
		{SCRIPT_ANSWER, 403, NULL, FAILED("{\"code\":10000,\"message\":\"no\"}"), 0},
	};
	struct fixture fixture;
	struct visits visits = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	struct client *client = fixture.client;
	assert_int_equal(origin_ca_list(client, TEST_ZONE, visit, &visits, &fixture.error),
			 -EPROTO);
	assert_int_equal(origin_ca_list(client, TEST_ZONE, visit, &visits, &fixture.error),
			 -EACCES);
	assert_int_equal(origin_ca_list(client, "x&zone_id=y", visit, &visits, &fixture.error),
			 -EINVAL);
	assert_int_equal(visits.total, 0);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest_server_is_asked_no_more_than_needed),
		cmocka_unit_test(test_smaller_pages_than_asked_for_miss_nothing),
		cmocka_unit_test(test_wrong_totals_neither_loop_nor_miss),
		cmocka_unit_test(test_server_that_ignores_the_page_ends),
		cmocka_unit_test(test_repeated_certificates_are_visited_once),
		cmocka_unit_test(test_entries_without_id_are_known_by_their_pem),
		cmocka_unit_test(test_visitor_can_stop_with_success_or_error),
		cmocka_unit_test(test_bad_list_or_zone_is_an_error_not_an_empty_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
