#include "pass/prune.h"

#include <errno.h>

#include "base/json.h"
#include "base/log.h"
#include "commands/become.h"
#include "commands/inventory.h"
#include "config/build.h"
#include "pass/report.h"

static void text_list(struct buffer *text, const char *before, const struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		buffer_add_format(text, "%s%s\n", before, list->items[i]);
}

static bool print(const struct command_options *options, const struct prune *prune, int status,
		  bool removed, const struct error *error)
{
	if (options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = json_object();
		json_add_integer(json, "version", 1);
		json_add_integer(json, "exit_status", status);
		json_add_string(json, "name", prune->name);
		json_add_bool(json, "changed", removed && prune->files.count);
		json_add_list(json, "files", &prune->files);
		json_add_list(json, "kept", &prune->kept);
		json_add_list(json, "obstacles", &prune->obstacles);
		json_add_list(json, "still_valid", &prune->ids);
		report_error_json(error, json);
		return command_print_json(json);
	}
	CLEANUP(buffer_free) struct buffer text = BUFFER(1 << 20);
	text_list(&text, removed ? "removed " : "would remove ", &prune->files);
	text_list(&text, "kept, because it is not as it was written: ", &prune->kept);
	text_list(&text, "against it: ", &prune->obstacles);
	text_list(&text, "still valid at Cloudflare (`origin-ca-agent revoke ID` revokes it): ",
		  &prune->ids);
	if (prune->files.count == 0)
		buffer_add_format(&text, "there are no files of %s\n", prune->name);
	return command_print(buffer_text(&text));
}

static int prune(const struct command_options *options, const struct store *store,
		 const struct prune *pruned)
{
	struct error error = {0};
	bool remove = !options->dry_run;
	int status = PASS_EXIT_CURRENT;
	if (pruned->obstacles.count && !options->force) {
		remove = false;
		status = PASS_EXIT_FAILED;
		error_set(&error, ERROR_CONFIGURATION, -EBUSY, "%s is not pruned: %.800s",
			  pruned->name, pruned->obstacles.items[0]);
		error_remedy(&error, "remove what is in the way; --force prunes it all the same");
	} else if (remove && prune_remove(store, pruned, &error) < 0) {
		status = PASS_EXIT_FAILED;
	}
	if (error.code)
		log_failure(LOG_LEVEL_ERROR, &error);
	else if (remove && pruned->files.count)
		log_notice("pruned %s", pruned->name);
	bool printed = print(options, pruned, status, remove && !error.code, &error);
	return printed ? status : PASS_EXIT_FAILED;
}

static int find_and_prune(const struct command_options *options,
			  const struct prune_mentions *mentions)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	struct inventory inventory;
	struct prune pruned = {0};
	struct error error = {0};
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	int result = inventory_open(config, true, &inventory, &error);
	if (result < 0)
		return command_fail(options,
				    result == -EWOULDBLOCK ? PASS_EXIT_LOCKED : PASS_EXIT_FAILED,
				    &error);
	result = prune_look(config, &inventory.store, &inventory.holdings, mentions,
			    options->arguments.items[0], &pruned, &error);
	int status = result < 0 ? command_fail(options, PASS_EXIT_FAILED, &error)
				: prune(options, &inventory.store, &pruned);
	prune_free(&pruned);
	inventory_close(&inventory);
	return status;
}

int command_prune(const struct command_options *options)
{
	const char *name = options->arguments.items[0];
	struct command_options own = *options;
	struct prune_mentions mentions = {0};
	struct config_token token = {0};
	struct error error = {0};
	if (!section_name_valid(name)) {
		error_set(&error, ERROR_CONFIGURATION, -EINVAL,
			  "\"%.60s\" cannot be the name of a certificate", name);
		return command_fail(options, PASS_EXIT_USAGE, &error);
	}
	/* Read by who asks, as root reads what the agent's user may not; all the rest is that
	 * user's: root would leave files that are root's, and remove what it is led to. */
	prune_mentions_read(name, &mentions);
	int status = PASS_EXIT_FAILED;
	if (become_owner(options->config_path, false, &token, &error) < 0) {
		command_fail(options, status, &error);
	} else {
		own.token = token.text || token.error.code ? &token : NULL;
		status = find_and_prune(&own, &mentions);
	}
	become_forget(&token);
	prune_mentions_free(&mentions);
	return status;
}
