#include "zones.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

static const char file_name[] = "zones.json";

static void setting_add(cJSON *settings, const char *name, const char *value)
{
	cJSON *setting = json_add_object(settings, name);
	json_add_string(setting, "value", value);
	json_add_null(setting, "modified_on");
}

static void record_add(cJSON *records, const char *zone, const char *label, bool proxied)
{
	CLEANUP(freep)
	char *name = *label ? string_format("%s.%s", label, zone) : string_copy(zone);
	cJSON *record = json_append_object(records);
	char id[IDENTIFIER_SIZE];
	identifier_of("dns", name, id);
	json_add_string(record, "id", id);
	json_add_string(record, "name", name);
	json_add_string(record, "type", "A");
	json_add_string(record, "content", "192.0.2.1"); /* RFC 5737: nobody's */
	json_add_bool(record, "proxied", proxied);
}

/* A new zone: proxied at its apex, www and *, and `direct`, which is not. */
static cJSON *data_new(const char *zone)
{
	cJSON *data = json_object();
	json_add_string(data, "status", "active");
	json_add_bool(data, "paused", false);
	cJSON *settings = json_add_object(data, "settings");
	setting_add(settings, "ssl", "full");
	setting_add(settings, "ssl_automatic_mode", "custom");
	setting_add(settings, "tls_client_auth", "off");
	cJSON *records = json_add_array(data, "dns_records");
	record_add(records, zone, "", true);
	record_add(records, zone, "www", true);
	record_add(records, zone, "*", true);
	record_add(records, zone, "direct", false);
	json_add_array(data, "pagerules");
	return data;
}

static int status_set(struct zone *zone, const char *status, struct error *error)
{
	static const char *const known[] = {"active", "pending", "initializing", "moved"};
	bool paused = strcmp(status, "paused") == 0;
	bool found = paused;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		found = found || strcmp(status, known[i]) == 0;
	if (!found)
		return error_set(error, ERROR_CONFIGURATION, -EINVAL,
				 "zone %s: unknown status \"%s\"", zone->name, status);
	cJSON_DeleteItemFromObjectCaseSensitive(zone->data, "status");
	cJSON_DeleteItemFromObjectCaseSensitive(zone->data, "paused");
	json_add_string(zone->data, "status", paused ? "active" : status);
	json_add_bool(zone->data, "paused", paused);
	return 0;
}

static bool name_valid(const char *name)
{
	size_t length = strlen(name);
	return length >= 3 && length <= 253 && strchr(name, '.') && name[0] != '.' &&
	       name[length - 1] != '.' && !strstr(name, "..") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == length;
}

static int zone_add(struct zones *zones, const char *specification, const cJSON *saved,
		    struct error *error)
{
	size_t length = strcspn(specification, ":");
	char *name = string_copy_n(specification, length);
	for (char *at = name; *at; at++)
		*at = (char)tolower((unsigned char)*at);
	if (!name_valid(name) || zones_by_name(zones, name)) {
		int result =
			error_set(error, ERROR_CONFIGURATION, -EINVAL,
				  "\"%s\" is not a zone's name (A-labels), or given twice", name);
		free(name);
		return result;
	}
	zones->items = memory_resize(zones->items, zones->count + 1, sizeof(struct zone));
	struct zone *zone = &zones->items[zones->count++];
	*zone = (struct zone){.name = name};
	identifier_of("zone", name, zone->id);

	const cJSON *kept = cJSON_GetObjectItemCaseSensitive(saved, name);
	zone->data = cJSON_IsObject(kept) ? cJSON_Duplicate(kept, true) : data_new(name);
	if (!zone->data)
		abort();
	return specification[length] ? status_set(zone, specification + length + 1, error) : 0;
}

int zones_open(int directory, const char *where, const struct string_list *specifications,
	       struct zones *ret_zones, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(16 << 20);
	CLEANUP(cJSON_Deletep) cJSON *saved = NULL;
	if (file_read_at(directory, where, file_name, &text, NULL) == 0)
		saved = json_parse(buffer_text(&text), text.length);

	struct zones zones = {.directory = directory, .where = where};
	pthread_mutex_init(&zones.lock, NULL);
	for (size_t i = 0; i < specifications->count; i++) {
		int result = zone_add(&zones, specifications->items[i], saved, error);
		if (result < 0) {
			zones_free(&zones);
			return result;
		}
	}
	*ret_zones = zones;
	return 0;
}

void zones_free(struct zones *zones)
{
	for (size_t i = 0; i < zones->count; i++) {
		free(zones->items[i].name);
		cJSON_Delete(zones->items[i].data);
	}
	free(zones->items);
	pthread_mutex_destroy(&zones->lock);
	*zones = (struct zones){0};
}

void zones_lock(struct zones *zones)
{
	pthread_mutex_lock(&zones->lock);
}

void zones_unlock(struct zones *zones)
{
	pthread_mutex_unlock(&zones->lock);
}

void zones_save(struct zones *zones)
{
	CLEANUP(cJSON_Deletep) cJSON *all = json_object();
	for (size_t i = 0; i < zones->count; i++)
		cJSON_AddItemReferenceToObject(all, zones->items[i].name, zones->items[i].data);
	CLEANUP(freep) char *text = json_print(all, false);
	struct error error = {0};
	if (file_write_at(zones->directory, zones->where, file_name, text, strlen(text),
			  &FILE_ACCESS(0644), FILE_NO_SYNC, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

struct zone *zones_by_id(const struct zones *zones, const char *id)
{
	for (size_t i = 0; i < zones->count; i++)
		if (strcmp(zones->items[i].id, id) == 0)
			return &zones->items[i];
	return NULL;
}

struct zone *zones_by_name(const struct zones *zones, const char *name)
{
	for (size_t i = 0; i < zones->count; i++)
		if (strcasecmp(zones->items[i].name, name) == 0)
			return &zones->items[i];
	return NULL;
}

struct zone *zones_of_hostname(const struct zones *zones, const char *hostname)
{
	if (string_starts(hostname, "*."))
		hostname += 2;
	while (hostname) {
		struct zone *zone = zones_by_name(zones, hostname);
		if (zone)
			return zone;
		hostname = strchr(hostname, '.');
		hostname = hostname ? hostname + 1 : NULL;
	}
	return NULL;
}

bool zone_active(struct zones *zones, const struct zone *zone)
{
	zones_lock(zones);
	const char *status = json_string(zone->data, "status");
	bool active = status && strcmp(status, "active") == 0;
	zones_unlock(zones);
	return active;
}
