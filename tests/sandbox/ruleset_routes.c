/* ruleset_routes.c - configuration rules: the entry point of phase http_config_settings. */
#include <stdlib.h>
#include <string.h>

#include "exchange.h"

static const char phase[] = "http_config_settings";

enum {
	RULES_LIMIT = 10 /* of a free plan */
};

static bool rule_valid(const cJSON *rule)
{
	const char *action = json_string(rule, "action");
	const char *expression = json_string(rule, "expression");
	const cJSON *parameters = cJSON_GetObjectItemCaseSensitive(rule, "action_parameters");
	return action && strcmp(action, "set_config") == 0 && expression && *expression &&
	       cJSON_IsObject(parameters) && parameters->child;
}

/* A rule as kept, from a rule as sent. */
static cJSON *rule_new(const cJSON *sent, int64_t now)
{
	char id[IDENTIFIER_SIZE];
	const char *description = json_string(sent, "description");
	const char *ref = json_string(sent, "ref");
	identifier_random(id);

	cJSON *rule = json_object();
	json_add_string(rule, "id", id);
	json_add_string(rule, "version", "1");
	json_add_string(rule, "action", json_string(sent, "action"));
	cJSON *parameters =
		cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(sent, "action_parameters"), true);
	if (!parameters)
		abort();
	cJSON_AddItemToObject(rule, "action_parameters", parameters);
	json_add_string(rule, "expression", json_string(sent, "expression"));
	json_add_string(rule, "description", description ? description : "");
	json_add_time(rule, "last_updated", now);
	json_add_string(rule, "ref", ref ? ref : id);
	json_add_bool(rule, "enabled",
		      !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(sent, "enabled")));
	return rule;
}

/* The zone's ruleset, made when absent; the lock of the zones must be held. */
static cJSON *ruleset_of(struct zone *zone, bool make)
{
	cJSON *ruleset = cJSON_GetObjectItemCaseSensitive(zone->data, "ruleset");
	if (ruleset || !make)
		return ruleset;
	char id[IDENTIFIER_SIZE];
	identifier_of("ruleset", zone->name, id);
	ruleset = json_add_object(zone->data, "ruleset");
	json_add_string(ruleset, "id", id);
	json_add_string(ruleset, "name", "default");
	json_add_string(ruleset, "description", "");
	json_add_string(ruleset, "kind", "zone");
	json_add_string(ruleset, "version", "0");
	json_add_string(ruleset, "phase", phase);
	json_add_array(ruleset, "rules");
	return ruleset;
}

/* A new version of the ruleset, saved and shown. */
static void ruleset_commit(struct sandbox *sandbox, cJSON *ruleset, int64_t now,
			   struct reply *reply)
{
	const char *text = json_string(ruleset, "version");
	long version = text ? strtol(text, NULL, 10) : 0;
	cJSON_DeleteItemFromObjectCaseSensitive(ruleset, "version");
	cJSON_DeleteItemFromObjectCaseSensitive(ruleset, "last_updated");
	json_add_format(ruleset, "version", "%ld", version + 1);
	json_add_time(ruleset, "last_updated", now);
	zones_save(&sandbox->zones);
	reply_result(reply, cJSON_Duplicate(ruleset, true));
}

static void reply_invalid_rule(struct reply *reply)
{
	reply_error(reply, 400, 20014,
		    "a rule needs the action set_config, its action_parameters and an expression; "
		    "a zone has at most %d of them",
		    RULES_LIMIT);
}

/* The phase is parameter 1. */
static bool phase_known(const struct request *request, struct reply *reply)
{
	if (strcmp(request->parameters[1], phase) == 0)
		return true;
	reply_error(reply, 400, 10002, "unknown phase \"%s\"", request->parameters[1]);
	return false;
}

void ruleset_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	struct zone *zone = request_zone(sandbox, request, PERMISSION_RULES_READ, reply);
	if (!zone || !phase_known(request, reply))
		return;
	zones_lock(&sandbox->zones);
	const cJSON *ruleset = ruleset_of(zone, false);
	if (ruleset)
		reply_result(reply, cJSON_Duplicate(ruleset, true));
	else
		reply_error(reply, 404, 10003, "could not find entrypoint ruleset in the %s phase",
			    phase);
	zones_unlock(&sandbox->zones);
}

void ruleset_put(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	struct zone *zone = request_zone(sandbox, request, PERMISSION_RULES_EDIT, reply);
	if (!zone || !phase_known(request, reply))
		return;
	CLEANUP(cJSON_Deletep) cJSON *body = request_object(request, reply);
	if (!body)
		return;
	const cJSON *sent = cJSON_GetObjectItemCaseSensitive(body, "rules");
	bool valid = cJSON_IsArray(sent) && cJSON_GetArraySize(sent) <= RULES_LIMIT;
	const cJSON *one;
	cJSON_ArrayForEach (one, sent) {
		valid = valid && rule_valid(one);
	}
	if (!valid) {
		reply_invalid_rule(reply);
		return;
	}
	zones_lock(&sandbox->zones);
	cJSON *ruleset = ruleset_of(zone, true);
	cJSON_DeleteItemFromObjectCaseSensitive(ruleset, "rules");
	cJSON *rules = json_add_array(ruleset, "rules");
	cJSON_ArrayForEach (one, sent) {
		json_append(rules, rule_new(one, request->now));
	}
	ruleset_commit(sandbox, ruleset, request->now, reply);
	zones_unlock(&sandbox->zones);
}

void ruleset_append(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	struct zone *zone = request_zone(sandbox, request, PERMISSION_RULES_EDIT, reply);
	CLEANUP(cJSON_Deletep) cJSON *body = zone ? request_object(request, reply) : NULL;
	if (!body)
		return;
	if (!rule_valid(body)) {
		reply_invalid_rule(reply);
		return;
	}
	zones_lock(&sandbox->zones);
	cJSON *ruleset = ruleset_of(zone, false);
	cJSON *rules = cJSON_GetObjectItemCaseSensitive(ruleset, "rules");
	const char *id = json_string(ruleset, "id");
	if (!id || strcmp(id, request->parameters[1]) != 0) {
		reply_error(reply, 404, 10000, "could not find ruleset %s", request->parameters[1]);
	} else if (!cJSON_IsArray(rules) || cJSON_GetArraySize(rules) >= RULES_LIMIT) {
		reply_invalid_rule(reply);
	} else {
		json_append(rules, rule_new(body, request->now));
		ruleset_commit(sandbox, ruleset, request->now, reply);
	}
	zones_unlock(&sandbox->zones);
}

/* `sent` with what it leaves out taken from `kept`. */
static cJSON *rule_merged(const cJSON *kept, const cJSON *sent)
{
	cJSON *merged = cJSON_Duplicate(kept, true);
	if (!merged)
		abort();
	const cJSON *member;
	cJSON_ArrayForEach (member, sent) {
		cJSON_DeleteItemFromObjectCaseSensitive(merged, member->string);
		cJSON_AddItemToObject(merged, member->string, cJSON_Duplicate(member, true));
	}
	return merged;
}

static cJSON *rule_find(cJSON *ruleset, const struct request *request)
{
	const char *id = json_string(ruleset, "id");
	cJSON *rule = NULL;
	if (id && strcmp(id, request->parameters[1]) == 0) {
		cJSON_ArrayForEach (rule, cJSON_GetObjectItemCaseSensitive(ruleset, "rules")) {
			const char *own = json_string(rule, "id");
			if (own && strcmp(own, request->parameters[2]) == 0)
				break;
		}
	}
	return rule;
}

void ruleset_change(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	struct zone *zone = request_zone(sandbox, request, PERMISSION_RULES_EDIT, reply);
	CLEANUP(cJSON_Deletep) cJSON *body = zone ? request_object(request, reply) : NULL;
	if (!body)
		return;
	zones_lock(&sandbox->zones);
	cJSON *ruleset = ruleset_of(zone, false);
	cJSON *kept = rule_find(ruleset, request);
	CLEANUP(cJSON_Deletep) cJSON *merged = kept ? rule_merged(kept, body) : NULL;
	if (!merged) {
		reply_error(reply, 404, 10000, "could not find rule %s of ruleset %s",
			    request->parameters[2], request->parameters[1]);
	} else if (!rule_valid(merged)) {
		reply_invalid_rule(reply);
	} else {
		cJSON *rules = cJSON_GetObjectItemCaseSensitive(ruleset, "rules");
		cJSON *rule = rule_new(merged, request->now);
		cJSON_ReplaceItemInObjectCaseSensitive(rule, "id",
						       cJSON_CreateString(request->parameters[2]));
		cJSON_ReplaceItemViaPointer(rules, kept, rule);
		ruleset_commit(sandbox, ruleset, request->now, reply);
	}
	zones_unlock(&sandbox->zones);
}
