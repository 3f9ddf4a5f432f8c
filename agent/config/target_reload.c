/* target_reload.c - how a target takes up what was written for it. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config/target.h"

static const char manager_url_default[] = "http://127.0.0.1:8080/manager";

static int unit_check(const struct value *value)
{
	size_t length = strlen(value->text);
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789:-_.\\@";
	if (length > 255 || strspn(value->text, allowed) != length)
		return value_refuse(value, "not the name of a systemd unit");
	if (!string_ends(value->text, ".service") || length == strlen(".service")) {
		value_refuse(value, "not a systemd service");
		if (!strchr(value->text, '.'))
			value_remedy(value, "write \"%s.service\"", value->text);
		return -EINVAL;
	}
	if (string_ends(value->text, "@.service")) {
		value_refuse(value, "a template, which cannot be reloaded");
		return value_remedy(value, "name one of its instances");
	}
	return 0;
}

int target_set_unit(const struct value *value, void *object)
{
	struct target_section *section = object;
	int result = unit_check(value);
	if (result < 0)
		return result;
	free(section->target->unit);
	section->target->unit = string_copy(value->text);
	return 0;
}

int target_set_config_test(const struct value *value, void *object)
{
	struct target_section *section = object;
	section->target->untested = strcmp(value->text, "none") == 0;
	if (section->target->untested)
		return 0;
	int result = unit_check(value);
	if (result < 0)
		return result;
	free(section->target->config_test);
	section->target->config_test = string_copy(value->text);
	return 0;
}

int target_set_reload(const struct value *value, void *object)
{
	static const struct value_word methods[] = {
		{"reload", RELOAD_RELOAD},  {"restart", RELOAD_RESTART},
		{"ssl-reload", RELOAD_SSL}, {"command", RELOAD_COMMAND},
		{"none", RELOAD_NONE},
	};
	struct target_section *section = object;
	int method = 0;
	int result = value_choose(value, methods, ARRAY_SIZE(methods), &method);
	if (result == 0)
		section->target->reload = (enum reload_method)method;
	return result;
}

int target_set_reload_command(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_command(value, &section->target->reload_command);
}

int target_set_reload_timeout(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_duration(value, 1, CLOCK_HOUR, &section->target->reload_timeout);
}

int target_set_manager_url(const struct value *value, void *object)
{
	static const struct url_use use = {
		.plain = "would show the manager's password to the network",
		.credentials = "user and password are read from manager_credentials_file",
	};
	struct target_section *section = object;
	char **url = &section->target->manager_url;
	int result = value_url(value, &use, url);
	if (result < 0)
		return result;
	/* The two addresses below it that administrators know. */
	if (string_ends(*url, "/text") || string_ends(*url, "/html")) {
		value_refuse(value, "a part of the manager, not the manager itself");
		return value_remedy(value, "leave out \"%s\"", strrchr(*url, '/'));
	}
	return 0;
}

int target_set_manager_credentials_file(const struct value *value, void *object)
{
	struct target_section *section = object;
	int result = value_path(value, &section->target->manager_credentials_file);
	if (result < 0)
		value_remedy(value, "write the path of a file that holds USER:PASSWORD, never the "
				    "password itself");
	return result;
}

/* Where `key` stands. */
static struct config_place key_place(const struct target_section *reading, const char *key)
{
	return (struct config_place){reading->section->place.file,
				     ini_section_line(reading->section, key)};
}

static bool key_written(const struct target_section *reading, const char *key)
{
	return ini_section_line(reading->section, key) > 0;
}

/* `key` has no effect beside reload_command. */
static int command_refuse(const struct target_section *reading, const char *key)
{
	struct problem_list *problems = &reading->build->problems;
	problem_error(problems, key_place(reading, key),
		      "\"%s\" has no effect beside \"reload_command\" (line %u)", key,
		      ini_section_line(reading->section, "reload_command"));
	return problem_remedy(problems, "remove one of the two lines");
}

/* A command is the whole reload: nothing else may claim to be a part of it. */
static int command_check(const struct target_section *reading)
{
	struct config_target *target = reading->target;
	int result = 0;
	if (!key_written(reading, "reload"))
		target->reload = RELOAD_COMMAND;
	if (target->reload != RELOAD_COMMAND) {
		struct problem_list *problems = &reading->build->problems;
		problem_error(
			problems, key_place(reading, "reload"),
			"\"reload = %s\" beside \"reload_command\" (line %u): only one of them "
			"can be done",
			reload_method_name(target->reload),
			ini_section_line(reading->section, "reload_command"));
		result = problem_remedy(problems, "remove one of the two lines");
	}
	if (target->unit)
		result = command_refuse(reading, "unit");
	if (target->start_stopped)
		result = command_refuse(reading, "start_stopped");
	return result;
}

static int command_missing(const struct target_section *reading)
{
	struct problem_list *problems = &reading->build->problems;
	problem_error(problems, key_place(reading, "reload"),
		      "\"reload = command\" needs \"reload_command\"");
	return problem_remedy(problems,
			      "write the program and its arguments, such as \"reload_command = "
			      "/usr/bin/docker kill --signal=HUP web\"");
}

static int manager_check(const struct target_section *reading)
{
	struct problem_list *problems = &reading->build->problems;
	struct config_target *target = reading->target;
	if (reading->type != TARGET_TOMCAT) {
		problem_error(
			problems, key_place(reading, "reload"),
			"\"reload = ssl-reload\" is for Tomcat alone, and this is a target of "
			"type %s",
			target_type_name(target->type));
		return problem_remedy(problems, "write \"reload = reload\"");
	}
	if (!target->manager_url)
		target->manager_url = string_copy(manager_url_default);
	if (target->manager_credentials_file)
		return 0;
	problem_error(problems, key_place(reading, "reload"),
		      "\"reload = ssl-reload\" needs \"manager_credentials_file\"");
	return problem_remedy(problems, "write the path of a file that holds USER:PASSWORD of a "
					"manager's user with the role manager-script");
}

static int manager_unused(const struct target_section *reading)
{
	static const char *const keys[] = {"manager_url", "manager_credentials_file"};
	struct problem_list *problems = &reading->build->problems;
	int result = 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!key_written(reading, keys[i]))
			continue;
		problem_error(problems, key_place(reading, keys[i]),
			      "\"%s\" has no effect without \"reload = ssl-reload\"", keys[i]);
		result =
			problem_remedy(problems, "%s",
				       reading->type == TARGET_TOMCAT
					       ? "write \"reload = ssl-reload\", or remove the line"
					       : "remove the line");
	}
	return result;
}

/* Nothing is known of a custom server but what is written. */
static int custom_check(const struct target_section *reading)
{
	const struct config_target *target = reading->target;
	if (reading->type != TARGET_CUSTOM || target->unit || target->reload == RELOAD_NONE ||
	    key_written(reading, "reload_command") || target->reload == RELOAD_COMMAND)
		return 0;
	struct problem_list *problems = &reading->build->problems;
	problem_error(problems, reading->section->place,
		      "[target %s]: it is not said how this server is reloaded", target->name);
	return problem_remedy(problems,
			      "write \"unit = NAME.service\", \"reload_command = ...\" or "
			      "\"reload = none\"");
}

int target_reload_check(const struct target_section *reading)
{
	if (!reading->section)
		return 0; /* all defaults */
	int result = 0;
	if (key_written(reading, "reload_command"))
		result = command_check(reading);
	else if (reading->target->reload == RELOAD_COMMAND)
		result = command_missing(reading);
	int manager = reading->target->reload == RELOAD_SSL ? manager_check(reading)
							    : manager_unused(reading);
	int custom = custom_check(reading);
	return result < 0 || manager < 0 || custom < 0 ? -EINVAL : 0;
}
