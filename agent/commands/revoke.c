#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "commands/inventory.h"
#include "pass/report.h"
#include "pass/revocation_guard.h"
#include "store/state.h"

/* One certificate that is to be revoked. */
struct revoking {
	const struct command_options *options;
	struct inventory *inventory;
	struct account *account;
	struct client *client;
	struct origin_certificate certificate;
	struct inventory_entry entry;
	struct serving serving;
	struct revocation_guard guard;
	bool revoked; /* by us */
	bool already;
};

static void account_text(const struct revoking *revoking, struct buffer *text)
{
	const struct inventory_entry *entry = &revoking->entry;
	const struct revocation_guard *guard = &revoking->guard;
	CLEANUP(freep) char *names = string_list_join(&revoking->certificate.hostnames, ", ");
	char until[CLOCK_TEXT_SIZE] = "?";
	if (entry->not_after)
		clock_format(entry->not_after, until);
	buffer_add_format(text, "Certificate %s for %.600s, valid until %s",
			  revoking->certificate.id, names, until);
	if (entry->holding)
		buffer_add_format(text, ": generation %u of %s (%s).\n", entry->holding->generation,
				  entry->holding->name, holding_state_name(entry->state));
	else
		buffer_add_text(text, ".\n");
	for (size_t i = 0; i < guard->effects.count; i++)
		buffer_add_format(text, "  %s\n", guard->effects.items[i]);
	for (size_t i = 0; i < guard->obstacles.count; i++)
		buffer_add_format(text, "  Against it: %s.\n", guard->obstacles.items[i]);
}

static void zones_json(const struct revocation_guard *guard, cJSON *json)
{
	cJSON *array = json_add_array(json, "zones");
	for (size_t i = 0; i < guard->zone_count; i++) {
		cJSON *zone = json_append_object(array);
		json_add_string(zone, "id", guard->zones[i].zone->id);
		json_add_string(zone, "name", guard->zones[i].zone->name);
		if (guard->zones[i].ssl[0])
			json_add_string(zone, "ssl", guard->zones[i].ssl);
		report_error_json(&guard->zones[i].error, zone);
	}
}

static int finish(const struct revoking *revoking, int status, const struct error *error)
{
	if (!revoking->options->json)
		return status;
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	json_add_integer(json, "version", 1);
	json_add_integer(json, "exit_status", status);
	inventory_entry_json(&revoking->entry, json);
	json_add_bool(json, "revoked", revoking->revoked || revoking->already);
	json_add_bool(json, "changed", revoking->revoked);
	zones_json(&revoking->guard, json);
	json_add_list(json, "uncovered", &revoking->guard.uncovered);
	json_add_list(json, "obstacles", &revoking->guard.obstacles);
	json_add_list(json, "effects", &revoking->guard.effects);
	report_error_json(error, json);
	return command_print_json(json) ? status : PASS_EXIT_FAILED;
}

/* True when somebody at a terminal says yes. */
static bool confirmed(void)
{
	char answer[16] = "";
	fputs("Revoke it? [y/N] ", stderr);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* The holder's next pass must know: a listing may lag, and the daily look may be hours away. */
static void remember(const struct revoking *revoking)
{
	const struct holding *holding = revoking->entry.holding;
	const struct inventory *inventory = revoking->inventory;
	CLEANUP(closep) int directory = -1;
	CLEANUP(state_free) struct state state = {0};
	bool rebuilt = false;
	struct error error = {0};
	if (!holding)
		return;
	CLEANUP(freep)
	char *where = string_format("%s/certificates/%s", inventory->store.path, holding->name);
	int result =
		store_certificate_open(&inventory->store, holding->name, false, &directory, &error);
	if (result == 0)
		result = state_load(directory, where, &state, &rebuilt, &error);
	if (result == 0 && !rebuilt) {
		if (holding->newest) {
			free(state.revoked_serial);
			state.revoked_serial = string_copy(holding->serial);
		}
		state_revoked_add(&state, holding->serial);
		state_event_add(&state, clock_now(), "withdrawn",
				"revoked generation %u (serial %s), as somebody asked by `revoke`",
				holding->generation, holding->serial);
		result = state_save(directory, where, &state, &error);
	}
	if (result < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

/* 0: go on; else the exit status, and why. */
static int refuse(const struct revoking *revoking, struct error *error)
{
	const struct command_options *options = revoking->options;
	if (revoking->guard.obstacles.count && !options->force) {
		error_set(error, ERROR_CONFIGURATION, -EBUSY, "not revoked: %.800s",
			  revoking->guard.obstacles.items[0]);
		error_remedy(error, "replace it where it is used first; --force revokes it all the "
				    "same");
		return PASS_EXIT_FAILED;
	}
	if (options->yes)
		return 0;
	if (options->json || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
		error_set(error, ERROR_CONFIGURATION, -ECANCELED,
			  "not revoked: --yes was not given");
		return PASS_EXIT_USAGE;
	}
	if (confirmed())
		return 0;
	error_set(error, ERROR_CONFIGURATION, -ECANCELED, "not revoked");
	return PASS_EXIT_FAILED;
}

static int carry_out(struct revoking *revoking, struct error *error)
{
	const struct command_options *options = revoking->options;
	if (revoking->certificate.revoked_at) {
		revoking->already = true;
		log_notice("%s is revoked already", revoking->certificate.id);
		return finish(revoking, PASS_EXIT_CURRENT, error);
	}
	struct serving_question question = inventory_question(&revoking->certificate);
	int result =
		serving_look(revoking->inventory->config, &question, &revoking->serving, error);
	if (result < 0)
		return command_fail(options, PASS_EXIT_FAILED, error);
	struct revocation_case revocation = {
		.config = revoking->inventory->config,
		.account = revoking->account,
		.client = revoking->client,
		.certificate = &revoking->certificate,
		.holding = revoking->entry.holding,
		.serving = &revoking->serving,
		.now = revoking->inventory->now,
	};
	revocation_guard_look(&revocation, &revoking->guard);
	CLEANUP(buffer_free) struct buffer text = BUFFER(1 << 20);
	account_text(revoking, &text);
	if (!options->json && !command_print(buffer_text(&text)))
		return PASS_EXIT_FAILED;
	int status = refuse(revoking, error);
	if (status == 0 && origin_ca_revoke(revoking->client, revoking->certificate.id, error) < 0)
		status = PASS_EXIT_FAILED;
	if (status != 0) {
		log_failure(LOG_LEVEL_ERROR, error);
		return finish(revoking, status, error);
	}
	revoking->revoked = true;
	remember(revoking);
	log_notice("revoked %s", revoking->certificate.id);
	return finish(revoking, PASS_EXIT_CURRENT, error);
}

static int find(struct revoking *revoking, struct error *error)
{
	struct inventory *inventory = revoking->inventory;
	int result = inventory_get(inventory, revoking->options->arguments.items[0],
				   &revoking->certificate, &revoking->account, error);
	if (result == 0)
		result = account_client(revoking->account, &inventory->accounts, &revoking->client,
					error);
	if (result == 0)
		revoking->entry = inventory_join(inventory, &revoking->certificate);
	return result;
}

int command_revoke(const struct command_options *options)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	struct inventory inventory;
	struct error error = {0};
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	int result = inventory_open(config, true, &inventory, &error);
	if (result < 0)
		return command_fail(options,
				    result == -EWOULDBLOCK ? PASS_EXIT_LOCKED : PASS_EXIT_FAILED,
				    &error);
	struct revoking revoking = {.options = options, .inventory = &inventory};
	int status = find(&revoking, &error) < 0 ? command_fail(options, PASS_EXIT_FAILED, &error)
						 : carry_out(&revoking, &error);
	revocation_guard_free(&revoking.guard);
	serving_free(&revoking.serving);
	origin_certificate_free(&revoking.certificate);
	inventory_close(&inventory);
	return status;
}
