#include "config/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/paths.h"
#include "config/nearest.h"
#include "config/value.h"

struct agent_section {
	struct config_agent agent;
	char *directory; /* of the main file */
	unsigned conf_dir_line;
};

static int set_state_dir(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_path(value, &section->agent.state_dir);
}

static int set_conf_dir(const struct value *value, void *object)
{
	struct agent_section *section = object;
	section->conf_dir_line = value->entry->line;
	return value_path_below(value, section->directory, &section->agent.conf_dir);
}

static int set_renew_before(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_renew_before(value, &section->agent.renew_before);
}

static int set_splay(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_duration(value, 0, 365 * CLOCK_DAY, &section->agent.splay);
}

static int set_concurrency(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_number(value, 1, 64, &section->agent.concurrency);
}

static int set_keep_generations(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_number(value, 1, 100, &section->agent.keep_generations);
}

static int set_pass_timeout(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_duration(value, 1, CLOCK_DAY, &section->agent.pass_timeout);
}

static int set_event_hook(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_command(value, &section->agent.event_hook);
}

static int set_metrics_file(const struct value *value, void *object)
{
	struct agent_section *section = object;
	return value_path(value, &section->agent.metrics_file);
}

static const struct section_key keys[] = {
	{"state_dir", set_state_dir, TEXT_PLAIN},
	{"conf_dir", set_conf_dir, TEXT_PLAIN},
	{"renew_before", set_renew_before, TEXT_PLAIN},
	{"splay", set_splay, TEXT_PLAIN},
	{"concurrency", set_concurrency, TEXT_PLAIN},
	{"keep_generations", set_keep_generations, TEXT_PLAIN},
	{"pass_timeout", set_pass_timeout, TEXT_PLAIN},
	{"event_hook", set_event_hook, TEXT_WORDS},
	{"metrics_file", set_metrics_file, TEXT_PLAIN},
};

int agent_path(const char *path, char **ret_path, struct error *error)
{
	if (path[0] == '/') {
		*ret_path = string_copy_n(path, strlen(path));
		return 0;
	}
	char directory[PATH_MAX];
	if (!getcwd(directory, sizeof(directory))) {
		error_errno(error, -errno, "cannot tell the working directory");
		return -ENOENT; /* mostly: it was removed */
	}
	*ret_path = string_format("%s/%s", strcmp(directory, "/") == 0 ? "" : directory, path);
	return 0;
}

int agent_file_read(const char *path, struct buffer *text, mode_t *ret_mode, struct error *error)
{
	int result = file_read_linked_at(AT_FDCWD, path, path, text, ret_mode, error);
	if (result == -ENOENT || result == -ENOTDIR || result == -EISDIR || result == -EFBIG) {
		if (error)
			error->class = ERROR_CONFIGURATION;
		if (result == -ENOENT)
			error_remedy(error, "write it, or name another file by --config");
	} else if (result == -EACCES) {
		error_remedy(error, "the user that the agent runs as must be able to read it");
	}
	return result;
}

char *agent_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash > path ? string_copy_n(path, (size_t)(slash - path)) : string_copy("");
}

/* A section of another kind, or of none, that may well be meant as [agent]. */
static bool meant_as_agent(const struct ini_section *section)
{
	static const char *const others[] = {"api", "target", "certificate"};
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(section->kind, others[i]) == 0)
			return false;
	struct nearest nearest = {.text = section->kind};
	nearest_consider(&nearest, "agent");
	if (nearest.name)
		return true;
	return ini_section_entry(section, "state_dir") || ini_section_entry(section, "conf_dir");
}

/* The error of a whole section: what is in its lines, else what it is itself. */
static int section_error(const struct ini_sections *sections, size_t index, const char *what,
			 const struct problem_list *problems, struct config_place *ret_place,
			 struct error *error)
{
	const struct ini_section *section = &sections->items[index];
	unsigned last =
		index + 1 < sections->count ? sections->items[index + 1].place.line - 1 : UINT_MAX;
	const struct config_problem *problem =
		problem_find(problems, section->place.file, section->place.line, last);
	*ret_place = problem ? problem->place : section->place;
	error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s", problem ? problem->message : what);
	if (!problem)
		return error_remedy(error, "[agent] must stand in the file once, and right");
	if (problem->remedy)
		error_remedy(error, "%s", problem->remedy);
	return -EINVAL;
}

static int sections_take(struct agent_section *agent, const struct ini_sections *sections,
			 struct problem_list *problems, struct config_place *ret_place,
			 struct error *error)
{
	const struct ini_section *first = NULL;
	for (size_t i = 0; i < sections->count; i++) {
		const struct ini_section *section = &sections->items[i];
		if (strcmp(section->kind, "agent") != 0) {
			if (meant_as_agent(section))
				return section_error(sections, i,
						     "this section may be meant as [agent]",
						     problems, ret_place, error);
			continue;
		}
		if (first) {
			*ret_place = section->place;
			error_set(error, ERROR_CONFIGURATION, -EINVAL,
				  "a second [agent] (the first: line %u)", first->place.line);
			return error_remedy(error, "make them one");
		}
		first = section;
		if (section->name[0] != '\0')
			return section_error(sections, i, "[agent] takes no name", problems,
					     ret_place, error);
		if (section_apply(section, keys, ARRAY_SIZE(keys), agent, problems) < 0)
			return section_error(sections, i, "[agent] is wrong", problems, ret_place,
					     error);
	}
	return 0;
}

int agent_read(const char *path, const struct ini_sections *sections, struct problem_list *problems,
	       struct config_agent *ret_agent, unsigned *ret_conf_dir_line,
	       struct config_place *ret_place, struct error *error)
{
	CLEANUP(freep) char *directory = agent_directory(path);
	struct agent_section section = {
		.agent =
			{
				.state_dir = string_copy(path_state_dir),
				.conf_dir = string_format("%s/conf.d", directory),
				.renew_before = {.percent = 33},
				.splay = -1,
				.concurrency = 8,
				.keep_generations = 3,
				.pass_timeout = 30 * CLOCK_MINUTE,
			},
		.directory = directory,
	};
	int result = sections_take(&section, sections, problems, ret_place, error);
	if (result < 0) {
		config_agent_free(&section.agent);
		return result;
	}
	*ret_agent = section.agent;
	*ret_conf_dir_line = section.conf_dir_line;
	return 0;
}

void config_agent_free(struct config_agent *agent)
{
	free(agent->state_dir);
	free(agent->conf_dir);
	string_list_free(&agent->event_hook);
	free(agent->metrics_file);
	*agent = (struct config_agent){0};
}
