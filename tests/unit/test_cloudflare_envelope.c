/* What one answer means: classes, codes, words, and whether a POST may have been carried out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cloudflare/envelope.h"

#define FAILED(list) "{\"success\":false,\"errors\":[" list "],\"messages\":[],\"result\":null}"
#define PAGE                                                                                       \
	"<!DOCTYPE html>\n<html><head><TITLE>\n  502: Bad\n gateway </TITLE></head>"               \
	"<body>much more</body></html>"
#define SECRET "cfut_s3cretS3cretS3cret"

static struct error error;
static int code;

static int parse(const char *method, int status, const char *body)
{
	struct envelope_answer answer = {
		.method = method,
		.path = "/certificates",
		.http_status = status,
		.body = body,
		.length = strlen(body),
		.cf_ray = "8f2a-FRA",
		.retry_after = -1,
		.token_path = "/etc/origin-ca-agent/api-token",
		.secret = SECRET,
	};
	cJSON *envelope = NULL;
	error_clear(&error);
	int result = envelope_parse(&answer, &envelope, &code, &error);
	assert_int_equal(result == 0, envelope != NULL);
	cJSON_Delete(envelope);
	return result;
}

/* Every code of the table of cloudflare/API.md. */
static void test_each_code_has_its_class(void **state)
{
	(void)state;
	static const struct {
		int code;
		int status;
		enum error_class class;
		int result;
		bool unknown;
	} table[] = {
		{1000, 400, ERROR_TRANSIENT, -EAGAIN, false},
		/* "Invalid API Token", of /user/tokens/verify. */
		{1000, 401, ERROR_AUTHORIZATION, -EACCES, false},
		{1008, 400, ERROR_TRANSIENT, -EAGAIN, false},
		{1200, 500, ERROR_TRANSIENT, -EAGAIN, false},
		{1201, 400, ERROR_TRANSIENT, -EAGAIN, false},
		{1100, 400, ERROR_TRANSIENT, -EAGAIN, true},
		{1003, 400, ERROR_BUG, -EPROTO, false},
		{1004, 400, ERROR_BUG, -EPROTO, false},
		{1007, 400, ERROR_BUG, -EPROTO, false},
		{1011, 400, ERROR_BUG, -EPROTO, false},
		{1012, 400, ERROR_BUG, -EPROTO, false},
		{1013, 400, ERROR_BUG, -EPROTO, false},
		{7003, 404, ERROR_BUG, -EPROTO, false},
		{1005, 400, ERROR_CONFIGURATION, -EINVAL, false},
		{1009, 400, ERROR_CONFIGURATION, -EINVAL, false},
		{1010, 400, ERROR_CONFIGURATION, -EINVAL, false},
		{1014, 400, ERROR_CONFIGURATION, -EALREADY, false},
		{1101, 400, ERROR_CONFIGURATION, -ENOENT, false},
		{1016, 400, ERROR_AUTHORIZATION, -EACCES, false},
		{6003, 400, ERROR_AUTHORIZATION, -EACCES, false},
		{9109, 403, ERROR_AUTHORIZATION, -EACCES, false},
		{10000, 401, ERROR_AUTHORIZATION, -EACCES, false},
		{971, 429, ERROR_TRANSIENT, -EAGAIN, false},
		{10429, 429, ERROR_TRANSIENT, -EAGAIN, false},
		{10502, 429, ERROR_TRANSIENT, -EAGAIN, false},
		/* The same with HTTP 200: the code decides. */
		{1010, 200, ERROR_CONFIGURATION, -EINVAL, false},
		{1201, 200, ERROR_TRANSIENT, -EAGAIN, false},
		/* Codes that nobody told us of: the status decides. */
		{4711, 400, ERROR_CONFIGURATION, -EINVAL, false},
		{4711, 401, ERROR_AUTHORIZATION, -EACCES, false},
		{4711, 403, ERROR_AUTHORIZATION, -EACCES, false},
		{4711, 404, ERROR_CONFIGURATION, -ENOENT, false},
		{4711, 408, ERROR_TRANSIENT, -EAGAIN, false},
		{4711, 422, ERROR_CONFIGURATION, -EINVAL, false},
		{4711, 429, ERROR_TRANSIENT, -EAGAIN, false},
		{4711, 503, ERROR_TRANSIENT, -EAGAIN, true},
		{4711, 200, ERROR_CONFIGURATION, -EINVAL, false},
		/* A rate limit is one, whatever else is said. */
		{10000, 429, ERROR_TRANSIENT, -EAGAIN, false},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char body[200];
		snprintf(body, sizeof(body), FAILED("{\"code\":%d,\"message\":\"Words\"}"),
			 table[i].code);
		print_message("code %d, HTTP %d\n", table[i].code, table[i].status);
		assert_int_equal(parse("POST", table[i].status, body), table[i].result);
		assert_int_equal(error.class, table[i].class);
		assert_int_equal(error.outcome_unknown, table[i].unknown);
		assert_int_equal(code, table[i].code);
		/* What can be repeated has no unknown outcome. */
		parse("GET", table[i].status, body);
		assert_false(error.outcome_unknown);
	}
}

static void test_message_names_request_code_status_and_ray(void **state)
{
	(void)state;
	parse("POST", 400, FAILED("{\"code\":1010,\"message\":\"Zone not in account\"}"));
	assert_string_equal(error.message,
			    "POST /certificates: 1010 Zone not in account (HTTP 400, "
			    "CF-Ray 8f2a-FRA)");
	parse("POST", 400, FAILED("{\"code\":1016,\"message\":\"no\"}"));
	assert_non_null(strstr(error.remedy, "Zone > SSL and Certificates > Edit"));
	for (int i = 0; i < 3; i++) {
		static const char *const bodies[] = {
			FAILED("{\"code\":10000,\"message\":\"Authentication error\"}"),
			FAILED("{\"code\":9109,\"message\":\"Invalid access token\"}"),
			FAILED("{\"code\":6003,\"message\":\"Invalid request headers\"}"),
		};
		parse("POST", 400, bodies[i]);
		assert_non_null(strstr(error.remedy, "/etc/origin-ca-agent/api-token"));
	}
}

static void test_error_chain_is_shown_and_nested_messages_are_flattened(void **state)
{
	(void)state;
	parse("GET", 400,
	      FAILED("{\"code\":6003,\"message\":\"Invalid request headers\",\"error_chain\":"
		     "[{\"code\":6111,\"message\":\"Invalid format for Authorization header\"}]}"));
	assert_int_equal(code, 6003);
	assert_non_null(strstr(error.message, "6003 Invalid request headers; 6111 Invalid format"));
	parse("GET", 400,
	      FAILED("{\"code\":\"1010\",\"message\":{\"message\":\"deep\"}},\"bare\""));
	assert_int_equal(code, 1010);
	assert_non_null(strstr(error.message, "1010; deep; bare ("));
}

static void test_members_may_be_missing_or_of_the_wrong_type(void **state)
{
	(void)state;
	assert_int_equal(parse("GET", 200, "{\"success\":true}"), 0);
	assert_int_equal(parse("GET", 200, "{\"success\":true,\"errors\":7,\"result\":[]}\n"), 0);
	/* Good news that shares its number with bad news, and a message that is not a failure. */
	assert_int_equal(parse("GET", 200,
			       "{\"success\":true,\"errors\":[],\"messages\":[{\"code\":10000,"
			       "\"message\":\"This API Token is valid and active\"}]}"),
			 0);
	assert_int_equal(parse("POST", 400, "{\"success\":false,\"messages\":[{\"code\":10000}]}"),
			 -EINVAL);
	assert_int_equal(code, 0);
	parse("POST", 200, "{\"success\":false,\"errors\":[{\"code\":1006,\"message\":\"dup\"}]}");
	assert_int_equal(error.class, ERROR_TRANSIENT);
	assert_true(error.outcome_unknown);

	static const char odd_codes[] = FAILED(
		"{\"code\":-1},{\"code\":1e300},{\"code\":\"x\"},{\"code\":10.5},[],null,true");
	static const char *const odd[] = {
		"{\"success\":false}",
		"{\"success\":false,\"errors\":null}",
		"{\"success\":false,\"errors\":\"\"}",
		"{\"success\":\"true\",\"errors\":{}}",
		odd_codes,
		"{}",
		"[]",
		"null",
		"\"text\"",
	};
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		assert_true(parse("POST", 200, odd[i]) < 0);
		assert_int_equal(error.class, ERROR_TRANSIENT);
		assert_true(error.outcome_unknown);
		assert_int_equal(code, 0);
		/* 4xx is a no, in whatever words. */
		assert_true(parse("POST", 400, odd[i]) < 0);
		assert_false(error.outcome_unknown);
	}
}

static void test_errors_as_one_object_are_read(void **state)
{
	(void)state;
	parse("GET", 400, "{\"success\":false,\"errors\":{\"code\":1101,\"message\":\"gone\"}}");
	assert_int_equal(error.code, -ENOENT);
}

static void test_success_needs_a_good_status(void **state)
{
	(void)state;
	assert_true(parse("POST", 500, "{\"success\":true,\"result\":{}}") < 0);
	assert_true(error.outcome_unknown);
	assert_int_equal(parse("POST", 201, "{\"success\":true,\"result\":{}}"), 0);
}

static void test_a_refusal_decides_before_a_passing_trouble(void **state)
{
	(void)state;
	parse("POST", 400, FAILED("{\"code\":1200},{\"code\":1010},{\"code\":1005}"));
	assert_int_equal(code, 1010);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	/* But what 1100 says of the certificate stays true. */
	parse("POST", 400, FAILED("{\"code\":1010},{\"code\":1100}"));
	assert_int_equal(code, 1010);
	assert_true(error.outcome_unknown);
}

static void test_html_is_named_with_its_title(void **state)
{
	(void)state;
	static const struct {
		int status;
		enum error_class class;
		bool unknown;
	} table[] = {
		{200, ERROR_TRANSIENT, true},	   {302, ERROR_CONFIGURATION, true},
		{400, ERROR_CONFIGURATION, false}, {403, ERROR_AUTHORIZATION, false},
		{429, ERROR_TRANSIENT, false},	   {502, ERROR_TRANSIENT, true},
		{504, ERROR_TRANSIENT, true},	   {520, ERROR_TRANSIENT, true},
		{524, ERROR_TRANSIENT, true},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_true(parse("POST", table[i].status, PAGE) < 0);
		assert_int_equal(error.class, table[i].class);
		assert_int_equal(error.outcome_unknown, table[i].unknown);
		assert_non_null(strstr(error.message,
				       "an HTML page instead of JSON: \"502: Bad gateway \""));
		assert_null(strstr(error.message, "much more"));
	}
	parse("GET", 502, "");
	assert_non_null(strstr(error.message, "an empty answer instead of JSON (HTTP 502"));
	parse("GET", 200, "{\"success\":true,\"result\":{\"id\":\"12");
	assert_non_null(strstr(error.message, "an answer that is not JSON"));
	assert_null(strstr(error.message, "result"));
}

static void test_words_are_clean_short_and_without_the_token(void **state)
{
	(void)state;
	char body[9000];
	char words[4001];
	memset(words, 'x', sizeof(words) - 1);
	words[sizeof(words) - 1] = '\0';
	/* The token stands where the words will be cut. */
	memcpy(words + 190, SECRET, strlen(SECRET));
	snprintf(body, sizeof(body), FAILED("{\"code\":1000,\"message\":\"%s\"}"), words);
	parse("GET", 400, body);
	assert_true(strlen(error.message) < 500);
	assert_null(strstr(error.message, "cfut_"));
	assert_non_null(strstr(error.message, "CF-Ray 8f2a-FRA)"));

	parse("GET", 400,
	      FAILED("{\"code\":1000,\"message\":\"a\\u001b[31m\\nb\xff\xc3(\xc2\x9b\xe2\x80\xa8"
		     "\xc3\xa9 " SECRET "\"}"));
	assert_non_null(strstr(error.message, "1000 a [31m b?\?(?\?\xc3\xa9 [token] (HTTP"));
}

static void test_retry_after_is_kept_for_what_passes(void **state)
{
	(void)state;
	struct envelope_answer answer = {.method = "GET",
					 .path = "/certificates",
					 .http_status = 429,
					 .body = "",
					 .retry_after = 17};
	cJSON *envelope = NULL;
	assert_int_equal(envelope_parse(&answer, &envelope, &code, &error), -EAGAIN);
	assert_int_equal(error.retry_after, 17);
	answer.http_status = 401;
	envelope_parse(&answer, &envelope, &code, &error);
	assert_int_equal(error.retry_after, 0);
	/* Nobody has to want to know. */
	assert_int_equal(envelope_parse(&answer, &envelope, &code, NULL), -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_code_has_its_class),
		cmocka_unit_test(test_message_names_request_code_status_and_ray),
		cmocka_unit_test(test_error_chain_is_shown_and_nested_messages_are_flattened),
		cmocka_unit_test(test_members_may_be_missing_or_of_the_wrong_type),
		cmocka_unit_test(test_errors_as_one_object_are_read),
		cmocka_unit_test(test_success_needs_a_good_status),
		cmocka_unit_test(test_a_refusal_decides_before_a_passing_trouble),
		cmocka_unit_test(test_html_is_named_with_its_title),
		cmocka_unit_test(test_words_are_clean_short_and_without_the_token),
		cmocka_unit_test(test_retry_after_is_kept_for_what_passes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
