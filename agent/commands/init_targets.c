/* init_targets.c - which servers run here, and which of them is to have the certificate. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands/ask.h"
#include "commands/init.h"
#include "target/kind.h"
#include "target/unit.h"

/* The servers of the kinds that the agent knows; a host without systemd has none that we can see.
 */
static void servers_find(struct string_list *running, struct string_list *installed)
{
	CLEANUP(unit_closep) struct unit_bus *bus = NULL;
	struct error error = {0};
	if (unit_open(&bus, &error) < 0)
		return;
	for (int type = 0; type < TARGET_TYPE_COUNT; type++) {
		const struct target_kind *kind = target_kind((enum target_type)type);
		struct unit_status status = {0};
		const char *unit = NULL;
		if (kind->unit_count == 0 ||
		    unit_choose(bus, kind->units, kind->unit_count, &unit, &error) < 0 ||
		    unit_status(bus, unit, &status, &error) < 0)
			continue;
		string_list_add(strcmp(status.active_state, "active") == 0 ? running : installed,
				target_type_name((enum target_type)type));
	}
}

/* What [target NAME] or the name of a kind says. */
static bool target_known(const struct init *init, const char *name)
{
	if (config_target_find(init->config, name))
		return true;
	for (int type = 0; type < TARGET_TYPE_COUNT; type++)
		if (type != TARGET_CUSTOM &&
		    strcmp(name, target_type_name((enum target_type)type)) == 0)
			return true;
	return false;
}

/* Blanks and commas between names; "none" is no server at all. */
static int targets_take(struct init *init, const char *text, struct error *error)
{
	while (text[0]) {
		size_t length = strcspn(text, " \t,");
		CLEANUP(freep) char *name = string_copy_n(text, length);
		text += length + strspn(text + length, " \t,");
		if (name[0] == '\0' || strcmp(name, "none") == 0 ||
		    string_list_has(&init->targets, name))
			continue;
		if (!target_known(init, name)) {
			error_set(error, ERROR_CONFIGURATION, -EINVAL, "there is no target \"%s\"",
				  name);
			return error_remedy(error,
					    "write nginx, apache, tomcat, haproxy, none, or "
					    "the NAME of a [target NAME] that is configured");
		}
		string_list_add(&init->targets, name);
	}
	return 0;
}

static int targets_ask(struct init *init, const char *preset, struct error *error)
{
	for (;;) {
		char *answer = NULL;
		int result = ask("Which of them shall have the certificate (or none)", preset,
				 false, &answer, error);
		if (result < 0)
			return result;
		result = answer[0] ? targets_take(init, answer, error) : -EAGAIN;
		secret_free(answer);
		if (result == 0)
			return 0;
		if (result != -EAGAIN)
			printf("%s; %s\n", error->message, error_advice(error));
		string_list_free(&init->targets);
		error_clear(error);
	}
}

static int targets_choose(struct init *init, const struct string_list *running,
			  const struct string_list *installed, struct error *error)
{
	CLEANUP(freep) char *names = string_list_join(running, ", ");
	CLEANUP(freep) char *stopped = string_list_join(installed, ", ");
	if (init->interactive) {
		printf("Servers that run here: %s.%s%s%s\n", running->count ? names : "none",
		       installed->count ? " Installed, not running: " : "", stopped,
		       installed->count ? "." : "");
		return targets_ask(init, running->count ? running->items[0] : NULL, error);
	}
	if (running->count == 1)
		return targets_take(init, running->items[0], error);
	error_set(error, ERROR_CONFIGURATION, -EINVAL,
		  running->count ? "several servers run here: %s" : "no server runs here%s",
		  running->count ? names : "");
	return error_remedy(error, running->count ? "choose with --target"
						  : "start it, or name it with --target (none: the "
						    "certificate is kept for whoever reads it)");
}

int init_targets(struct init *init, struct error *error)
{
	const struct string_list *given = &init->options->init.targets;
	struct string_list running = {0};
	struct string_list installed = {0};
	int result = 0;
	for (size_t i = 0; i < given->count && result == 0; i++)
		result = targets_take(init, given->items[i], error);
	if (given->count == 0) {
		servers_find(&running, &installed);
		result = targets_choose(init, &running, &installed, error);
	}
	string_list_free(&running);
	string_list_free(&installed);
	return result;
}
