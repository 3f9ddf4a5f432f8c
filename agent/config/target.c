/* target.c - [target NAME], and the targets that need no section. */
#include <errno.h>
#include <string.h>

#include "config/nearest.h"
#include "config/target.h"

enum {
	HINT_LIMIT = 200 /* names that a hint looks at */
};

static int type_of_name(const char *name)
{
	for (int type = 0; type < TARGET_TYPE_COUNT; type++)
		if (strcmp(name, target_type_name((enum target_type)type)) == 0)
			return type;
	return TARGET_TYPE_MISSING;
}

/* What `type` says, or else the name; a word that is none is refused by its setter. */
static int type_of_section(const struct ini_section *section)
{
	const struct ini_entry *entry = ini_section_entry(section, "type");
	if (!entry)
		return type_of_name(section->name);
	CLEANUP(freep) char *word = ini_entry_text(entry);
	return type_of_name(word);
}

/* Was taken before all other keys; here it is only refused. */
static int set_type(const struct value *value, void *object)
{
	(void)object;
	struct value_word words[TARGET_TYPE_COUNT];
	for (int type = 0; type < TARGET_TYPE_COUNT; type++)
		words[type] = (struct value_word){target_type_name((enum target_type)type), type};
	int type = 0;
	return value_choose(value, words, ARRAY_SIZE(words), &type);
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

/* Tomcat's snippet holds the password of its keystore. */
static int set_mode(const struct value *value, void *object)
{
	struct target_section *section = object;
	mode_t *mode = &section->target->access.mode;
	if (section->type != TARGET_TOMCAT)
		return value_mode(value, 0002, "anyone could change the server's configuration",
				  mode);
	int result = value_mode(value, 0007,
				"anyone on this host could read the password of the "
				"keystore in it",
				mode);
	if (result < 0)
		value_remedy(value, "write 0640 and the group that Tomcat runs as");
	return result;
}

static const struct section_key keys[] = {
	{"type", set_type, TEXT_PLAIN},
	{"unit", target_set_unit, TEXT_PLAIN},
	{"reload", target_set_reload, TEXT_PLAIN},
	/* Commands have passwords in them, though they should not. */
	{"reload_command", target_set_reload_command, TEXT_WORDS},
	{"reload_timeout", target_set_reload_timeout, TEXT_PLAIN},
	{"template", set_template, TEXT_PLAIN},
	{"snippet_dir", set_snippet_dir, TEXT_PLAIN},
	{"probe", target_set_probe, TEXT_PLAIN},
	{"probe_timeout", target_set_probe_timeout, TEXT_PLAIN},
	{"start_stopped", set_start_stopped, TEXT_PLAIN},
	{"owner", set_owner, TEXT_PLAIN},
	{"group", set_group, TEXT_PLAIN},
	{"mode", set_mode, TEXT_PLAIN},
	{"config_test", target_set_config_test, TEXT_PLAIN},
	{"manager_url", target_set_manager_url, TEXT_PLAIN},
	/* Secret because people write the password itself. */
	{"manager_credentials_file", target_set_manager_credentials_file, TEXT_SECRET},
	{"url", target_set_url, TEXT_PLAIN},
	{"user", target_set_user, TEXT_PLAIN},
	{"token_file", target_set_token_file, TEXT_SECRET},
	{"ca_file", target_set_ca_file, TEXT_PLAIN},
	{"domains", target_set_domains, TEXT_PLAIN},
	{"allow_ecdsa", target_set_allow_ecdsa, TEXT_PLAIN},
	{"region", target_set_region, TEXT_PLAIN},
	{"certificate_arn", target_set_certificate_arn, TEXT_PLAIN},
	{"credentials_file", target_set_credentials_file, TEXT_PLAIN},
	{"profile", target_set_profile, TEXT_PLAIN},
	{"endpoint", target_set_endpoint, TEXT_PLAIN},
	{"directory", target_set_directory, TEXT_PLAIN},
	{"password_file", target_set_password_file, TEXT_SECRET},
	{"delivery", target_set_delivery, TEXT_PLAIN},
	{"keystore_encryption", target_set_keystore_encryption, TEXT_PLAIN},
};

static struct config_target *target_new(const char *name, struct config_place place, int type)
{
	bool tomcat = type == TARGET_TOMCAT;
	struct config_target *target = memory_alloc(1, sizeof(*target));
	target->name = string_copy(name);
	target->place = place;
	target->type = type < 0 ? TARGET_NGINX : (enum target_type)type;
	/* Debian's tomcat10.service cannot be reloaded; it starts in seconds, not at once. */
	target->reload = tomcat ? RELOAD_RESTART : RELOAD_RELOAD;
	target->probe_host = string_copy("127.0.0.1");
	target->probe_port = tomcat ? 8443 : 443;
	target->probe_timeout = tomcat ? 60 : 15;
	target->reload_timeout = 90; /* systemd's own default for a start or a reload */
	target->access = FILE_ACCESS(tomcat ? 0640 : 0644);
	if (target_type_is_remote(type))
		target_remote_defaults(target);
	return target;
}

/* Tomcat reads its snippet as its own user, and nobody else may. */
static int tomcat_group(struct build *build, struct config_target *target)
{
	if (target->type != TARGET_TOMCAT || target->access.group != (gid_t)-1)
		return 0;
	int result = group_look_up("tomcat", &build->accounts, &target->access.group);
	if (result == 0 || (result == -ENOENT && target->access.owner != (uid_t)-1))
		return 0;
	/* To go on without would take the snippet away from a Tomcat that can read it now. */
	if (result != -ENOENT)
		problem_error(&build->problems, target->place,
			      "cannot look up the group \"tomcat\" for target \"%s\": %s",
			      target->name, strerrordesc_np(-result));
	else
		problem_warning(
			&build->problems, target->place,
			"there is no group \"tomcat\" on this host: Tomcat may not be able to "
			"read the snippets of target \"%s\"",
			target->name);
	problem_remedy(&build->problems,
		       "write \"group = ...\" in [target %s], with the group that Tomcat runs as",
		       target->name);
	return result == -ENOENT ? 0 : result;
}

/* Of a remote target the snippet only says what it is to have, unless it is a script. */
static const char *template_default(const struct config_target *target)
{
	bool script = target->type == TARGET_IIS && target->remote.delivery == IIS_SCRIPT;
	return target_type_is_remote(target->type) && !script ? "remote"
							      : target_type_name(target->type);
}

/* What is not written follows from what is. */
static int target_complete(const struct target_section *reading)
{
	struct config_target *target = reading->target;
	struct build *build = reading->build;
	int result = target_remote_check(reading);
	if (!target_type_is_remote(target->type) && target_reload_check(reading) < 0)
		result = -EINVAL;
	if (!target->template_name && target->type == TARGET_CUSTOM) {
		problem_error(&build->problems, target->place,
			      "[target %s]: a target of type custom needs a template",
			      target->name);
		result = problem_remedy(&build->problems,
					"write \"template = NAME\" for %s/NAME.mustache",
					build->config->template_dir);
	} else if (!target->template_name)
		target->template_name = string_copy(template_default(target));
	if (!target->snippet_dir)
		target->snippet_dir = string_format("%s/snippets/%s",
						    build->config->agent.state_dir, target->name);
	return tomcat_group(build, target) < 0 ? -EINVAL : result;
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
	free(target->config_test);
	free(target->manager_url);
	free(target->manager_credentials_file);
	string_list_free(&target->reload_command);
	free(target->template_name);
	free(target->snippet_dir);
	free(target->probe_host);
	config_remote_free(&target->remote);
	free(target);
}

static int type_missing(struct build *build, const struct ini_section *section)
{
	problem_error(&build->problems, section->place, "[target %s] has no type", section->name);
	return problem_remedy(&build->problems, "write \"type = ...\", one of nginx, apache, "
						"tomcat, haproxy, cpanel, aws-acm, iis and "
						"custom");
}

int target_read(struct build *build, struct ini_section *section)
{
	int type = type_of_section(section);
	CLEANUP(config_target_freep)
	struct config_target *target = target_new(section->name, section->place, type);
	struct target_section reading = {target, build, section, type};
	int result = section_apply(section, keys, ARRAY_SIZE(keys), &reading, &build->problems);
	if (result == 0)
		result = type < 0 ? type_missing(build, section) : target_complete(&reading);
	if (result < 0) {
		section->refused = true;
		return result;
	}
	target_insert(build->config, TAKE_PTR(target));
	return 0;
}

static void target_unknown(struct build *build, const char *name, struct config_place place)
{
	struct nearest nearest = {.text = name};
	for (int type = 0; type < TARGET_TYPE_COUNT; type++)
		nearest_consider(&nearest, target_type_name((enum target_type)type));
	for (size_t i = 0; i < build->config->target_count && i < HINT_LIMIT; i++)
		nearest_consider(&nearest, build->config->targets[i]->name);

	problem_error(&build->problems, place, "there is no target \"%s\"", name);
	if (nearest.name)
		problem_remedy(&build->problems, "did you mean \"%s\"?", nearest.name);
	else
		problem_remedy(&build->problems, "write a section [target NAME] for it");
}

/* Of these nothing is known that is not written. */
static void section_missing(struct build *build, const char *name, struct config_place place)
{
	if (target_type_is_remote(type_of_name(name))) {
		problem_error(&build->problems, place, "target \"%s\" needs a section of its own",
			      name);
		problem_remedy(&build->problems, "write [target %s]; docs/remote.md has an example",
			       name);
		return;
	}
	problem_error(&build->problems, place, "target \"custom\" needs a section of its own");
	problem_remedy(&build->problems, "write [target custom] with \"template\" and one of "
					 "\"unit\", \"reload_command\" and \"reload = none\"");
}

/* The target of a certificate that names a type; NULL when that is no whole target. */
static const struct config_target *target_of_type(struct build *build, const char *name, int type,
						  struct config_place place)
{
	CLEANUP(config_target_freep)
	struct config_target *target = target_new(name, place, type);
	struct target_section reading = {target, build, NULL, type};
	if (target_complete(&reading) < 0)
		return NULL;
	const struct config_target *made = target;
	target_insert(build->config, TAKE_PTR(target));
	return made;
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
	else if (type < 0)
		target_unknown(build, name, place);
	else if (type == TARGET_CUSTOM || target_type_is_remote(type))
		section_missing(build, name, place);
	else
		return target_of_type(build, name, type, place);
	return NULL;
}
