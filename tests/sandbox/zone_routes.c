/* zone_routes.c - zones, their settings, DNS records and page rules (API.md, "Neighbours"). */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "exchange.h"

enum {
	PER_PAGE_DEFAULT = 20,
	PER_PAGE_LEAST = 5,
	PER_PAGE_MOST = 50,
	PAGE_MOST = 100000,
	/* GET /zones/ID is open to whoever may do anything with the zone. */
	ZONE_DETAILS = PERMISSION_ALL,
};

static void copy_member(cJSON *object, const cJSON *data, const char *name)
{
	cJSON *copy = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(data, name), true);
	if (copy)
		cJSON_AddItemToObject(object, name, copy);
}

/* The lock of the zones must be held. */
static cJSON *zone_json(const struct sandbox *sandbox, const struct zone *zone)
{
	static const char created[] = "2014-01-01T05:20:00.123450Z";
	cJSON *object = json_object();
	json_add_string(object, "id", zone->id);
	json_add_string(object, "name", zone->name);
	copy_member(object, zone->data, "status");
	copy_member(object, zone->data, "paused");
	json_add_string(object, "type", "full");
	json_add_integer(object, "development_mode", 0);
	cJSON *servers = json_add_array(object, "name_servers");
	json_append(servers, cJSON_CreateString("bob.ns.cloudflare.com"));
	json_append(servers, cJSON_CreateString("lola.ns.cloudflare.com"));
	json_add_null(object, "original_name_servers");
	json_add_null(object, "original_registrar");
	json_add_null(object, "original_dnshost");
	json_add_string(object, "modified_on", created);
	json_add_string(object, "created_on", created);
	json_add_string(object, "activated_on", created);
	cJSON *meta = json_add_object(object, "meta");
	json_add_integer(meta, "step", 2);
	json_add_integer(meta, "page_rule_quota", 3);
	json_add_bool(meta, "phishing_detected", false);
	cJSON *owner = json_add_object(object, "owner");
	json_add_null(owner, "id");
	json_add_string(owner, "type", "user");
	json_add_null(owner, "email");
	cJSON *account = json_add_object(object, "account");
	json_add_string(account, "id", sandbox->account_id);
	json_add_string(account, "name", "Sandbox account");
	cJSON *plan = json_add_object(object, "plan");
	json_add_string(plan, "name", "Free Website");
	json_add_string(plan, "legacy_id", "free");
	return object;
}

static bool zone_wanted(const struct request *request, const struct zone *zone)
{
	const char *name = request_query(request, "name");
	const char *status = request_query(request, "status");
	if (name && string_starts(name, "equal:"))
		name += strlen("equal:");
	if (name && strcasecmp(name, zone->name) != 0)
		return false;
	const char *own = json_string(zone->data, "status");
	return (!status || (own && strcmp(status, own) == 0)) &&
	       token_may(request->token, PERMISSION_ZONE_READ, zone->name);
}

void zones_list(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	int64_t page = 1;
	int64_t per_page = PER_PAGE_DEFAULT;
	if (!token_may(request->token, PERMISSION_ZONE_READ, NULL)) {
		reply_error(reply, 403, 9109, "Unauthorized to access requested resource");
		return;
	}
	if (request_query_number(request, "page", 1, PAGE_MOST, &page) < 0 ||
	    request_query_number(request, "per_page", PER_PAGE_LEAST, PER_PAGE_MOST, &per_page) <
		    0) {
		reply_error(reply, 400, 6007, "Malformed page or per_page parameter");
		return;
	}
	size_t first = (size_t)(page - 1) * (size_t)per_page;
	size_t total = 0;
	cJSON *list = json_array();
	zones_lock(&sandbox->zones);
	for (size_t i = 0; i < sandbox->zones.count; i++) {
		const struct zone *zone = &sandbox->zones.items[i];
		if (!zone_wanted(request, zone))
			continue;
		if (total >= first && total < first + (size_t)per_page)
			json_append(list, zone_json(sandbox, zone));
		total++;
	}
	zones_unlock(&sandbox->zones);
	reply_page(reply, list, page, per_page, (size_t)cJSON_GetArraySize(list), total);
}

void zones_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	const struct zone *zone = request_zone(sandbox, request, ZONE_DETAILS, reply);
	if (!zone)
		return;
	zones_lock(&sandbox->zones);
	reply_result(reply, zone_json(sandbox, zone));
	zones_unlock(&sandbox->zones);
}

/* What each setting may be, and who may change it. */
static const struct setting {
	const char *name;
	unsigned read, edit; /* permissions */
	const char *values[6];
} settings[] = {
	{"ssl",
	 PERMISSION_SETTINGS_READ,
	 PERMISSION_SETTINGS_EDIT,
	 {"off", "flexible", "full", "strict", "origin_pull"}},
	{"ssl_automatic_mode",
	 PERMISSION_SETTINGS_READ | PERMISSION_SSL_READ,
	 PERMISSION_SETTINGS_EDIT | PERMISSION_SSL_EDIT,
	 {"auto", "custom"}},
	{"tls_client_auth", PERMISSION_SETTINGS_READ, PERMISSION_SETTINGS_EDIT, {"on", "off"}},
};

static const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strcmp(settings[i].name, name) == 0)
			return &settings[i];
	return NULL;
}

static bool setting_takes(const struct setting *setting, const char *value)
{
	for (size_t i = 0; value && setting->values[i]; i++)
		if (strcmp(setting->values[i], value) == 0)
			return true;
	return false;
}

static void setting_show(const struct zone *zone, const struct setting *setting, int64_t now,
			 struct reply *reply)
{
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(zone->data, "settings");
	const cJSON *kept = cJSON_GetObjectItemCaseSensitive(all, setting->name);
	cJSON *object = json_object();
	json_add_string(object, "id", setting->name);
	copy_member(object, kept, "value");
	copy_member(object, kept, "modified_on");
	json_add_bool(object, "editable", true);
	const char *value = json_string(kept, "value");
	if (value && strcmp(value, "auto") == 0)
		/* At midnight: it is the same whoever asks when. */
		json_add_time(object, "next_scheduled_scan", (now / CLOCK_DAY + 30) * CLOCK_DAY);
	reply_result(reply, object);
}

static struct zone *setting_zone(struct sandbox *sandbox, const struct request *request, bool edit,
				 const struct setting **ret_setting, struct reply *reply)
{
	const struct setting *setting = setting_find(request->parameters[1]);
	*ret_setting = setting;
	if (!setting) {
		reply_error(reply, 400, 1003, "Undefined zone setting: %s", request->parameters[1]);
		return NULL;
	}
	return request_zone(sandbox, request, edit ? setting->edit : setting->read, reply);
}

void settings_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	const struct setting *setting = NULL;
	const struct zone *zone = setting_zone(sandbox, request, false, &setting, reply);
	if (!zone)
		return;
	zones_lock(&sandbox->zones);
	setting_show(zone, setting, request->now, reply);
	zones_unlock(&sandbox->zones);
}

void settings_change(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	const struct setting *setting = NULL;
	struct zone *zone = setting_zone(sandbox, request, true, &setting, reply);
	CLEANUP(cJSON_Deletep) cJSON *body = zone ? request_object(request, reply) : NULL;
	if (!body)
		return;
	const char *value = json_string(body, "value");
	if (!setting_takes(setting, value)) {
		reply_error(reply, 400, 1007, "Invalid value for zone setting %s", setting->name);
		return;
	}
	zones_lock(&sandbox->zones);
	cJSON *all = cJSON_GetObjectItemCaseSensitive(zone->data, "settings");
	if (!cJSON_IsObject(all))
		all = json_add_object(zone->data, "settings");
	cJSON_DeleteItemFromObjectCaseSensitive(all, setting->name);
	cJSON *kept = json_add_object(all, setting->name);
	json_add_string(kept, "value", value);
	json_add_time(kept, "modified_on", request->now);
	zones_save(&sandbox->zones);
	setting_show(zone, setting, request->now, reply);
	zones_unlock(&sandbox->zones);
}

static void record_show(cJSON *list, const cJSON *record)
{
	static const char *const same[] = {"id", "name", "type", "content", "proxied"};
	cJSON *object = json_append_object(list);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		copy_member(object, record, same[i]);
	json_add_bool(object, "proxiable", true);
	json_add_integer(object, "ttl", 1);
	json_add_object(object, "settings");
	json_add_object(object, "meta");
	json_add_null(object, "comment");
	json_add_array(object, "tags");
	json_add_string(object, "created_on", "2014-01-01T05:20:00.123450Z");
	json_add_string(object, "modified_on", "2014-01-01T05:20:00.123450Z");
}

static bool record_wanted(const struct request *request, const cJSON *record)
{
	const char *exact = request_query(request, "name.exact");
	const char *plain = request_query(request, "name");
	const char *type = request_query(request, "type");
	const char *proxied = request_query(request, "proxied");
	const char *name = json_string(record, "name");
	const char *own_type = json_string(record, "type");
	return name && own_type && (!exact || strcasecmp(exact, name) == 0) &&
	       (!plain || strcasecmp(plain, name) == 0) && (!type || strcmp(type, own_type) == 0) &&
	       (!proxied || (strcmp(proxied, "true") == 0) == json_true(record, "proxied"));
}

void dns_records_list(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	int64_t page = 1;
	int64_t per_page = 100;
	const struct zone *zone = request_zone(sandbox, request, PERMISSION_DNS_READ, reply);
	if (!zone)
		return;
	if (request_query_number(request, "page", 1, PAGE_MOST, &page) < 0 ||
	    request_query_number(request, "per_page", 1, 5000000, &per_page) < 0) {
		reply_error(reply, 400, 9207, "Malformed page or per_page parameter");
		return;
	}
	int64_t total = 0;
	cJSON *list = json_array();
	zones_lock(&sandbox->zones);
	const cJSON *record;
	cJSON_ArrayForEach (record, cJSON_GetObjectItemCaseSensitive(zone->data, "dns_records")) {
		if (!record_wanted(request, record))
			continue;
		if (total / per_page == page - 1)
			record_show(list, record);
		total++;
	}
	zones_unlock(&sandbox->zones);
	reply_page(reply, list, page, per_page, (size_t)cJSON_GetArraySize(list), (size_t)total);
}

void pagerules_list(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	const struct zone *zone = request_zone(
		sandbox, request, PERMISSION_PAGERULES_READ | PERMISSION_ZONE_READ, reply);
	if (!zone)
		return;
	/* The surprise of this call: without `status` only the disabled ones. */
	const char *status = request_query(request, "status");
	if (!status)
		status = "disabled";
	cJSON *list = json_array();
	zones_lock(&sandbox->zones);
	const cJSON *rule;
	cJSON_ArrayForEach (rule, cJSON_GetObjectItemCaseSensitive(zone->data, "pagerules")) {
		const char *own = json_string(rule, "status");
		cJSON *copy = own && strcmp(own, status) == 0 ? cJSON_Duplicate(rule, true) : NULL;
		if (copy)
			json_append(list, copy);
	}
	zones_unlock(&sandbox->zones);
	reply_result(reply, list);
}
