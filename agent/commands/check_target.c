#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/paths.h"
#include "commands/check.h"
#include "commands/check_access.h"
#include "commands/check_service.h"
#include "pass/config_test.h"
#include "pass/reload.h"
#include "target/kind.h"
#include "target/manager_credentials.h"
#include "target/server_log.h"
#include "target/snippet.h"
#include "target/template.h"
#include "target/unit.h"
#include "target/unit_may.h"

/* The verbs that this target may need: its own, and the way back for a server that died of what it
 * was given. */
static void check_may(struct unit_bus *bus, const struct config_target *target, const char *unit,
		      const char *subject, struct findings *findings)
{
	const enum unit_verb verbs[] = {
		target->reload == RELOAD_RELOAD ? UNIT_RELOAD : UNIT_TRY_RESTART,
		UNIT_START,
	};
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		struct error error = {0};
		if (unit_may(bus, unit, verbs[i], &error) < 0) {
			found_error(findings, subject, &error);
			return;
		}
	}
	CLEANUP(freep)
	char *message = string_format("%s may be %s", unit,
				      target->reload == RELOAD_RELOAD ? "reloaded" : "restarted");
	found_ok(findings, subject, message);
}

/* The snippet that is not there yet and that `words` of a server name: its include is written
 * before the first pass, as the README tells. NULL when they are about something else. */
static char *awaited_snippet(const struct config *config, const struct config_target *target,
			     const char *words)
{
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		for (size_t j = 0; j < certificate->target_count; j++) {
			if (certificate->targets[j] != target)
				continue;
			CLEANUP(freep) char *name = snippet_file_name(target, certificate);
			CLEANUP(freep)
			char *path = string_format("%s/%s", target->snippet_dir, name);
			if (strstr(words, path) && access(path, F_OK) < 0 && errno == ENOENT)
				return TAKE_PTR(path);
		}
	}
	return NULL;
}

/* Really tested: it changes nothing, and says what the next reload would meet. */
static void check_test(const struct config *config, struct unit_bus *bus,
		       const struct config_target *target, const char *unit, const char *subject,
		       struct findings *findings)
{
	struct pass pass = {.bus = bus, .untested_told = true};
	struct error error = {0};
	CLEANUP(freep) char *test = config_test_unit(target, unit);
	if (!test)
		return;
	int result = config_test(&pass, target, unit, target->reload_timeout * 1000, &error);
	CLEANUP(freep)
	char *awaited = result < 0 ? awaited_snippet(config, target, error.message) : NULL;
	if (awaited) {
		CLEANUP(freep)
		char *message = string_format("its configuration includes %s, which the first pass "
					      "writes; it is tested then",
					      awaited);
		found_ok(findings, subject, message);
	} else if (result == CONFIG_TEST_PASSED)
		found_ok(findings, subject, "its configuration test passes");
	else if (result == 0 && error.code == -ENOTSUP)
		found_ok(findings, subject, error.message);
	else if (result < 0 || error.code)
		found_error(findings, subject, &error);
	else
		found_ok(findings, subject, "no configuration test is installed");
}

static void check_unit(const struct config *config, const struct config_target *target,
		       const char *subject, struct findings *findings)
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
	if (target->reload == RELOAD_RELOAD && !status.can_reload) {
		found(findings, subject, "error", message, "set reload = restart");
		return;
	}
	if (strcmp(status.active_state, "active") != 0)
		found(findings, subject, "warning", message,
		      "it is not started by the agent; start it, or set start_stopped = yes");
	else
		found_ok(findings, subject, message);
	check_may(bus, target, unit, subject, findings);
	check_test(config, bus, target, unit, subject, findings);
}

/* Where its snippets go, and its own log, which says more than its unit when it dies. */
static void check_files(const struct config_target *target, const char *subject,
			struct findings *findings)
{
	CLEANUP(server_log_close) struct server_log log;
	const char *directory = target->snippet_dir;
	bool below = string_starts(directory, findings->state_dir);
	if (!below)
		service_check_write(findings->service, subject, directory, findings);
	if (!below && check_directory(subject, directory, findings))
		found_ok(findings, subject, "its snippets can be written");
	if (target->template_name && target->template_name[0] == '/')
		service_check_read(findings->service, subject, target->template_name, findings);
	check_giving(subject, &target->access, findings);
	server_log_mark(target->type, &log);
	if (log.path && log.fd < 0) {
		CLEANUP(freep)
		char *message = string_format("should it die, its %s cannot be quoted", log.path);
		CLEANUP(freep)
		char *remedy = string_format("if that should be: usermod --append --groups adm %s",
					     path_user);
		found(findings, subject, "ok", message, remedy);
	}
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
	if (remote_check(target, &error) < 0)
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
	check_files(target, subject, findings);
	if (target->reload == RELOAD_COMMAND) {
		check_command(target, subject, findings);
		return;
	}
	if (target->reload == RELOAD_SSL)
		check_manager(target, subject, findings);
	check_unit(config, target, subject, findings);
}
