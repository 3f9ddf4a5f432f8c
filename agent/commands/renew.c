#include "base/log.h"
#include "commands/command.h"
#include "commands/told_pass.h"

static int run(const struct command_options *options, const struct pass_options *pass_options,
	       bool print)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	if (!command_names_known(options, config))
		return config_error_count(config) ? PASS_EXIT_CONFIGURATION : PASS_EXIT_USAGE;

	return told_pass(options, config, pass_options, print);
}

int command_renew(const struct command_options *options)
{
	if (options->force && options->arguments.count == 0) {
		log_error("--force issues new certificates: name the ones that it is for");
		return PASS_EXIT_USAGE;
	}
	struct pass_options pass_options = {
		.names = &options->arguments,
		.now = true,
		.force = options->force,
		.dry_run = options->dry_run,
	};
	return run(options, &pass_options, true);
}

int command_pass(const struct command_options *options)
{
	struct pass_options pass_options = {0};
	return run(options, &pass_options, false);
}
