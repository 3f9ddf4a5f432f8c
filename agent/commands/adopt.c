#include "pass/adopt.h"

#include <errno.h>

#include "base/log.h"
#include "commands/become.h"
#include "commands/command.h"
#include "commands/told_pass.h"

/* The section that is missing, as it should be written. */
static int explain_missing(const struct command_options *options,
			   const struct pass_adoption *adoption)
{
	struct error error = {0};
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	leaf_facts_read(adoption->leaf, &facts, NULL);
	CLEANUP(freep) char *names = string_list_join(&facts.hostnames, " ");
	error_set(&error, ERROR_CONFIGURATION, -ENOENT, "there is no usable [certificate %s]",
		  options->name);
	error_remedy(&error, "write one first, with `hostnames = %.300s` and its `targets`", names);
	return command_fail(options, PASS_EXIT_USAGE, &error);
}

static int adopt(const struct command_options *options, const struct config *config,
		 const struct pass_adoption *adoption)
{
	CLEANUP(string_list_free) struct string_list names = {0};
	string_list_add(&names, options->name);
	struct pass_options pass_options = {.names = &names,
					    .now = true,
					    .adoption = adoption,
					    .force_adoption = options->force};
	return told_pass(options, config, &pass_options, true);
}

static int take_over(const struct command_options *options, const struct pass_adoption *adoption)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	return config_certificate_find(config, options->name) ? adopt(options, config, adoption)
							      : explain_missing(options, adoption);
}

int command_adopt(const struct command_options *options)
{
	struct pass_adoption adoption = {0};
	struct error error = {0};
	if (!options->name) {
		log_error("usage: origin-ca-agent adopt CERT KEY --name NAME");
		return PASS_EXIT_USAGE;
	}
	/* Read by who asks, as a key is often root's; all the rest is the agent's user's. */
	if (adoption_read(options->arguments.items[0], options->arguments.items[1], &adoption,
			  &error) < 0)
		return command_fail(options, PASS_EXIT_FAILED, &error);
	struct config_token token = {0};
	struct command_options own = *options;
	int status = PASS_EXIT_FAILED;
	if (become_owner(options->config_path, true, &token, &error) < 0) {
		command_fail(options, status, &error);
	} else {
		own.token = token.text || token.error.code ? &token : NULL;
		status = take_over(&own, &adoption);
	}
	become_forget(&token);
	adoption_free(&adoption);
	return status;
}
