#include <unistd.h>

#include "base/log.h"
#include "commands/command.h"
#include "store/generation.h"
#include "target/kind.h"
#include "target/snippet.h"
#include "target/template.h"

static int render(const struct config *config, const struct config_certificate *certificate,
		  const struct config_target *target, unsigned number)
{
	struct snippet_template template = {0};
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	int status = PASS_EXIT_CURRENT;

	int result = snippet_template_load(config, target, &template, &error);
	/* What is printed ends up in logs and tickets: the password stays out. */
	struct snippet_input input = {certificate, number, config->agent.state_dir,
				      target_kind(target->type)->keystore ? "********" : NULL,
				      certificate->key_type};
	if (result == 0)
		result = snippet_render(&template, &input, &text, &error);
	if (result < 0) {
		log_failure(LOG_LEVEL_ERROR, &error);
		status = PASS_EXIT_CONFIGURATION;
	} else if (!command_print(buffer_text(&text))) {
		status = PASS_EXIT_FAILED;
	}
	buffer_free(&text);
	snippet_template_free(&template);
	return status;
}

int command_render(const struct command_options *options)
{
	const char *name = options->arguments.items[0];
	const char *target_name = options->arguments.items[1];
	CLEANUP(config_freep) struct config *config = command_config(options);
	if (!config)
		return PASS_EXIT_CONFIGURATION;

	const struct config_certificate *certificate = config_certificate_find(config, name);
	const struct config_target *target = config_target_find(config, target_name);
	if (!certificate || !target) {
		log_error("there is no usable [%s %s]", certificate ? "target" : "certificate",
			  certificate ? target_name : name);
		return PASS_EXIT_USAGE;
	}

	/* Of the newest generation, or of the placeholder while there is none. */
	struct string_list names = {0};
	string_list_add(&names, name);
	struct pass_options look = {.names = &names};
	struct pass pass;
	struct error error = {0};
	int status;
	if (pass_look(config, &look, &pass, &error) < 0) {
		log_failure(LOG_LEVEL_ERROR, &error);
		status = PASS_EXIT_FAILED;
	} else {
		status = render(config, certificate, target, pass.jobs[0].state.newest);
	}
	pass_free(&pass);
	string_list_free(&names);
	return status;
}
