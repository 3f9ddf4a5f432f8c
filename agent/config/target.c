/* target.c - [target NAME], and the targets that need no section. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config/build.h"
#include "config/nearest.h"

static const struct value_word types[] = {
	{"nginx", TARGET_NGINX}, {"apache", -1}, {"tomcat", -1}, {"haproxy", -1}, {"custom", -1},
};

enum {
	TYPE_MISSING = -2,
	HINT_LIMIT = 200, /* names that a hint looks at */
};

/* A section while it is read. */
struct target_section {
	struct config_target *target;
	struct build *build;
	int type; /* enum target_type, -1: not built, TYPE_MISSING */
};

static int set_type(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_choose(value, types, ARRAY_SIZE(types), &section->type);
}

static int set_unit(const struct value *value, void *object)
{
	struct target_section *section = object;
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
	free(section->target->unit);
	section->target->unit = string_copy(value->text);
	return 0;
}

static int set_reload(const struct value *value, void *object)
{
	static const struct value_word methods[] = {
		{"reload", RELOAD_RELOAD},
		{"restart", RELOAD_RESTART},
		{"none", RELOAD_NONE},
		{"ssl-reload", -1},
	};
	struct target_section *section = object;
	int method = 0;
	int result = value_choose(value, methods, ARRAY_SIZE(methods), &method);
	if (result == 0)
		section->target->reload = (enum reload_method)method;
	return result;
}

static int set_template(const struct value *value, void *object)
{
	struct target_section *section = object;
	if (value->text[0] == '/')
		return value_path(value, &section->target->template_name);
	if (!section_name_valid(value->text)) {
		value_refuse(value, "neither the name of a template nor an absolute path");
		return value_remedy(value, "write the file's name without \".mustache\"");
	}
	free(section->target->template_name);
	section->target->template_name =
		string_ends(value->text, ".mustache")
			? string_copy_n(value->text, strlen(value->text) - 9)
			: string_copy(value->text);
	return 0;
}

/* True when `path` is `directory` or below it. */
static bool path_is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	if (strcmp(directory, "/") == 0)
		return true;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '/' || path[length] == '\0');
}

static int set_snippet_dir(const struct value *value, void *object)
{
	struct target_section *section = object;
	char **directory = &section->target->snippet_dir;
	int result = value_path(value, directory);
	if (result < 0)
		return result;

	const char *state_dir = section->build->config->agent.state_dir;
	CLEANUP(freep) char *snippets = string_format("%s/snippets", state_dir);
	if (path_is_below(*directory, state_dir) &&
	    (!path_is_below(*directory, snippets) || strcmp(*directory, snippets) == 0)) {
		value_refuse(value, "the agent keeps its own files there");
		return value_remedy(value, "choose a directory below %s, or outside of %s",
				    snippets, state_dir);
	}
	return 0;
}

static bool port_parse(const char *text, uint16_t *ret_port)
{
	size_t length = strspn(text, "0123456789");
	if (length == 0 || length > 5 || text[length] != '\0')
		return false;
	unsigned long port = strtoul(text, NULL, 10);
	if (port < 1 || port > 65535)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* The address of "ADDRESS:PORT" or "[v6]:PORT"; NULL when it is neither. */
static char *probe_parse(const char *text, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	if (!colon || !port_parse(colon + 1, ret_port))
		return NULL;
	size_t length = (size_t)(colon - text);
	if (text[0] == '[') {
		if (length < 3 || text[length - 1] != ']')
			return NULL;
		char *address = string_copy_n(text + 1, length - 2);
		struct in6_addr parsed;
		if (inet_pton(AF_INET6, address, &parsed) == 1)
			return address;
		free(address);
		return NULL;
	}
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789.-";
	if (length == 0 || length > 253 || strspn(text, allowed) != length)
		return NULL;
	return string_copy_n(text, length);
}

static int set_probe(const struct value *value, void *object)
{
	struct config_target *target = ((struct target_section *)object)->target;
	char *host = NULL;
	if (strcmp(value->text, "none") != 0) {
		host = probe_parse(value->text, &target->probe_port);
		if (!host) {
			value_refuse(value, "not an address and a port");
			return value_remedy(value,
					    "write 127.0.0.1:443, [::1]:443, or none for no probe");
		}
	}
	free(target->probe_host);
	target->probe_host = host;
	return 0;
}

static int set_probe_timeout(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_duration(value, 1, CLOCK_HOUR, &section->target->probe_timeout);
}

static int set_start_stopped(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_yes(value, &section->target->start_stopped);
}

static int set_owner(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_owner(value, &section->build->accounts, &section->target->access.owner);
}

static int set_group(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_group(value, &section->build->accounts, &section->target->access.group);
}

static int set_mode(const struct value *value, void *object)
{
	struct target_section *section = object;
	return value_mode(value, 0002, "anyone could change the server's configuration",
			  &section->target->access.mode);
}

static const struct section_key keys[] = {
	{"type", set_type, false},
	{"unit", set_unit, false},
	{"reload", set_reload, false},
	{"template", set_template, false},
	{"snippet_dir", set_snippet_dir, false},
	{"probe", set_probe, false},
	{"probe_timeout", set_probe_timeout, false},
	{"start_stopped", set_start_stopped, false},
	{"owner", set_owner, false},
	{"group", set_group, false},
	{"mode", set_mode, false},
	{"config_test", NULL, false},
	{"manager_url", NULL, false},
	{"manager_credentials_file", NULL, false},
};

static int type_of_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(name, types[i].word) == 0)
			return types[i].number;
	return TYPE_MISSING;
}

static struct config_target *target_new(const char *name, struct config_place place)
{
	struct config_target *target = memory_alloc(1, sizeof(*target));
	target->name = string_copy(name);
	target->place = place;
	target->probe_host = string_copy("127.0.0.1");
	target->probe_port = 443;
	target->probe_timeout = 15;
	target->reload_timeout = 90; /* systemd's own default for a start or a reload */
	target->access = FILE_ACCESS(0644);
	return target;
}

/* What is not written follows from what is. */
static void target_complete(const struct build *build, struct config_target *target, int type)
{
	target->type = (enum target_type)type;
	if (!target->template_name)
		target->template_name = string_copy(target_type_name(target->type));
	if (!target->snippet_dir)
		target->snippet_dir = string_format("%s/snippets/%s",
						    build->config->agent.state_dir, target->name);
}

/* Keeps them sorted; only as many as there are types are added out of order. */
static void target_insert(struct config *config, struct config_target *target)
{
	config->targets =
		memory_grow(config->targets, config->target_count, sizeof(struct config_target *));
	size_t at = config->target_count++;
	for (; at > 0 && strcmp(config->targets[at - 1]->name, target->name) > 0; at--)
		config->targets[at] = config->targets[at - 1];
	config->targets[at] = target;
}

void config_target_free(struct config_target *target)
{
	if (!target)
		return;
	free(target->name);
	free(target->unit);
	free(target->manager_url);
	free(target->manager_credentials_file);
	string_list_free(&target->reload_command);
	free(target->template_name);
	free(target->snippet_dir);
	free(target->probe_host);
	free(target);
}

static int type_missing(struct build *build, const struct ini_section *section, int type)
{
	if (type == -1)
		problem_error(&build->problems, section->place,
			      "[target %s]: type \"%s\" is not built yet in this version",
			      section->name, section->name);
	else
		problem_error(&build->problems, section->place, "[target %s] has no type",
			      section->name);
	return problem_remedy(&build->problems, "write \"type = nginx\"");
}

int target_read(struct build *build, struct ini_section *section)
{
	CLEANUP(config_target_freep)
	struct config_target *target = target_new(section->name, section->place);
	struct target_section reading = {target, build, type_of_name(section->name)};
	int result = section_apply(section, keys, ARRAY_SIZE(keys), &reading, &build->problems);
	if (result == 0 && reading.type < 0)
		result = type_missing(build, section, reading.type);
	if (result < 0) {
		section->refused = true;
		return result;
	}
	target_complete(build, target, reading.type);
	target_insert(build->config, TAKE_PTR(target));
	return 0;
}

static void target_unknown(struct build *build, const char *name, struct config_place place)
{
	struct nearest nearest = {.text = name};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].number >= 0)
			nearest_consider(&nearest, types[i].word);
	for (size_t i = 0; i < build->config->target_count && i < HINT_LIMIT; i++)
		nearest_consider(&nearest, build->config->targets[i]->name);

	problem_error(&build->problems, place, "there is no target \"%s\"", name);
	if (nearest.name)
		problem_remedy(&build->problems, "did you mean \"%s\"?", nearest.name);
	else
		problem_remedy(&build->problems, "write a section [target NAME] for it");
}

const struct config_target *target_choose(struct build *build, const char *name,
					  struct config_place place)
{
	const struct config_target *found = config_target_find(build->config, name);
	if (found)
		return found;

	const struct ini_section *section = sections_find(build, "target", name);
	int type = type_of_name(name);
	if (section)
		problem_error(&build->problems, place, "target \"%s\" is wrong itself, at %s:%u",
			      name, section->place.file, section->place.line);
	else if (type == -1) {
		problem_error(&build->problems, place,
			      "target \"%s\": this type is not built yet in this version", name);
		problem_remedy(&build->problems, "remove the target from the certificate");
	} else if (type < 0)
		target_unknown(build, name, place);
	else {
		struct config_target *target = target_new(name, place);
		target_complete(build, target, type);
		target_insert(build->config, target);
		return target;
	}
	return NULL;
}
