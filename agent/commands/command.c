#include "commands/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "pass/report.h"

const struct command commands[] = {
	{"init", "", "first run: token, certificate, server", command_init, 0, 0, USER_CALLER,
	 TAKES_FORCE | TAKES_YES | TAKES_NAME | TAKES_INIT},
	{"run", "", "run as the agent (systemd starts this)", command_run, 0, 0, USER_CALLER, 0},
	{"pass", NULL, "one scheduled pass (the agent's child)", command_pass, 0, 0, USER_MAKES, 0},
	{"renew", "[NAME...]", "one pass now; the same as --renew-now", command_renew, 0, SIZE_MAX,
	 USER_MAKES, TAKES_FORCE | TAKES_DRY_RUN},
	{"check", "", "what would fail, and the remedy", command_check, 0, 0, USER_OWNER, 0},
	{"status", "[NAME...]", "certificates, targets, expiry, errors", command_status, 0,
	 SIZE_MAX, USER_OWNER, TAKES_PAGE},
	{"render", "NAME TARGET", "print a snippet", command_render, 2, 2, USER_OWNER, 0},
	{"probe", "[NAME...]", "handshake now: which leaf is served where", command_probe, 0,
	 SIZE_MAX, USER_OWNER, 0},
	{"list", "", "certificates at Cloudflare, and which are this host's", command_list, 0, 0,
	 USER_OWNER, TAKES_ZONE},
	{"show", "ID|NAME", "one certificate at Cloudflare, and who serves it", command_show, 1, 1,
	 USER_OWNER, 0},
	{"revoke", "ID|NAME", "revoke a certificate that nobody needs", command_revoke, 1, 1,
	 USER_OWNER, TAKES_FORCE | TAKES_YES},
	{"adopt", "CERT KEY", "take over a certificate, with --name NAME", command_adopt, 2, 2,
	 USER_CALLER, TAKES_FORCE | TAKES_NAME},
	{"prune", "NAME", "remove the files of what is configured no longer", command_prune, 1, 1,
	 USER_CALLER, TAKES_FORCE | TAKES_DRY_RUN},
};

const size_t command_count = ARRAY_SIZE(commands);

int command_fail(const struct command_options *options, int status, const struct error *error)
{
	event_say_error(event_of_failure(error->class), error);
	if (options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = json_object();
		json_add_integer(json, "version", 1);
		json_add_integer(json, "exit_status", status);
		report_error_json(error, json);
		command_print_json(json);
	}
	return status;
}

void command_give_token(const struct command_options *options, const struct config *config)
{
	for (size_t i = 0; options->token && i < config->api_count; i++)
		if (!config->apis[i]->token_file)
			config->apis[i]->token = options->token;
}

struct config *command_config(const struct command_options *options)
{
	struct config *config = NULL;
	struct error error = {0};

	if (config_load(options->config_path, &config, &error) < 0) {
		command_fail(options, PASS_EXIT_CONFIGURATION, &error);
		return NULL;
	}
	command_give_token(options, config);
	for (size_t i = 0; i < config->problem_count; i++) {
		CLEANUP(freep) char *text = config_problem_text(&config->problems[i]);
		if (config->problems[i].warning)
			log_warning("%s", text);
		else
			event_say(EVENT_CONFIGURATION, "%s", text);
	}
	return config;
}

bool command_names_known(const struct command_options *options, const struct config *config)
{
	bool known = true;
	for (size_t i = 0; i < options->arguments.count; i++)
		if (!config_certificate_find(config, options->arguments.items[i])) {
			log_error("there is no usable [certificate %s]",
				  options->arguments.items[i]);
			known = false;
		}
	return known;
}

bool command_print(const char *text)
{
	if (fputs(text, stdout) != EOF && fflush(stdout) == 0)
		return true;
	log_error("cannot write to standard output: %s", strerror(errno));
	return false;
}

bool command_print_json(const cJSON *json)
{
	CLEANUP(freep) char *text = json_print(json, true);
	return command_print(text);
}
