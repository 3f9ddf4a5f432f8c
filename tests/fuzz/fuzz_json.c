/*
 * fuzz_json.c - answers of the API as any server might send them: the envelope, and the
 * certificate objects in it. The first byte chooses method and status, the rest is the body.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cloudflare/envelope.h"
#include "cloudflare/origin_ca.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void certificate_take(const cJSON *object)
{
	struct origin_certificate certificate = {0};
	if (origin_certificate_read(object, &certificate, NULL) < 0)
		return;
	/* What may be put into a path is nothing else. */
	if (certificate.id &&
	    strspn(certificate.id, "0123456789abcdefABCDEFxX") != strlen(certificate.id))
		abort();
	origin_certificate_free(&certificate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {200, 201, 302, 400, 401, 403, 404, 429, 500, 502, 524};
	static const char *const methods[] = {"GET", "POST", "DELETE"};
	static const char secret[] = "s3cret";
	if (size == 0)
		return 0;

	struct envelope_answer answer = {
		.method = methods[data[0] % 3],
		.path = "/certificates",
		.http_status = statuses[data[0] / 3 % (sizeof(statuses) / sizeof(statuses[0]))],
		.body = (const char *)data + 1,
		.length = size - 1,
		.retry_after = -1,
		.secret = secret,
	};
	struct error error = {0};
	cJSON *envelope = NULL;
	int code = -1;
	int result = envelope_parse(&answer, &envelope, &code, &error);

	if (result == 0) {
		const cJSON *object = cJSON_GetObjectItemCaseSensitive(envelope, "result");
		const cJSON *entry;
		certificate_take(object);
		cJSON_ArrayForEach (entry, object) {
			certificate_take(entry);
		}
		cJSON_Delete(envelope);
		return 0;
	}
	/* An error has a class and words without the token; 4xx leaves no doubt but for 1100. */
	if (result != error.code || error.class == ERROR_NONE || error.message[0] == '\0' ||
	    strstr(error.message, secret) || code < 0 || envelope)
		abort();
	if (error.outcome_unknown && data[0] % 3 != 1)
		abort();
	return 0;
}
