/* The table of events, what reaches the journal of one, and which messages are alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/alike.h"
#include "base/event.h"
#include "base/memory.h"

static void test_each_event_has_a_name_and_an_id_of_its_own(void **state)
{
	(void)state;
	for (int i = EVENT_NONE + 1; i < EVENT_COUNT; i++) {
		const struct event_type *type = &event_types[i];
		assert_non_null(type->name);
		assert_non_null(type->summary);
		assert_int_equal(strlen(type->message_id), 32);
		assert_int_equal(strspn(type->message_id, "0123456789abcdef"), 32);
		assert_in_range(type->level, LOG_LEVEL_CRITICAL, LOG_LEVEL_NOTICE);
		for (int j = i + 1; j < EVENT_COUNT; j++) {
			assert_string_not_equal(type->message_id, event_types[j].message_id);
			bool failures = i >= EVENT_FAILED_TRANSIENT && j <= EVENT_FAILED_BUG;
			assert_int_equal(strcmp(type->name, event_types[j].name) == 0, failures);
		}
	}
}

static void test_class_of_a_failure_decides_its_event(void **state)
{
	(void)state;
	assert_int_equal(event_of_failure(ERROR_TRANSIENT), EVENT_FAILED_TRANSIENT);
	assert_int_equal(event_of_failure(ERROR_CONFIGURATION), EVENT_FAILED_CONFIGURATION);
	assert_int_equal(event_of_failure(ERROR_AUTHORIZATION), EVENT_FAILED_AUTHORIZATION);
	assert_int_equal(event_of_failure(ERROR_LOCAL), EVENT_FAILED_LOCAL);
	assert_int_equal(event_of_failure(ERROR_DEPLOY), EVENT_FAILED_DEPLOY);
	assert_int_equal(event_of_failure(ERROR_BUG), EVENT_FAILED_BUG);
	assert_int_equal(event_of_failure(ERROR_NONE), EVENT_FAILED_BUG);
	assert_int_equal(event_find("rolled-back"), EVENT_ROLLED_BACK);
	assert_int_equal(event_find("failed"), EVENT_FAILED_TRANSIENT);
	assert_int_equal(event_find("unheard-of"), EVENT_NONE);
	assert_int_equal(event_find(NULL), EVENT_NONE);
}

static void test_fields_are_what_is_known(void **state)
{
	(void)state;
	struct event event = {
		.kind = EVENT_FAILED_TRANSIENT,
		.class = ERROR_TRANSIENT,
		.generation = 3,
		.certificate = string_copy("shop"),
		.message = string_copy("POST /certificates: 1100 (HTTP 500, CF-Ray 8f0-FRA)"),
	};
	struct string_list fields = {0};
	event_fields(&event, &fields);
	static const char *const wanted[] = {
		"MESSAGE_ID=130a33bf08af4bb9ad4b52137229faac",
		"ORIGIN_CA_EVENT=failed",
		"ORIGIN_CA_CERTIFICATE=shop",
		"ORIGIN_CA_GENERATION=3",
		"ORIGIN_CA_CLASS=transient",
		"ORIGIN_CA_RAY=8f0-FRA",
	};
	assert_int_equal(fields.count, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < fields.count; i++)
		assert_string_equal(fields.items[i], wanted[i]);
	string_list_free(&fields);
	event_free(&event);
	assert_null(event.certificate);
}

static void test_ray_is_found_in_a_message_or_not(void **state)
{
	(void)state;
	CLEANUP(freep) char *ray = event_ray("HTTP 500, CF-Ray 927c50dff632566f-SBX)");
	assert_string_equal(ray, "927c50dff632566f-SBX");
	assert_null(event_ray("CF-Ray "));
	assert_null(event_ray("no such thing"));
	assert_null(event_ray(NULL));
}

static void test_messages_that_differ_in_numbers_and_ids_are_alike(void **state)
{
	(void)state;
	assert_true(words_alike("took 30 s (CF-Ray 8f0-FRA)", "took 1 s (CF-Ray 0a1b2-MUC)"));
	assert_true(words_alike("", ""));
	assert_true(words_alike(NULL, NULL));
	assert_true(words_alike("port 443", "port 8443"));
	assert_false(words_alike("port 443", "port 443 is closed"));
	assert_false(words_alike("nginx: refused", "apache: refused"));
	assert_false(words_alike("refused", "refused 3"));
	assert_false(words_alike("refused (1)", "refused [1]"));
	assert_false(words_alike("refused", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_event_has_a_name_and_an_id_of_its_own),
		cmocka_unit_test(test_class_of_a_failure_decides_its_event),
		cmocka_unit_test(test_fields_are_what_is_known),
		cmocka_unit_test(test_ray_is_found_in_a_message_or_not),
		cmocka_unit_test(test_messages_that_differ_in_numbers_and_ids_are_alike),
	};
	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
