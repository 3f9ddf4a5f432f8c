#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/paths.h"
#include "cloudflare/zone.h"
#include "commands/check.h"
#include "commands/check_access.h"
#include "commands/check_service.h"
#include "commands/command.h"
#include "pass/material.h"
#include "pass/report.h"
#include "pass/wall_clock.h"

enum {
	CLOCK_TOLERANCE = 300
}; /* seconds that our clock may differ from the API's */

/* The default one is made by whoever comes first: systemd, or root's --renew-now. */
static void check_store(const struct config *config, struct findings *findings)
{
	const char *path = config->agent.state_dir;
	struct stat status;
	bool missing = stat(path, &status) < 0 && errno == ENOENT;
	service_check_write(findings->service, path, path, findings);
	if (missing && strcmp(path, path_state_dir) == 0)
		found_ok(findings, path, "will be made by the first pass");
	else if (check_directory(path, path, findings))
		found_ok(findings, path,
			 missing ? "will be made by the first pass" : "can be written");
}

static void check_clock(const struct client *client, struct findings *findings)
{
	int64_t offset = 0;
	if (!client_clock_offset(client, &offset))
		return;
	char ours[CLOCK_TEXT_SIZE];
	char theirs[CLOCK_TEXT_SIZE];
	int64_t now = clock_now();
	bool same = llabs(offset) <= CLOCK_TOLERANCE;
	bool issues = llabs(offset) <= WALL_CLOCK_TOLERANCE;
	CLEANUP(freep)
	char *message = string_format(
		"this host's clock %s the one of %s%s: it is %lld s %s (%s here, %s there)%s",
		same ? "agrees with" : "differs from", client_label(client),
		same ? "" : " too much", (long long)llabs(offset), offset > 0 ? "behind" : "ahead",
		clock_format(now, ours), clock_format(now + offset, theirs),
		issues ? "" : "; no certificate is asked for");
	found(findings, "clock", same ? "ok" : "error", message,
	      same ? NULL
		   : "start time synchronisation: timedatectl set-ntp true, or chronyc makestep "
		     "where chrony runs");
}

static void check_account(const struct config *config, const struct config_api *api,
			  struct findings *findings)
{
	CLEANUP(client_freep) struct client *client = NULL;
	struct error error = {0};
	enum token_status status = TOKEN_UNKNOWN;
	int64_t deadline = clock_monotonic_ms() + api->timeout * 1000 * 2;
	CLEANUP(freep)
	char *label = api->name[0] ? string_format("[api %s]", api->name) : string_copy("[api]");

	if (client_new(api, deadline, &client, &error) < 0 ||
	    token_verify(client, NULL, &status, &error) < 0) {
		found_error(findings, label, &error);
		return;
	}
	if (status == TOKEN_ACTIVE)
		found_ok(findings, label, "the token is active");
	else if (status == TOKEN_UNKNOWN)
		found_ok(findings, label, "an account token; it is checked by its use");
	else
		found(findings, label, "error",
		      status == TOKEN_EXPIRED ? "the token has expired" : "the token is disabled",
		      "make a new token with Zone > SSL and Certificates > Edit and put it into "
		      "the token file");
	check_clock(client, findings);
	if (status == TOKEN_EXPIRED || status == TOKEN_DISABLED)
		return;

	check_zones(config, api, client, findings);
}

static bool account_used(const struct config *config, const struct config_api *api)
{
	for (size_t i = 0; i < config->certificate_count; i++)
		if (config->certificates[i]->api == api)
			return true;
	return false;
}

/* What the administrator brings to it. */
static void check_certificate(const struct config_certificate *certificate,
			      struct findings *findings)
{
	struct pass_job job = {.certificate = certificate};
	bool brings = certificate->private_key_file || certificate->csr_file ||
		      certificate->formats & FORMAT_P12;
	if (brings && material_load(&job) < 0)
		found_error(findings, certificate->name, &job.material.error);
	else if (brings)
		found_ok(findings, certificate->name,
			 "its own key, request or password can be used");
	material_free(&job.material);
	const char *const files[] = {certificate->private_key_file, certificate->csr_file,
				     certificate->keystore_password_file};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i])
			service_check_read(findings->service, certificate->name, files[i],
					   findings);
	check_giving(certificate->name, &certificate->access, findings);
}

static void check_all(const struct config *config, struct service *service,
		      struct findings *findings)
{
	for (size_t i = 0; i < config->problem_count; i++) {
		const struct config_problem *problem = &config->problems[i];
		CLEANUP(freep)
		char *place = problem->place.line ? string_format("%s:%u", problem->place.file,
								  problem->place.line)
						  : string_copy(problem->place.file);
		found(findings, place, problem->warning ? "warning" : "error", problem->message,
		      config_problem_advice(problem));
	}
	CLEANUP(unit_closep) struct unit_bus *bus = NULL;
	findings->state_dir = config->agent.state_dir;
	if (unit_open(&bus, NULL) == 0)
		service_load(bus, service);
	check_store(config, findings);
	check_journal(findings);
	struct error error = {0};
	if (wall_clock_check(clock_now(), 0, NULL, &error) < 0)
		found_error(findings, "clock", &error);
	for (size_t i = 0; i < config->api_count; i++)
		if (account_used(config, config->apis[i]))
			check_account(config, config->apis[i], findings);
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = config->targets[i];
		check_target(config, target, findings);
	}
	for (size_t i = 0; i < config->certificate_count; i++)
		check_certificate(config->certificates[i], findings);
	if (config->certificate_count == 0)
		found(findings, config->path, "warning", "no certificate is configured",
		      "add a file with [certificate NAME] to the drop-in directory");
}

int command_check(const struct command_options *options)
{
	struct config *loaded = NULL;
	struct error error = {0};
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	CLEANUP(service_free) struct service service = {0};
	struct findings findings = {.text = BUFFER(64 << 20), .service = &service};

	json_add_integer(json, "version", 1);
	findings.array = json_add_array(json, "findings");
	int result = config_load(options->config_path, &loaded, &error);
	CLEANUP(config_freep) struct config *config = loaded;
	if (result < 0) {
		found_error(&findings, options->config_path, &error);
	} else {
		command_give_token(options, config);
		check_all(config, &service, &findings);
	}

	int status = findings.failures ? PASS_EXIT_FAILED : PASS_EXIT_CURRENT;
	if (result < 0 || config_error_count(config))
		status = PASS_EXIT_CONFIGURATION;
	json_add_integer(json, "exit_status", status);
	if (!(options->json ? command_print_json(json)
			    : command_print(buffer_text(&findings.text))))
		status = PASS_EXIT_FAILED;
	buffer_free(&findings.text);
	return status;
}
