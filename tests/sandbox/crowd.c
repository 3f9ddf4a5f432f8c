/* crowd.c - POST /sandbox/crowd: a zone with very many certificates, for tests of lists. */
#include <string.h>

#include "base/clock.h"
#include "exchange.h"
#include "routes.h"

enum {
	CROWD_LIMIT = 100000,
	CROWD_DAYS = 90,
};

/* One certificate, real but for its key, which all of them share, and its request. */
static int certificate_make(struct sandbox *sandbox, const struct zone *zone, const char *hostname,
			    EVP_PKEY *key, int64_t now)
{
	struct issued *issued = memory_alloc(1, sizeof(*issued));
	string_list_add(&issued->hostnames, hostname);
	string_list_add(&issued->zone_ids, zone->id);
	struct leaf_request leaf = {
		.key = key,
		.algorithm = ALGORITHM_ECC,
		.hostnames = &issued->hostnames,
		.not_before = now,
		.not_after = now + CROWD_DAYS * CLOCK_DAY,
	};
	issued->csr = string_copy("(none: made by POST /sandbox/crowd)");
	issued->token = string_copy("crowd");
	issued->requested_days = CROWD_DAYS;
	issued->issued_at = now;
	issued->expires_on = leaf.not_after;
	int result = leaf_sign(&sandbox->authority, &leaf, &issued->id, &issued->pem);
	if (result < 0) {
		issued_free(issued);
		return result;
	}
	return ledger_add(sandbox->ledger, issued);
}

/* {"hostname": "example.com", "count": 10000} */
void control_crowd(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	CLEANUP(cJSON_Deletep) cJSON *body = request_object(request, reply);
	if (!body)
		return;
	const char *hostname = json_string(body, "hostname");
	int64_t count = json_integer(body, "count", 0);
	const struct zone *zone = hostname ? zones_of_hostname(&sandbox->zones, hostname) : NULL;
	if (!zone || count < 1 || count > CROWD_LIMIT) {
		reply_error(reply, 400, 1003, "hostname in a zone, and a count of 1 to %d",
			    CROWD_LIMIT);
		return;
	}
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	int64_t made = 0;
	while (key && made < count &&
	       certificate_make(sandbox, zone, hostname, key, request->now) == 0)
		made++;
	if (made < count) {
		reply_error(reply, 500, 1000, "only %lld were made", (long long)made);
		return;
	}
	cJSON *result = json_object();
	json_add_integer(result, "made", made);
	reply_result(reply, result);
}
