#include "pass/revocation_guard.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static void say(struct string_list *list, char *sentence)
{
	string_list_take(list, sentence);
}

static void zone_look(const struct revocation_case *revocation, const char *hostname,
		      struct revocation_guard *guard)
{
	const struct config_certificate *certificate =
		revocation->holding
			? config_certificate_find(revocation->config, revocation->holding->name)
			: NULL;
	const struct zone *zone = NULL;
	struct error error = {0};
	if (zone_cache_find_or(&revocation->account->zones, revocation->client, hostname,
			       certificate ? certificate->zone_id : NULL, &zone, &error) < 0) {
		guard->zone_error = error;
		return;
	}
	for (size_t i = 0; i < guard->zone_count; i++)
		if (guard->zones[i].zone == zone)
			return;
	guard->zones = memory_grow(guard->zones, guard->zone_count, sizeof(*guard->zones));
	struct guard_zone *entry = &guard->zones[guard->zone_count++];
	*entry = (struct guard_zone){.zone = zone};
	setting_get(revocation->client, zone->id, SETTING_SSL, entry->ssl, &entry->error);
}

/* "*.a.example" covers one label more than "a.example", and itself. */
static bool name_covers(const char *pattern, const char *hostname)
{
	if (strcasecmp(pattern, hostname) == 0)
		return true;
	const char *dot = strchr(hostname, '.');
	return string_starts(pattern, "*.") && hostname[0] != '*' && dot &&
	       strcasecmp(pattern + 1, dot) == 0;
}

struct coverage {
	const struct revocation_case *revocation;
	struct string_list *uncovered;
	char serial[SERIAL_TEXT_SIZE];
};

static int coverage_visit(const struct origin_certificate *certificate, void *context,
			  struct error *error)
{
	struct coverage *coverage = context;
	char serial[SERIAL_TEXT_SIZE];
	(void)error;
	if (certificate->revoked_at || !serial_read(certificate->id, serial) ||
	    strcmp(serial, coverage->serial) == 0 ||
	    (certificate->expires_on && certificate->expires_on <= coverage->revocation->now))
		return 0;
	struct string_list left = {0};
	for (size_t i = 0; i < coverage->uncovered->count; i++) {
		bool covered = false;
		for (size_t j = 0; j < certificate->hostnames.count; j++)
			covered |= name_covers(certificate->hostnames.items[j],
					       coverage->uncovered->items[i]);
		if (!covered)
			string_list_add(&left, coverage->uncovered->items[i]);
	}
	string_list_free(coverage->uncovered);
	*coverage->uncovered = left;
	return left.count == 0; /* 1 ends the list */
}

/* Only asked where it matters: a zone that is not strict verifies nothing. */
static void coverage_look(const struct revocation_case *revocation, struct revocation_guard *guard)
{
	struct coverage coverage = {.revocation = revocation, .uncovered = &guard->uncovered};
	serial_read(revocation->certificate->id, coverage.serial);
	string_list_copy(&guard->uncovered, &revocation->certificate->hostnames);
	guard->coverage_known = !guard->zone_error.code;
	for (size_t i = 0; i < guard->zone_count && guard->uncovered.count; i++) {
		struct error error = {0};
		if (origin_ca_list(revocation->client, guard->zones[i].zone->id, coverage_visit,
				   &coverage, &error) < 0) {
			guard->coverage_known = false;
			guard->zone_error = error;
		}
	}
	if (guard->uncovered.count == 0)
		guard->coverage_known = true;
}

static void served_obstacles(const struct revocation_case *revocation,
			     struct revocation_guard *guard)
{
	const struct holding *holding = revocation->holding;
	for (size_t i = 0; i < revocation->serving->count; i++) {
		const struct serving_target *entry = &revocation->serving->items[i];
		const struct config_target *target = entry->target;
		bool named = holding && string_list_has(&holding->snippets, target->name);
		if (entry->answer == SERVING_SHOWN)
			say(&guard->obstacles,
			    string_format("%s (%s:%u) shows it for %s now", target->name,
					  target->probe_host, target->probe_port, entry->hostname));
		else if (named)
			say(&guard->obstacles,
			    string_format("the snippet of %s names generation %u of %s%s%s",
					  target->name, holding->generation, holding->name,
					  entry->error.code ? ": " : "",
					  entry->error.code ? entry->error.message : ""));
		else if (entry->answer == SERVING_UNKNOWN)
			say(&guard->effects, string_format("Whether %s shows it is not known: %s.",
							   target->name, entry->error.message));
	}
	if (holding &&
	    holding_state(revocation->config, holding, 0, 0, revocation->now) == HOLDING_CURRENT)
		say(&guard->obstacles,
		    string_format("it is the current certificate of %s, for whoever reads live/%s",
				  holding->name, holding->name));
}

static void zone_effects(struct revocation_guard *guard)
{
	for (size_t i = 0; i < guard->zone_count; i++) {
		const struct guard_zone *entry = &guard->zones[i];
		const char *name = entry->zone->name;
		if (entry->error.code)
			say(&guard->effects,
			    string_format("The mode of zone %s cannot be read, so it is taken for "
					  "Full (strict): %s%s%s.",
					  name, entry->error.message,
					  error_advice(&entry->error)[0] ? "; " : "",
					  error_advice(&entry->error)));
		else if (setting_is_strict(entry->ssl))
			say(&guard->effects,
			    string_format("Zone %s is in Full (strict): visitors get error 526 "
					  "where an origin still serves this certificate.",
					  name));
		else if (strcmp(entry->ssl, "full") == 0)
			say(&guard->effects,
			    string_format("Zone %s is in Full, not strict: Cloudflare does not "
					  "verify the origin's certificate, visitors notice "
					  "nothing.",
					  name));
		else
			say(&guard->effects,
			    string_format("Zone %s is in mode \"%s\": Cloudflare reaches the "
					  "origin without TLS, visitors notice nothing.",
					  name, entry->ssl));
	}
}

static void coverage_obstacles(struct revocation_guard *guard)
{
	if (!guard->coverage_known)
		say(&guard->obstacles,
		    string_format("a zone may be in Full (strict), and whether another certificate "
				  "covers the names cannot be told: %s%s%s",
				  guard->zone_error.message,
				  error_advice(&guard->zone_error)[0] ? "; " : "",
				  error_advice(&guard->zone_error)));
	else if (guard->uncovered.count) {
		CLEANUP(freep) char *names = string_list_join(&guard->uncovered, ", ");
		say(&guard->obstacles,
		    string_format("the zone is in Full (strict)%s, and no other valid certificate "
				  "covers %.400s",
				  guard->strict ? "" : " for all that is known", names));
	}
}

static void holder_effects(const struct revocation_case *revocation, struct revocation_guard *guard)
{
	const struct holding *holding = revocation->holding;
	if (!holding)
		say(&guard->effects,
		    string_copy("This host does not hold it: make sure that no other host serves "
				"it."));
	else if (holding->newest && holding->configured)
		say(&guard->effects,
		    string_format("It is the newest of %s: the next pass issues another one "
				  "(`origin-ca-agent --renew-now %s` does it at once).",
				  holding->name, holding->name));
	say(&guard->effects, string_copy("Revoking cannot be undone."));
}

void revocation_guard_look(const struct revocation_case *revocation,
			   struct revocation_guard *ret_guard)
{
	struct revocation_guard guard = {0};
	bool known_strict = false;
	for (size_t i = 0; i < revocation->certificate->hostnames.count; i++)
		zone_look(revocation, revocation->certificate->hostnames.items[i], &guard);
	bool maybe = guard.zone_error.code != 0;
	for (size_t i = 0; i < guard.zone_count; i++) {
		known_strict |= !guard.zones[i].error.code && setting_is_strict(guard.zones[i].ssl);
		maybe |= guard.zones[i].error.code != 0;
	}
	guard.strict = known_strict;
	served_obstacles(revocation, &guard);
	zone_effects(&guard);
	bool expired = revocation->certificate->expires_on &&
		       revocation->certificate->expires_on <= revocation->now;
	if ((known_strict || maybe) && !expired) {
		coverage_look(revocation, &guard);
		coverage_obstacles(&guard);
	}
	holder_effects(revocation, &guard);
	*ret_guard = guard;
}

void revocation_guard_free(struct revocation_guard *guard)
{
	free(guard->zones);
	string_list_free(&guard->uncovered);
	string_list_free(&guard->obstacles);
	string_list_free(&guard->effects);
	*guard = (struct revocation_guard){0};
}
