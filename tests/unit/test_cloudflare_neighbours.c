/* settings.c, rules.c, dns.c, zone_cache.c: what is beside the certificates. */
#include "cloudflare_fixture.h"

#include <errno.h>

#include "cloudflare/dns.h"
#include "cloudflare/rules.h"
#include "cloudflare/settings.h"
#include "cloudflare/zone_cache.h"

#define RESULT(json) "{\"success\":true,\"errors\":[],\"result\":" json "}"
#define REFUSED                                                                                    \
	{                                                                                          \
		SCRIPT_ANSWER, 403, NULL, FAILED("{\"code\":9109,\"message\":\"no\"}"), 0          \
	}
#define ANSWER(json)                                                                               \
	{                                                                                          \
		SCRIPT_ANSWER, 200, NULL, RESULT(json), 0                                          \
	}
#define STRICT_RULE(id, expression, more)                                                          \
	"{\"id\":\"" id "\",\"action\":\"set_config\",\"action_parameters\":{\"ssl\":\"strict\"}," \
	"\"expression\":\"" expression "\"" more "}"
#define RULESET(rules) "{\"id\":\"abcdef0123\",\"rules\":[" rules "]}"

static void test_setting_is_a_word_and_its_permission_is_named(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ANSWER("{\"id\":\"ssl\",\"value\":\"strict\"}"),
		ANSWER("{\"id\":\"ssl\",\"value\":7}"),
		ANSWER("{\"id\":\"ssl\",\"value\":\"such a long word that no setting has it at "
		       "all\"}"),
		REFUSED,
		REFUSED,
		REFUSED,
	};
	struct fixture fixture;
	char value[SETTING_SIZE];
	FIXTURE_OPEN(&fixture, steps, 0);
	struct client *client = fixture.client;
	assert_int_equal(setting_get(client, TEST_ZONE, SETTING_SSL, value, &fixture.error), 0);
	assert_true(setting_is_strict(value));
	assert_false(setting_is_strict("full"));
	for (int i = 0; i < 2; i++)
		assert_int_equal(setting_get(client, TEST_ZONE, SETTING_SSL, value, &fixture.error),
				 -EPROTO);
	assert_int_equal(setting_get(client, TEST_ZONE, SETTING_SSL, value, &fixture.error),
			 -EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > Zone Settings > Read"));
	assert_int_equal(setting_set(client, TEST_ZONE, SETTING_SSL, "strict", &fixture.error),
			 -EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > Zone Settings > Edit"));
	assert_int_equal(setting_get(client, TEST_ZONE, SETTING_AUTOMATIC, value, &fixture.error),
			 -EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > SSL and Certificates > Read"));
	fixture_close(&fixture);
}

static void test_expression_names_hosts_and_wildcards(void **state)
{
	(void)state;
	CLEANUP(string_list_free) struct string_list names = {0};
	CLEANUP(freep) char *expression = NULL;
	struct error error = {0};
	string_list_add(&names, "a.example");
	string_list_add(&names, "*.a.example");
	string_list_add(&names, "b.example");
	assert_int_equal(rule_expression(&names, &expression, &error), 0);
	assert_string_equal(expression, "ends_with(http.host, \".a.example\") or "
					"http.host in {\"a.example\" \"b.example\"}");
	for (int i = 0; i < 100; i++) {
		CLEANUP(freep)
		char *name = string_format("host-%d-with-a-long-name-of-its-own.a."
					   "example",
					   i);
		string_list_add(&names, name);
	}
	CLEANUP(freep) char *too_long = NULL;
	assert_int_equal(rule_expression(&names, &too_long, &error), -E2BIG);
	assert_non_null(strstr(error.remedy, "ssl_mode = strict"));
}

static void test_rule_is_appended_and_never_written_over_others(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ANSWER(RULESET(STRICT_RULE("1", "one", ",\"description\":\"ours\""))),
		ANSWER(RULESET("")),
	};
	struct fixture fixture;
	CLEANUP(freep) char *stale = NULL;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(
		rule_ssl_strict(fixture.client, TEST_ZONE, "two", "ours", &stale, &fixture.error),
		1);
	assert_string_equal(stale, "one");
	assert_int_equal(fixture.server.request_count, 2);
	assert_non_null(strstr(fixture.server.requests[1],
			       "POST /client/v4/zones/" TEST_ZONE "/rulesets/abcdef0123/rules "));
	assert_non_null(strstr(fixture.server.requests[1], "\"ssl\":\"strict\""));
	fixture_close(&fixture);
}

static void test_rule_that_is_there_is_enough(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ANSWER(RULESET(STRICT_RULE("1", "(two)", ",\"enabled\":true"))),
		/* One that is switched off does nothing. */
		ANSWER(RULESET(STRICT_RULE("1", "two", ",\"enabled\":false"))),
		ANSWER(RULESET("")),
		/* No ruleset at all: then, and only then, there is nothing to write over. */
		{SCRIPT_ANSWER, 404, NULL, FAILED("{\"code\":10003,\"message\":\"none\"}"), 0},
		ANSWER(RULESET("")),
	};
	struct fixture fixture;
	char *stale = NULL;
	FIXTURE_OPEN(&fixture, steps, 0);
	static const int expected[] = {0, 1, 1};
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(rule_ssl_strict(fixture.client, TEST_ZONE, "two", "ours", &stale,
						 &fixture.error),
				 expected[i]);
	assert_null(stale);
	assert_non_null(strstr(fixture.server.requests[4], "PUT /client/v4/zones/" TEST_ZONE));
	fixture_close(&fixture);
}

static void test_rule_names_the_permission_that_lacks(void **state)
{
	(void)state;
	static const struct script_step steps[] = {REFUSED, ANSWER(RULESET("")), REFUSED};
	struct fixture fixture;
	char *stale = NULL;
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(
		rule_ssl_strict(fixture.client, TEST_ZONE, "two", "ours", &stale, &fixture.error),
		-EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > Config Rules > Read"));
	assert_int_equal(
		rule_ssl_strict(fixture.client, TEST_ZONE, "two", "ours", &stale, &fixture.error),
		-EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > Config Rules > Edit"));
	fixture_close(&fixture);
}

static int count_proxied(const struct dns_record *record, void *context)
{
	int *counts = context;
	counts[record->proxied]++;
	return strcmp(record->name, "stop.example") == 0;
}

static void test_dns_records_are_visited(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ANSWER("[{\"name\":\"a.example\",\"type\":\"A\",\"proxied\":true},"
		       "{\"name\":\"b.example\",\"type\":\"A\"},{\"type\":\"A\"},"
		       "{\"name\":\"stop.example\",\"type\":\"A\"},"
		       "{\"name\":\"c.example\",\"type\":\"A\"}]"),
		REFUSED,
	};
	struct fixture fixture;
	int counts[2] = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(
		dns_records_list(fixture.client, TEST_ZONE, count_proxied, counts, &fixture.error),
		1);
	assert_int_equal(counts[true], 1);
	assert_int_equal(counts[false], 2);
	assert_int_equal(
		dns_records_list(fixture.client, TEST_ZONE, count_proxied, counts, &fixture.error),
		-EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > DNS > Read"));
	fixture_close(&fixture);
}

static void test_thousand_names_of_a_zone_ask_once(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		ANSWER("[{\"id\":\"" TEST_ZONE
		       "\",\"name\":\"example.com\",\"status\":\"active\"}]"),
		ANSWER("[]"),
	};
	struct fixture fixture;
	CLEANUP(zone_cache_free) struct zone_cache cache = {0};
	const struct zone *zone = NULL;
	FIXTURE_OPEN(&fixture, steps, 0);
	for (int i = 0; i < 1000; i++) {
		/* The zone itself first: a name below would be asked for before it. */
		CLEANUP(freep)
		char *name = i ? string_format("*.h%d.Example.com", i) : string_copy("example.com");
		assert_int_equal(
			zone_cache_find(&cache, fixture.client, name, &zone, &fixture.error), 0);
		assert_string_equal(zone->id, TEST_ZONE);
	}
	assert_int_equal(fixture.server.request_count, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(zone_cache_find(&cache, fixture.client, "*.other.org", &zone,
						 &fixture.error),
				 -ENOENT);
	assert_int_equal(fixture.server.request_count, 2);
	assert_false(zone_holds("example.com", "notexample.com"));
	fixture_close(&fixture);
}

static void test_token_that_may_not_read_zones_is_asked_for_once(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		REFUSED,
		ANSWER("{\"id\":\"" TEST_ZONE "\",\"name\":\"a.example\",\"status\":\"active\"}"),
		REFUSED,
	};
	struct fixture fixture;
	CLEANUP(zone_cache_free) struct zone_cache cache = {0};
	const struct zone *zone = NULL;
	FIXTURE_OPEN(&fixture, steps, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			zone_cache_find(&cache, fixture.client, "a.example", &zone, &fixture.error),
			-EACCES);
	assert_int_equal(fixture.server.request_count, 1);
	/* Its id opens it, and where that fails, the id is all that is known of it. */
	assert_int_equal(zone_cache_find_or(&cache, fixture.client, "a.example", TEST_ZONE, &zone,
					    &fixture.error),
			 0);
	assert_string_equal(zone->name, "a.example");
	static const char other[] = "fedcba9876543210fedcba9876543210";
	for (int i = 0; i < 2; i++)
		assert_int_equal(zone_cache_find_or(&cache, fixture.client, "b.example", other,
						    &zone, &fixture.error),
				 0);
	assert_string_equal(zone->id, other);
	assert_int_equal(fixture.server.request_count, 3);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_setting_is_a_word_and_its_permission_is_named),
		cmocka_unit_test(test_expression_names_hosts_and_wildcards),
		cmocka_unit_test(test_rule_is_appended_and_never_written_over_others),
		cmocka_unit_test(test_rule_that_is_there_is_enough),
		cmocka_unit_test(test_rule_names_the_permission_that_lacks),
		cmocka_unit_test(test_dns_records_are_visited),
		cmocka_unit_test(test_thousand_names_of_a_zone_ask_once),
		cmocka_unit_test(test_token_that_may_not_read_zones_is_asked_for_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
