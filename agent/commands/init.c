/* init.c - `init`: from an installed package to a certificate. */
#include "commands/init.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/paths.h"
#include "cloudflare/token.h"
#include "commands/ask.h"
#include "target/kind.h"
#include "target/snippet.h"

/* Before anything is asked: whoever cannot write is told so at once. */
static int writable(const struct init *init, struct error *error)
{
	CLEANUP(freep) char *parent = string_copy(init->main_file.path);
	*strrchr(parent, '/') = '\0';
	while (parent[0] && access(parent, F_OK) < 0 && strrchr(parent, '/'))
		*strrchr(parent, '/') = '\0';
	if (access(parent[0] ? parent : "/", W_OK) == 0)
		return 0;
	error_errno(error, -errno, "%s cannot be written", parent[0] ? parent : "/");
	return error_remedy(error, "run it as root: sudo origin-ca-agent init");
}

static int load(struct init *init, struct error *error)
{
	const char *path = init->options->config_path;
	int result = config_load(path, &init->config, error);
	if (result == -ENOENT) {
		error_clear(error);
		result = config_load_text(path, "", 0, &init->config, error);
	}
	if (result < 0)
		return result;
	init->main_file.path = string_copy(init->config->path);
	const struct config_api *api = config_api_find(init->config, "");
	const struct config_api none = {0};
	init->token_file.path = token_path(api ? api : &none);
	return writable(init, error);
}

/* Everything is known; a last question before anything is written. */
static int agreed(const struct init *init, struct error *error)
{
	if (!init->interactive)
		return 0;
	CLEANUP(freep) char *names = string_list_join(&init->hostnames, " ");
	CLEANUP(freep) char *targets = string_list_join(&init->targets, ", ");
	printf("\nCertificate %s for %s%s%s.\n", init->name, names,
	       init->targets.count ? "; served by " : ", kept for whoever reads it", targets);
	if (init->token)
		printf("  the token goes to %s\n", init->token_file.path);
	printf("  the certificate's section goes to %s\n", init->drop_in_file.path);
	bool yes = false;
	int result =
		ask_yes("Write that and ask Cloudflare for the certificate", true, &yes, error);
	if (result == 0 && !yes)
		return error_set(error, ERROR_CONFIGURATION, -ECANCELED, "you said no");
	return result;
}

static void include_print(const struct config *config, const char *name)
{
	const struct config_certificate *certificate = config_certificate_find(config, name);
	for (size_t i = 0; certificate && i < certificate->target_count; i++) {
		const struct config_target *target = certificate->targets[i];
		CLEANUP(freep) char *file = snippet_file_name(target, certificate);
		CLEANUP(freep) char *path = string_format("%s/%s", target->snippet_dir, file);
		CLEANUP(freep) char *include = target_include(target->type, path);
		printf("%s: put %s, in place of its own certificate and key\n", target->name,
		       include);
	}
}

/* What the pass has come to: issued is what Cloudflare gave, current what servers show. */
static int outcome(const struct config *config, const struct init *init, bool *ret_issued,
		   bool *ret_current, struct error *error)
{
	struct string_list names = {0};
	struct pass pass;
	string_list_add(&names, init->name);
	struct pass_options options = {.names = &names};
	int result = pass_look(config, &options, &pass, error);
	if (result == 0 && pass.job_count == 1) {
		*ret_issued = pass.jobs[0].state.newest > 0;
		*ret_current = pass_job_current(&pass, &pass.jobs[0]);
	}
	pass_free(&pass);
	string_list_free(&names);
	return result;
}

/* Passes until the certificate is served, or nobody is there who would change the server. */
static int certificate_bring(const struct init *init, const struct config *config, bool *ret_served,
			     struct error *error)
{
	for (;;) {
		bool issued = false;
		int status = init_pass(init, error);
		int result =
			status < 0 ? status : outcome(config, init, &issued, ret_served, error);
		if (result < 0)
			return result;
		if (*ret_served && status == PASS_EXIT_CURRENT)
			return 0;
		if (!issued)
			return error_set(error, ERROR_DEPLOY, -EAGAIN,
					 "there is no certificate yet; what is above says why. "
					 "Token and configuration are in place: `origin-ca-agent "
					 "--renew-now` tries again");
		printf("\nThe certificate is there. What is left to do, in the server's "
		       "configuration:\n");
		include_print(config, init->name);
		if (!init->interactive) {
			printf("then: origin-ca-agent --renew-now\n");
			return 0;
		}
		bool yes = false;
		result = ask_yes("Is it done? (no: later, by origin-ca-agent --renew-now)", true,
				 &yes, error);
		if (result < 0 || !yes)
			return result == -ECANCELED ? 0 : result;
	}
}

static int service_bring(const struct init *init, const struct config *config, struct error *error)
{
	const struct init_options *given = &init->options->init;
	bool yes = given->enable;
	if (given->no_enable || strcmp(config->path, path_config_file) != 0)
		return 0;
	if (!yes && init->interactive) {
		int result = ask_yes("Start the agent now and at every boot", true, &yes, error);
		if (result < 0)
			return result;
	} else {
		yes = true;
	}
	if (!yes)
		return 0;
	int result = init_service(config, error);
	if (result == 0)
		printf("The agent runs: systemctl status origin-ca-agent\n");
	return result;
}

static int prepare(struct init *init, struct error *error)
{
	int (*const steps[])(struct init *, struct error *) = {
		load, init_names, init_preview, init_targets, init_files, init_token,
	};
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int result = steps[i](init, error);
		if (result < 0)
			return result;
	}
	return 0;
}

/* The last that can go wrong before there is something to take back. */
static int commit(struct init *init, struct error *error)
{
	int result = init_api(init, error);
	if (result == 0)
		result = agreed(init, error);
	return result == 0 ? init_write(init, error) : result;
}

static int refused(const struct error *error, int status)
{
	log_failure(LOG_LEVEL_ERROR, error);
	log_error("nothing was written");
	return status;
}

static void init_free(struct init *init)
{
	struct init_file *files[] = {&init->token_file, &init->drop_in_file, &init->main_file};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		free(files[i]->path);
		buffer_wipe(&files[i]->before);
	}
	config_free(init->config);
	config_free(init->preview);
	string_list_free(&init->hostnames);
	string_list_free(&init->targets);
	free(init->name);
	secret_free(init->token);
	free(init->token_origin);
}

static int run(struct init *init, struct error *error)
{
	bool served = false;
	int result = prepare(init, error);
	if (result < 0)
		return refused(error, !init->config ? PASS_EXIT_CONFIGURATION
				      : error->class == ERROR_CONFIGURATION ? PASS_EXIT_USAGE
									    : PASS_EXIT_FAILED);
	result = commit(init, error);
	if (result < 0)
		return refused(error, PASS_EXIT_FAILED);
	struct config *loaded = NULL;
	result = config_load(init->options->config_path, &loaded, error);
	CLEANUP(config_freep) struct config *config = loaded;
	if (result == 0)
		result = certificate_bring(init, config, &served, error);
	struct error failed = *error;
	/* The service goes on trying, whatever came of the first pass. */
	struct error *second = result < 0 ? &failed : error;
	if (result < 0)
		log_failure(LOG_LEVEL_ERROR, error);
	int started = config ? service_bring(init, config, second) : 0;
	if (started < 0)
		log_failure(LOG_LEVEL_ERROR, second);
	if (result < 0 || started < 0)
		return PASS_EXIT_FAILED;
	if (served)
		printf("%s is served and verified.\n", init->name);
	return PASS_EXIT_CURRENT;
}

int command_init(const struct command_options *options)
{
	if (options->json) {
		log_error("--json does not go with init, which talks to people");
		return PASS_EXIT_USAGE;
	}
	/* Lines come in their order, beside those of the pass, on a pipe as well. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	struct error error = {0};
	struct init init = {
		.options = options,
		.interactive = !options->yes && ask_possible(),
	};
	int status = run(&init, &error);
	init_free(&init);
	return status;
}
