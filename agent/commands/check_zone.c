#include <errno.h>
#include <string.h>
#include <strings.h>

#include "cloudflare/dns.h"
#include "cloudflare/settings.h"
#include "cloudflare/zone_cache.h"
#include "commands/check.h"

/* Zones that were found, and names that are in none: a thousand names of one zone ask once. */
struct zones_look {
	const struct config *config;
	const struct config_api *api;
	struct client *client;
	struct findings *findings;
	struct string_list known;
	struct zone zones[CHECK_ZONES];
	size_t count, left_out;
	struct string_list lacking; /* permissions that were told of */
};

static bool zone_known(const struct zones_look *look, const char *hostname)
{
	for (size_t i = 0; i < look->known.count; i++)
		if (zone_holds(look->known.items[i], hostname))
			return true;
	return false;
}

static void find_zone(struct zones_look *look, const struct config_certificate *certificate,
		      const char *hostname)
{
	struct findings *findings = look->findings;
	struct zone zone = {0};
	struct error error = {0};
	if (zone_known(look, hostname))
		return;

	int result = zone_find(look->client, hostname, &zone, &error);
	if (result == -EACCES) {
		/* Issuing does not need it; only the search for a lost answer does. */
		bool given = certificate->zone_id != NULL;
		found(findings, certificate->name, given ? "ok" : "warning",
		      given ? "the token may not read zones; zone_id is set" : error.message,
		      given ? NULL : error.remedy);
		string_list_add(&look->known, hostname);
		return;
	}
	if (result < 0) {
		/* Once for NAME and *.NAME. */
		string_list_add(&look->known,
				string_starts(hostname, "*.") ? hostname + 2 : hostname);
		found_error(findings, certificate->name, &error);
		return;
	}
	string_list_add(&look->known, zone.name);
	CLEANUP(freep)
	char *message = string_format("zone %s is %s%s", zone.name, zone.status,
				      zone.paused ? ", but paused" : "");
	if (strcmp(zone.status, "active") == 0 && !zone.paused)
		found_ok(findings, certificate->name, message);
	else
		found(findings, certificate->name, "warning", message,
		      zone.paused ? "visitors reach the origin directly and do not trust an Origin "
				    "CA certificate: resume the zone"
				  : "certificates are issued only once the zone is active");
	if (look->count < CHECK_ZONES)
		look->zones[look->count++] = zone;
	else
		look->left_out++;
}

/* What cannot be read is told once, with the permission. */
static void cannot_read(struct zones_look *look, const struct zone *zone, const char *what,
			const struct error *error)
{
	if (error->class != ERROR_AUTHORIZATION) {
		found(look->findings, zone->name, "warning", error->message, error->remedy);
		return;
	}
	if (string_list_has(&look->lacking, what))
		return;
	string_list_add(&look->lacking, what);
	CLEANUP(freep)
	char *message = string_format("%s was not looked at: %s", what, error->remedy);
	found_ok(look->findings, zone->name, message);
}

/* The names of a zone for which there is a certificate. */
struct names_look {
	const struct zones_look *look;
	const struct zone *zone;
	struct string_list told;
};

static bool is_ours(const struct names_look *names, const char *hostname)
{
	const struct config *config = names->look->config;
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		if (certificate->api != names->look->api)
			continue;
		for (size_t j = 0; j < certificate->hostnames.count; j++)
			if (strcasecmp(certificate->hostnames.items[j], hostname) == 0)
				return true;
	}
	return false;
}

static int record_visit(const struct dns_record *record, void *context)
{
	struct names_look *names = context;
	bool address = strcmp(record->type, "A") == 0 || strcmp(record->type, "AAAA") == 0 ||
		       strcmp(record->type, "CNAME") == 0;
	if (!address || record->proxied || string_list_has(&names->told, record->name) ||
	    !is_ours(names, record->name))
		return 0;
	string_list_add(&names->told, record->name);
	return 0;
}

static void check_proxied(struct zones_look *look, const struct zone *zone)
{
	struct names_look names = {.look = look, .zone = zone};
	struct error error = {0};
	if (dns_records_list(look->client, zone->id, record_visit, &names, &error) < 0)
		cannot_read(look, zone, "whether names are proxied", &error);
	if (names.told.count) {
		CLEANUP(freep) char *list = string_list_join(&names.told, ", ");
		CLEANUP(freep)
		char *message = string_format("not proxied: %.600s", list);
		found(look->findings, zone->name, "warning", message,
		      "visitors reach the origin directly, and their browsers do not trust an "
		      "Origin CA certificate: switch the proxy on for the record");
	}
	string_list_free(&names.told);
}

/* Whether a certificate of the zone wants something of it. */
static bool zone_wants(const struct zones_look *look, const struct zone *zone, bool pulls)
{
	for (size_t i = 0; i < look->config->certificate_count; i++) {
		const struct config_certificate *certificate = look->config->certificates[i];
		bool wants = pulls ? certificate->authenticated_origin_pulls
				   : certificate->ssl_mode == SSL_STRICT;
		for (size_t j = 0;
		     wants && certificate->api == look->api && j < certificate->hostnames.count;
		     j++)
			if (zone_holds(zone->name, certificate->hostnames.items[j]))
				return true;
	}
	return false;
}

static void check_pulls(struct zones_look *look, const struct zone *zone)
{
	char value[SETTING_SIZE];
	struct error error = {0};
	if (setting_get(look->client, zone->id, SETTING_PULLS, value, &error) < 0)
		cannot_read(look, zone, "whether Authenticated Origin Pulls are on", &error);
	else if (strcmp(value, "on") != 0)
		found(look->findings, zone->name, "warning",
		      "Authenticated Origin Pulls are off in the zone, and servers here ask for "
		      "them",
		      "switch them on (SSL/TLS, Origin Server), or the servers refuse Cloudflare");
	else
		found_ok(look->findings, zone->name, "Authenticated Origin Pulls are on");
}

static void check_mode(struct zones_look *look, const struct zone *zone)
{
	char mode[SETTING_SIZE];
	char automatic[SETTING_SIZE];
	struct error error = {0};
	if (setting_get(look->client, zone->id, SETTING_SSL, mode, &error) < 0) {
		cannot_read(look, zone, "the SSL/TLS mode", &error);
		return;
	}
	if (setting_is_strict(mode)) {
		found_ok(look->findings, zone->name, "the zone is in Full (strict)");
		return;
	}
	CLEANUP(freep) char *message = string_format("the zone is in mode \"%s\"", mode);
	if (setting_get(look->client, zone->id, SETTING_AUTOMATIC, automatic, &error) < 0)
		cannot_read(look, zone, "the automatic SSL/TLS mode", &error);
	else if (strcmp(automatic, "auto") == 0)
		found(look->findings, zone->name, "warning", message,
		      "its automatic mode is on, so ssl_mode = strict leaves it alone: choose a "
		      "custom mode in the dashboard");
	else
		found(look->findings, zone->name, "warning", message,
		      "ssl_mode = strict raises it once, after the first certificate was seen "
		      "served; what is set later stays");
}

void check_zones(const struct config *config, const struct config_api *api, struct client *client,
		 struct findings *findings)
{
	struct zones_look look = {
		.config = config, .api = api, .client = client, .findings = findings};
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		for (size_t j = 0; certificate->api == api && j < certificate->hostnames.count; j++)
			find_zone(&look, certificate, certificate->hostnames.items[j]);
	}
	for (size_t i = 0; i < look.count; i++) {
		const struct zone *zone = &look.zones[i];
		check_proxied(&look, zone);
		if (zone_wants(&look, zone, true))
			check_pulls(&look, zone);
		if (zone_wants(&look, zone, false))
			check_mode(&look, zone);
	}
	if (look.left_out) {
		CLEANUP(freep)
		char *message = string_format("%zu more zones were not asked about their names and "
					      "settings",
					      look.left_out);
		found_ok(findings, "zones", message);
	}
	string_list_free(&look.known);
	string_list_free(&look.lacking);
}
