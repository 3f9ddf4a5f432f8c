#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "commands/check.h"
#include "pass/reload.h"
#include "target/kind.h"
#include "target/manager_credentials.h"
#include "target/snippet.h"
#include "target/template.h"
#include "target/unit.h"

static void check_unit(const struct config_target *target, const char *subject,
		       struct findings *findings)
{
	CLEANUP(unit_closep) struct unit_bus *bus = NULL;
	struct error error = {0};
	struct unit_status status = {0};
	const char *unit = NULL;

	if (target->reload == RELOAD_NONE) {
		found_ok(findings, subject, "is not reloaded (reload = none)");
		return;
	}
	if (unit_open(&bus, &error) < 0 || reload_unit(bus, target, &unit, &error) < 0 ||
	    unit_status(bus, unit, &status, &error) < 0) {
		found_error(findings, subject, &error);
		return;
	}
	if (strcmp(status.load_state, "loaded") != 0) {
		CLEANUP(freep)
		char *absent = string_format("systemd says that %s is %s", unit, status.load_state);
		found(findings, subject, "error", absent,
		      "set `unit =` to the server's unit, or install the server");
		return;
	}
	CLEANUP(freep)
	char *message = string_format("%s is %s and %s", unit, status.active_state,
				      status.can_reload ? "can reload" : "cannot reload");
	if (target->reload == RELOAD_RELOAD && !status.can_reload)
		found(findings, subject, "error", message, "set reload = restart");
	else if (strcmp(status.active_state, "active") != 0)
		found(findings, subject, "warning", message,
		      "it is not started by the agent; start it, or set start_stopped = yes");
	else
		found_ok(findings, subject, message);
}

/* The template must render for every certificate that goes through it. */
static void check_template(const struct config *config, const struct config_target *target,
			   const char *subject, struct findings *findings)
{
	const struct target_kind *kind = target_kind(target->type);
	struct snippet_template template = {0};
	struct error error = {0};
	int result = snippet_template_load(config, target, &template, &error);
	for (size_t i = 0; result == 0 && i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		for (size_t j = 0; result == 0 && j < certificate->target_count; j++) {
			struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
			/* Any password does: a generated one needs no escape. */
			struct snippet_input input = {
				certificate,
				1,
				config->agent.state_dir,
				kind->keystore ? "********" : NULL,
				certificate->key_type,
				certificate->authenticated_origin_pulls ? "/ca.pem" : NULL};
			if (certificate->targets[j] == target)
				result = snippet_render(&template, &input, &text, &error);
			buffer_free(&text);
		}
	}
	if (result < 0)
		found_error(findings, subject, &error);
	else
		found_ok(findings, subject, "its template renders");
	snippet_template_free(&template);
}

static void check_command(const struct config_target *target, const char *subject,
			  struct findings *findings)
{
	const char *program = target->reload_command.items[0];
	struct error error = {0};
	if (access(program, X_OK) == 0) {
		found_ok(findings, subject, "its reload_command can be run");
		return;
	}
	error_errno(&error, -errno, "reload_command: cannot run %s", program);
	error_remedy(&error, "correct the path, or let the agent's user run it");
	found_error(findings, subject, &error);
}

static void check_manager(const struct config_target *target, const char *subject,
			  struct findings *findings)
{
	struct manager_credentials credentials = {0};
	struct error error = {0};
	if (manager_credentials_read(target, &credentials, &error) < 0)
		found_error(findings, subject, &error);
	else
		found_ok(findings, subject, "the manager's credentials can be read");
	manager_credentials_free(&credentials);
}

/* Nobody there is asked: `--renew-now` does, and says what came of it. */
static void check_remote(const struct config_target *target, const char *subject,
			 struct findings *findings)
{
	struct error error = {0};
	if (target_kind(target->type)->remote->check(target, &error) < 0)
		found_error(findings, subject, &error);
	else
		found_ok(findings, subject, "its credentials can be read");
	if (!target->probe_host)
		found(findings, subject, "warning", "what the origin serves is not looked at",
		      "write its own address and port as `probe`");
}

void check_target(const struct config *config, const struct config_target *target,
		  struct findings *findings)
{
	CLEANUP(freep) char *subject = string_format("[target %s]", target->name);
	check_template(config, target, subject, findings);
	if (target_kind(target->type)->remote) {
		check_remote(target, subject, findings);
		return;
	}
	if (target->reload == RELOAD_COMMAND) {
		check_command(target, subject, findings);
		return;
	}
	if (target->reload == RELOAD_SSL)
		check_manager(target, subject, findings);
	check_unit(target, subject, findings);
}
