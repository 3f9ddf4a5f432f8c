#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "commands/inventory.h"
#include "pass/report.h"

/*
 * Pages are written as they come, so that ten thousand certificates cost no more memory than fifty:
 * the JSON object is written piece by piece, and the table has fixed columns.
 */
struct listing {
	const struct command_options *options;
	const struct inventory *inventory;
	cJSON *zones; /* what is said of each at the end */
	size_t printed;
	size_t counts[HOLDING_REVOKED + 1];
	bool failed;
	struct string_list done; /* ids of zones */
};

static bool put(struct listing *listing, const char *text)
{
	if (fputs(text, stdout) != EOF)
		return true;
	log_error("cannot write to standard output: %s", strerror(errno));
	listing->failed = true;
	return false;
}

static void entry_text(const struct inventory_entry *entry, struct buffer *line)
{
	const struct string_list *hostnames = &entry->certificate->hostnames;
	char until[CLOCK_TEXT_SIZE] = "-";
	char names[64];
	char holder[56] = "-";
	if (entry->not_after)
		clock_format(entry->not_after, until);
	if (hostnames->count > 1)
		snprintf(names, sizeof(names), "%.40s +%zu", hostnames->items[0],
			 hostnames->count - 1);
	else
		snprintf(names, sizeof(names), "%.48s",
			 hostnames->count ? hostnames->items[0] : "-");
	if (entry->holding)
		snprintf(holder, sizeof(holder), "%.40s/%u", entry->holding->name,
			 entry->holding->generation);
	buffer_add_format(line, "%-10s  %-10.10s  %-26s  %-22s  %s\n",
			  holding_state_name(entry->state), until, names, holder,
			  entry->certificate->id ? entry->certificate->id : "-");
	if (entry->state == HOLDING_REVOKED && entry->holding && entry->holding->targets.count)
		buffer_add_format(line,
				  "            -> it was last seen served here: `origin-ca-agent "
				  "--renew-now %s` replaces it\n",
				  entry->holding->name);
}

static int visit(const struct origin_certificate *certificate, void *context, struct error *error)
{
	struct listing *listing = context;
	struct inventory_entry entry = inventory_join(listing->inventory, certificate);
	bool written;
	listing->counts[entry.state]++;
	if (listing->options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = json_object();
		inventory_entry_json(&entry, json);
		CLEANUP(freep) char *text = json_print(json, false);
		text[strcspn(text, "\n")] = '\0';
		written = put(listing, listing->printed ? ",\n" : "\n") && put(listing, text);
	} else {
		CLEANUP(buffer_free) struct buffer line = BUFFER(4096);
		if (listing->printed == 0)
			buffer_add_format(&line, "%-10s  %-10s  %-26s  %-22s  %s\n", "STATE",
					  "EXPIRES", "HOSTNAMES", "HELD AS", "ID");
		entry_text(&entry, &line);
		written = put(listing, buffer_text(&line));
	}
	listing->printed++;
	return written ? 0 : error_errno(error, -EIO, "cannot write to standard output");
}

static void zone_failed(struct listing *listing, cJSON *json, const struct error *error)
{
	listing->failed = true;
	log_failure(LOG_LEVEL_ERROR, error);
	report_error_json(error, json);
}

static void list_zone(struct listing *listing, const struct account *account, struct client *client,
		      const struct zone *zone)
{
	if (string_list_has(&listing->done, zone->id))
		return;
	string_list_add(&listing->done, zone->id);
	size_t before = listing->printed;
	struct error error = {0};
	int result = origin_ca_list(client, zone->id, visit, listing, &error);
	cJSON *json = json_append_object(listing->zones);
	json_add_string(json, "id", zone->id);
	json_add_string(json, "name", zone->name);
	json_add_string(json, "api", account->api->name);
	json_add_integer(json, "certificates", (int64_t)(listing->printed - before));
	if (result < 0) {
		error_prefix(&error, "zone %s", zone->name);
		zone_failed(listing, json, &error);
	}
}

/* The zones of all that is configured for an account. */
static void list_account(struct listing *listing, struct account *account)
{
	const struct config *config = listing->inventory->config;
	struct client *client = NULL;
	struct error error = {0};
	CLEANUP(string_list_free) struct string_list told = {0};
	if (account_client(account, &listing->inventory->accounts, &client, &error) < 0) {
		zone_failed(listing, json_append_object(listing->zones), &error);
		return;
	}
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		for (size_t j = 0;
		     certificate->api == account->api && j < certificate->hostnames.count; j++) {
			const struct zone *zone = NULL;
			struct error reason = {0};
			if (zone_cache_find_or(&account->zones, client,
					       certificate->hostnames.items[j],
					       certificate->zone_id, &zone, &reason) == 0) {
				list_zone(listing, account, client, zone);
			} else if (!string_list_has(&told, reason.message)) {
				string_list_add(&told, reason.message);
				zone_failed(listing, json_append_object(listing->zones), &reason);
			}
		}
	}
}

static bool is_zone_id(const char *text)
{
	return strlen(text) == ZONE_ID_SIZE - 1 &&
	       strspn(text, "0123456789abcdefABCDEF") == ZONE_ID_SIZE - 1;
}

/* Finds --zone at an account: by its id, or by its name (or a name in it). */
static int zone_named(struct client *client, const char *name, struct zone *ret_zone,
		      struct error *error)
{
	if (is_zone_id(name))
		return zone_get(client, name, ret_zone, error);
	int result = zone_find(client, name, ret_zone, error);
	if (result == -EACCES) {
		error_prefix(error, "%s cannot look up zone %s", client_label(client), name);
		error_remedy(error, "give --zone its id (32 hex digits, on its overview in the "
				    "dashboard), or the token Zone > Zone > Read");
	}
	return result;
}

static void list_one(struct listing *listing, const char *name)
{
	const struct accounts *accounts = &listing->inventory->accounts;
	struct error first = {0};
	for (size_t i = 0; i < accounts->count; i++) {
		struct account *account = &accounts->items[i];
		struct client *client = NULL;
		struct zone zone = {0};
		struct error error = {0};
		if (!account->used)
			continue;
		if (account_client(account, accounts, &client, &error) == 0 &&
		    zone_named(client, name, &zone, &error) == 0) {
			list_zone(listing, account, client, &zone);
			return;
		}
		if (!first.code || first.code == -ENOENT)
			first = error;
	}
	zone_failed(listing, json_append_object(listing->zones), &first);
}

static void closing_text(struct listing *listing)
{
	CLEANUP(buffer_free) struct buffer line = BUFFER(4096);
	const char *comma = ": ";
	buffer_add_format(&line, "%zu certificate%s", listing->printed,
			  listing->printed == 1 ? "" : "s");
	for (size_t i = 0; i < ARRAY_SIZE(listing->counts); i++)
		if (listing->counts[i]) {
			buffer_add_format(&line, "%s%zu %s", comma, listing->counts[i],
					  holding_state_name((enum holding_state)i));
			comma = ", ";
		}
	buffer_add_text(&line, "\n");
	put(listing, buffer_text(&line));
}

static int list(struct listing *listing)
{
	const struct accounts *accounts = &listing->inventory->accounts;
	bool json = listing->options->json;
	if (json)
		put(listing, "{\"version\":1,\"certificates\":[");
	if (listing->options->zone)
		list_one(listing, listing->options->zone);
	else
		for (size_t i = 0; i < accounts->count; i++)
			if (accounts->items[i].used)
				list_account(listing, &accounts->items[i]);
	int status = listing->failed ? PASS_EXIT_FAILED : PASS_EXIT_CURRENT;
	if (json) {
		CLEANUP(freep) char *zones = json_print(listing->zones, false);
		zones[strcspn(zones, "\n")] = '\0';
		CLEANUP(freep)
		char *end =
			string_format("],\n\"zones\":%s,\n\"exit_status\":%d}\n", zones, status);
		put(listing, end);
	} else {
		closing_text(listing);
	}
	if (fflush(stdout) != 0)
		listing->failed = true;
	return listing->failed ? PASS_EXIT_FAILED : PASS_EXIT_CURRENT;
}

int command_list(const struct command_options *options)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	struct inventory inventory;
	struct error error = {0};
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	if (inventory_open(config, false, &inventory, &error) < 0)
		return command_fail(options, PASS_EXIT_FAILED, &error);
	CLEANUP(cJSON_Deletep) cJSON *zones = json_array();
	struct listing listing = {.options = options, .inventory = &inventory, .zones = zones};
	int status = list(&listing);
	string_list_free(&listing.done);
	inventory_close(&inventory);
	return status;
}
