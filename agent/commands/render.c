#include <unistd.h>

#include "base/log.h"
#include "commands/command.h"
#include "pass/trust.h"
#include "store/generation.h"
#include "target/kind.h"
#include "target/snippet.h"
#include "target/template.h"

static int render(struct pass *pass, const struct config_target *target)
{
	const struct pass_job *job = &pass->jobs[0];
	const struct pass_account *account = trust_client_account(pass, job->certificate);
	struct snippet_template template = {0};
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	int status = PASS_EXIT_CURRENT;

	int result = snippet_template_load(pass->config, target, &template, &error);
	/* What is printed ends up in logs and tickets: the password stays out. */
	struct snippet_input input = {
		.certificate = job->certificate,
		.number = job->state.newest,
		.state_dir = pass->store.path,
		.keystore_password = target_kind(target->type)->keystore ? "********" : NULL,
		.key_type = job->material.key_type,
		.client_ca = account ? account->client_ca : NULL,
	};
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
		status = render(&pass, target);
	}
	pass_free(&pass);
	string_list_free(&names);
	return status;
}
