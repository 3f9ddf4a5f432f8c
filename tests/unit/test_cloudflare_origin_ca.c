/* The four calls of the Origin CA API, and lists from servers that lie about their pages. */
#include "cloudflare_fixture.h"

#include <errno.h>

#include "cloudflare/origin_ca.h"

#define ID49 "1234567890123456789012345678901234567890123456789"
#define PEM  "-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n"
#define CERTIFICATE(id)                                                                            \
	"{\"id\":\"" id "\",\"certificate\":\"" PEM "\",\"hostnames\":[\"*.Example.com\","         \
	"\"example.com\"],\"expires_on\":\"2025-04-01 10:11:00 +0000 UTC\",\"request_type\":"      \
	"\"origin-rsa\",\"requested_validity\":90}"
#define WITH_ID(id)    "{\"id\":\"" id "\"}"
#define RESULT(object) "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":" object "}"

static void certificate_parse(const char *text, int result, struct origin_certificate *certificate)
{
	struct error error = {0};
	cJSON *object = json_parse(text, strlen(text));
	*certificate = (struct origin_certificate){0};
	assert_int_equal(origin_certificate_read(object, certificate, &error), result);
	cJSON_Delete(object);
}

static void test_long_ids_stay_text_and_both_dates_are_read(void **state)
{
	(void)state;
	struct origin_certificate certificate;
	certificate_parse(CERTIFICATE(ID49), 0, &certificate);
	assert_string_equal(certificate.id, ID49);
	assert_int_equal(certificate.expires_on, 1743502260);
	assert_int_equal(certificate.requested_days, 90);
	assert_int_equal(certificate.revoked_at, 0);
	assert_int_equal(certificate.hostnames.count, 2);
	origin_certificate_free(&certificate);

	certificate_parse("{\"id\":\"0x1aF\",\"expires_on\":\"2025-04-01T10:11:00Z\","
			  "\"revoked_at\":\"2025-01-02T03:04:05.678Z\"}",
			  0, &certificate);
	assert_string_equal(certificate.id, "0x1aF");
	assert_null(certificate.pem);
	assert_int_equal(certificate.expires_on, 1743502260);
	assert_int_equal(certificate.revoked_at, 1735787045);
	origin_certificate_free(&certificate);
}

static void test_odd_certificate_objects_are_no_danger(void **state)
{
	(void)state;
	static const char long_decimal[] = WITH_ID("1" ID49);
	static const char long_hex[] = WITH_ID("0x" ID49);
	static const char *const useless[] = {
		"{}",
		"[]",
		"null",
		"7",
		"{\"id\":12345}",
		"{\"id\":\"\"}",
		"{\"id\":\"../zones\"}",
		"{\"id\":\"12 \"}",
		"{\"id\":\"0x\"}",
		long_decimal,
		long_hex,
		"{\"id\":null,\"certificate\":\"\"}",
	};
	struct origin_certificate certificate;
	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++)
		certificate_parse(useless[i], -EPROTO, &certificate);
	certificate_parse("{\"id\":\"../x\",\"certificate\":\"p\",\"hostnames\":{\"a\":\"b\"},"
			  "\"expires_on\":7,\"requested_validity\":\"90\"}",
			  0, &certificate);
	assert_null(certificate.id);
	assert_string_equal(certificate.pem, "p");
	assert_int_equal(certificate.expires_on, 0);
	assert_int_equal(certificate.requested_days, 0);
	origin_certificate_free(&certificate);
}

static int create(struct fixture *fixture, enum key_type type,
		  struct origin_certificate *certificate)
{
	struct string_list names = {0};
	string_list_add(&names, "example.com");
	string_list_add(&names, "*.example.com");
	struct origin_request request = {
		.csr_pem = "-----BEGIN CERTIFICATE REQUEST-----\nx\n",
		.hostnames = &names,
		.key_type = type,
		.validity_days = 30,
	};
	int result = origin_ca_create(fixture->client, &request, certificate, &fixture->error);
	string_list_free(&names);
	return result;
}

static void test_create_always_sends_type_and_validity_as_a_number(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, RESULT(CERTIFICATE(ID49)), 0}};
	struct fixture fixture;
	struct origin_certificate certificate = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(create(&fixture, KEY_ECDSA_P384, &certificate), 0);
	assert_string_equal(certificate.id, ID49);
	origin_certificate_free(&certificate);
	assert_int_equal(create(&fixture, KEY_RSA_2048, &certificate), 0);
	origin_certificate_free(&certificate);

	const char *request = fixture.server.requests[0];
	assert_true(string_starts(request, "POST /client/v4/certificates HTTP/1.1\r\n"));
	assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
	assert_non_null(strstr(request, "\"requested_validity\":30"));
	assert_non_null(strstr(request, "\"hostnames\":[\"example.com\",\"*.example.com\"]"));
	assert_non_null(strstr(request, "\"request_type\":\"origin-ecc\""));
	assert_non_null(strstr(request, "\"csr\":\"-----BEGIN CERTIFICATE REQUEST-----\\nx\\n\""));
	assert_non_null(strstr(fixture.server.requests[1], "\"request_type\":\"origin-rsa\""));
	fixture_close(&fixture);
}

static void test_success_without_a_certificate_is_an_unknown_outcome(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, "{\"success\":true}", 0},
		{SCRIPT_ANSWER, 200, NULL, RESULT("[]"), 0},
		{SCRIPT_ANSWER, 200, NULL, RESULT("{\"id\":\"12\"}"), 0},
		{SCRIPT_ANSWER, 200, NULL, RESULT("{\"certificate\":\"pem\"}"), 0},
	};
	struct fixture fixture;
	struct origin_certificate certificate = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	for (int i = 0; i < 4; i++) {
		assert_true(create(&fixture, KEY_RSA_2048, &certificate) < 0);
		assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
		assert_true(fixture.error.outcome_unknown);
		assert_null(certificate.id);
	}
	fixture_close(&fixture);
}

static void test_refused_hostname_and_permission_name_what_was_asked_for(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1010,\"message\":\"bad\"}"), 0},
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1016,\"message\":\"bad\"}"), 0},
	};
	struct fixture fixture;
	struct origin_certificate certificate = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	assert_int_equal(create(&fixture, KEY_RSA_2048, &certificate), -EINVAL);
	assert_non_null(strstr(fixture.error.remedy, "example.com, *.example.com"));
	assert_int_equal(create(&fixture, KEY_RSA_2048, &certificate), -EACCES);
	assert_non_null(strstr(fixture.error.remedy, "Zone > SSL and Certificates > Edit"));
	assert_non_null(strstr(fixture.error.remedy, "example.com, *.example.com"));
	fixture_close(&fixture);
}

static void test_get_and_revoke_tell_absent_and_already_revoked(void **state)
{
	(void)state;
	static const struct script_step steps[] = {
		{SCRIPT_ANSWER, 200, NULL, RESULT(CERTIFICATE(ID49)), 0},
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1101,\"message\":\"no\"}"), 0},
		{SCRIPT_ANSWER, 404, NULL, "<html>", 0},
		{SCRIPT_ANSWER, 200, NULL, RESULT("{\"id\":\"7\"}"), 0},
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1014,\"message\":\"was\"}"), 0},
		{SCRIPT_ANSWER, 400, NULL, FAILED("{\"code\":1016,\"message\":\"no\"}"), 0},
	};
	struct fixture fixture;
	struct origin_certificate certificate = {0};
	FIXTURE_OPEN(&fixture, steps, 0);
	struct client *client = fixture.client;
	assert_int_equal(origin_ca_get(client, ID49, &certificate, &fixture.error), 0);
	assert_string_equal(certificate.id, ID49);
	origin_certificate_free(&certificate);
	assert_int_equal(origin_ca_get(client, "8", &certificate, &fixture.error), -ENOENT);
	assert_int_equal(origin_ca_get(client, "8", &certificate, &fixture.error), -ENOENT);
	assert_int_equal(origin_ca_revoke(client, "7", &fixture.error), 0);
	assert_int_equal(origin_ca_revoke(client, "7", &fixture.error), 0);
	assert_int_equal(fixture.error.class, ERROR_NONE);
	assert_int_equal(origin_ca_revoke(client, "7", &fixture.error), -EACCES);
	assert_int_equal(origin_ca_revoke(client, "../zones", &fixture.error), -EINVAL);
	assert_int_equal(origin_ca_get(client, NULL, &certificate, &fixture.error), -EINVAL);
	assert_true(string_starts(fixture.server.requests[3],
				  "DELETE /client/v4/certificates/7 HTTP/1.1\r\n"));
	assert_int_equal(fixture.server.request_count, 6);
	fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_ids_stay_text_and_both_dates_are_read),
		cmocka_unit_test(test_odd_certificate_objects_are_no_danger),
		cmocka_unit_test(test_create_always_sends_type_and_validity_as_a_number),
		cmocka_unit_test(test_success_without_a_certificate_is_an_unknown_outcome),
		cmocka_unit_test(test_refused_hostname_and_permission_name_what_was_asked_for),
		cmocka_unit_test(test_get_and_revoke_tell_absent_and_already_revoked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
