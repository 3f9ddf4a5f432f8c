/* control_routes.c - /sandbox/...: what tests need and Cloudflare does not have. */
#include <string.h>

#include "exchange.h"
#include "routes.h"

void control_faults_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	(void)request;
	reply_result(reply, faults_json(&sandbox->faults));
}

/* {"clear": true, "add": ["POST /certificates:1100:2", ...]}, in this order. */
void control_faults_change(struct sandbox *sandbox, const struct request *request,
			   struct reply *reply)
{
	CLEANUP(cJSON_Deletep) cJSON *body = request_object(request, reply);
	if (!body)
		return;
	if (json_true(body, "clear"))
		faults_clear(&sandbox->faults);
	CLEANUP(string_list_free) struct string_list added = {0};
	json_string_list(body, "add", &added);
	for (size_t i = 0; i < added.count; i++) {
		struct error error = {0};
		if (faults_add(&sandbox->faults, added.items[i], &error) < 0) {
			reply_error(reply, 400, 1003, "%s", error.message);
			return;
		}
	}
	control_faults_get(sandbox, request, reply);
}

void control_stats(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	(void)request;
	size_t revoked = 0;
	size_t issued = ledger_count(sandbox->ledger, &revoked);
	cJSON *result = json_object();
	json_add_integer(result, "issued", (int64_t)issued);
	json_add_integer(result, "revoked", (int64_t)revoked);
	cJSON *requests = json_add_object(result, "requests");
	for (size_t i = 0; route_at(i); i++) {
		CLEANUP(freep)
		char *name = string_format("%s %s", route_at(i)->method, route_at(i)->pattern);
		json_add_integer(requests, name, (int64_t)sandbox->requests[i]);
	}
	cJSON_AddItemToObject(result, "faults", faults_json(&sandbox->faults));
	reply_result(reply, result);
}

/* {"offset": SECONDS} */
void control_clock(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	CLEANUP(cJSON_Deletep) cJSON *body = request_object(request, reply);
	if (!body)
		return;
	int64_t offset = json_integer(body, "offset", INT64_MIN);
	if (offset < -INT32_MAX || offset > INT32_MAX) {
		reply_error(reply, 400, 1003, "offset must be a number of seconds");
		return;
	}
	sandbox->clock_offset = offset;
	cJSON *result = json_object();
	json_add_integer(result, "offset", offset);
	json_add_time(result, "now", sandbox_now(sandbox));
	reply_result(reply, result);
}

/* Each member of the body must be of the type that it has in struct zone's `data`. */
static bool member_valid(const cJSON *member)
{
	static const char *const arrays[] = {"dns_records", "pagerules"};
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		if (strcmp(member->string, arrays[i]) == 0)
			return cJSON_IsArray(member);
	if (strcmp(member->string, "status") == 0)
		return cJSON_IsString(member);
	if (strcmp(member->string, "paused") == 0)
		return cJSON_IsBool(member);
	return strcmp(member->string, "ruleset") == 0 && cJSON_IsNull(member);
}

/* PUT /sandbox/zones/NAME: replaces the members that are given; {"ruleset": null} removes it. */
void control_zone(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	struct zone *zone = zones_by_name(&sandbox->zones, request->parameters[0]);
	CLEANUP(cJSON_Deletep) cJSON *body = zone ? request_object(request, reply) : NULL;
	if (!zone)
		reply_error(reply, 404, 1003, "there is no zone %s", request->parameters[0]);
	if (!body)
		return;
	const cJSON *member;
	cJSON_ArrayForEach (member, body) {
		if (!member_valid(member)) {
			reply_error(reply, 400, 1003, "%s: not a member of a zone, or not its type",
				    member->string);
			return;
		}
	}
	zones_lock(&sandbox->zones);
	cJSON_ArrayForEach (member, body) {
		cJSON_DeleteItemFromObjectCaseSensitive(zone->data, member->string);
		if (!cJSON_IsNull(member))
			cJSON_AddItemToObject(zone->data, member->string,
					      cJSON_Duplicate(member, true));
	}
	zones_save(&sandbox->zones);
	reply_result(reply, cJSON_Duplicate(zone->data, true));
	zones_unlock(&sandbox->zones);
}
