#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "commands/inventory.h"
#include "config/duration.h"
#include "pki/leaf.h"

/* What only the certificate itself tells. */
static void leaf_json(const struct origin_certificate *certificate, cJSON *json)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	if (!certificate->pem ||
	    leaf_read_pem(certificate->pem, strlen(certificate->pem), &leaf, NULL) < 0 ||
	    leaf_facts_read(leaf, &facts, NULL) < 0)
		return;
	json_add_string(json, "serial", facts.serial);
	json_add_string(json, "sha256", facts.sha256);
	json_add_string(json, "spki_sha256", facts.spki_sha256);
	json_add_string(json, "key_type", key_type_name(facts.key_type));
	json_add_time(json, "not_before", facts.not_before);
	json_add_string(json, "pem", certificate->pem);
}

static void targets_json(const struct serving *serving, cJSON *json)
{
	cJSON *array = json_add_array(json, "targets");
	for (size_t i = 0; i < serving->count; i++) {
		const struct serving_target *entry = &serving->items[i];
		cJSON *target = json_append_object(array);
		json_add_string(target, "name", entry->target->name);
		json_add_string(target, "answer", serving_answer_name(entry->answer));
		json_add_string(target, "hostname", entry->hostname);
		if (entry->error.code)
			json_add_string(target, "error", entry->error.message);
	}
}

static void dates_text(const struct inventory_entry *entry, int64_t now, struct buffer *text)
{
	char until[CLOCK_TEXT_SIZE];
	char left[DURATION_TEXT_SIZE];
	if (entry->not_after)
		buffer_add_format(text, "expires      %s (%s%s)\n",
				  clock_format(entry->not_after, until),
				  entry->not_after > now ? "in " : "since ",
				  duration_format(entry->not_after > now ? entry->not_after - now
									 : now - entry->not_after,
						  left));
	if (entry->certificate->revoked_at)
		buffer_add_format(text, "revoked      %s\n",
				  clock_format(entry->certificate->revoked_at, until));
}

static void entry_text(const struct inventory_entry *entry, const struct account *account,
		       int64_t now, struct buffer *text)
{
	const struct holding *holding = entry->holding;
	CLEANUP(freep)
	char *names = string_list_join(&entry->certificate->hostnames, "\n             ");
	buffer_add_format(text, "id           %s\nstate        %s\nhostnames    %s\n",
			  entry->certificate->id, holding_state_name(entry->state), names);
	dates_text(entry, now, text);
	if (holding)
		buffer_add_format(text, "held as      generation %u of %s%s%s\n",
				  holding->generation, holding->name,
				  holding->newest ? ", its newest" : "",
				  holding->configured ? "" : " (configured no longer)");
	else
		buffer_add_text(text, "held as      nothing on this host\n");
	if (account->api->name[0])
		buffer_add_format(text, "account      [api %s]\n", account->api->name);
}

static void targets_text(const struct serving *serving, struct buffer *text)
{
	for (size_t i = 0; i < serving->count; i++) {
		const struct serving_target *entry = &serving->items[i];
		buffer_add_format(text, "now          %s: %s", entry->target->name,
				  serving_answer_name(entry->answer));
		if (entry->hostname)
			buffer_add_format(text, " for %s", entry->hostname);
		if (entry->error.code)
			buffer_add_format(text, " (%s)", entry->error.message);
		buffer_add_text(text, "\n");
	}
}

static bool print(const struct command_options *options, const struct inventory *inventory,
		  const struct origin_certificate *certificate, const struct account *account,
		  const struct serving *serving)
{
	struct inventory_entry entry = inventory_join(inventory, certificate);
	if (options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = json_object();
		json_add_integer(json, "version", 1);
		json_add_integer(json, "exit_status", PASS_EXIT_CURRENT);
		inventory_entry_json(&entry, json);
		json_add_string(json, "api", account->api->name);
		leaf_json(certificate, json);
		targets_json(serving, json);
		return command_print_json(json);
	}
	CLEANUP(buffer_free) struct buffer text = BUFFER(1 << 20);
	entry_text(&entry, account, inventory->now, &text);
	targets_text(serving, &text);
	return command_print(buffer_text(&text));
}

static int show(const struct command_options *options, struct inventory *inventory,
		struct error *error)
{
	struct origin_certificate certificate = {0};
	struct account *account = NULL;
	int result = inventory_get(inventory, options->arguments.items[0], &certificate, &account,
				   error);
	struct serving serving = {0};
	struct serving_question question = inventory_question(&certificate);
	if (result == 0)
		result = serving_look(inventory->config, &question, &serving, error);
	bool printed = result == 0 && print(options, inventory, &certificate, account, &serving);
	serving_free(&serving);
	origin_certificate_free(&certificate);
	return result < 0 || printed ? result : 1;
}

int command_show(const struct command_options *options)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	struct inventory inventory;
	struct error error = {0};
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	if (inventory_open(config, false, &inventory, &error) < 0)
		return command_fail(options, PASS_EXIT_FAILED, &error);
	int result = show(options, &inventory, &error);
	inventory_close(&inventory);
	if (result < 0)
		return command_fail(options, PASS_EXIT_FAILED, &error);
	return result == 0 ? PASS_EXIT_CURRENT : PASS_EXIT_FAILED;
}
