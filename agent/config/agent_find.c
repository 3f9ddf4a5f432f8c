/* agent_find.c - [agent] of a main file as it stands, or as it last was right. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/paths.h"
#include "config/agent.h"

/* [agent] of a good definition of the main file, when it names the directory that it lies in. */
static bool recall_from(const char *path, const char *state_dir, struct agent_found *found)
{
	CLEANUP(closep) int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(definitions_free) struct definitions definitions = {0};
	if (fd < 0 || definitions_load(fd, state_dir, &definitions, NULL) < 0)
		return false;
	const struct definition *known = definitions_find(&definitions, path);
	if (!known)
		return false;

	CLEANUP(ini_sections_free) struct ini_sections sections = {0};
	CLEANUP(problem_list_free) struct problem_list problems = {0};
	struct config_place ignored;
	ini_sections_read(&sections, path, known->text, strlen(known->text), &problems);
	if (agent_read(path, &sections, &problems, &found->agent, &found->conf_dir_line, &ignored,
		       NULL) < 0)
		return false;
	if (strcmp(found->agent.state_dir, state_dir) != 0) {
		config_agent_free(&found->agent);
		return false;
	}
	found->kept_from = known->at > 0 ? known->at : 1;
	found->definitions = definitions;
	definitions = (struct definitions){0};
	return true;
}

/* Wherever a state_dir is written, rightly or not, that may be where it is. */
static bool recall(const char *path, const struct ini_sections *sections, struct agent_found *found)
{
	for (size_t i = 0; i < sections->count; i++) {
		const struct ini_entry *entry = ini_section_entry(&sections->items[i], "state_dir");
		CLEANUP(freep) char *written = entry ? ini_entry_text(entry) : NULL;
		if (written && written[0] == '/' && recall_from(path, written, found))
			return true;
	}
	return recall_from(path, path_state_dir, found);
}

int agent_find(const char *path, const char *text, size_t length, const struct error *unread,
	       struct agent_found *ret_found, struct error *error)
{
	CLEANUP(ini_sections_free) struct ini_sections sections = {0};
	CLEANUP(problem_list_free) struct problem_list problems = {0};
	struct agent_found found = {.wrong = {path, 0}};
	int result = 0;
	if (text) {
		ini_sections_read(&sections, path, text, length, &problems);
		result = agent_read(path, &sections, &problems, &found.agent, &found.conf_dir_line,
				    &found.wrong, &found.error);
		/* The places are of problems that do not stay. */
		found.wrong.file = path;
	} else {
		found.error = *unread;
		result = unread->code;
	}
	/* What was removed is meant to be gone. */
	bool is_gone = result == -ENOENT || result == -ENOTDIR;
	if (result < 0 && !is_gone && recall(path, &sections, &found))
		result = 0;
	*ret_found = found;
	if (result < 0 && error) {
		*error = found.error;
		if (found.wrong.line)
			error_prefix(error, "%s:%u", path, found.wrong.line);
	}
	return result;
}

void agent_found_free(struct agent_found *found)
{
	config_agent_free(&found->agent);
	definitions_free(&found->definitions);
}

int config_agent_load(const char *path, struct config_agent *ret_agent, struct error *error)
{
	CLEANUP(freep) char *absolute = NULL;
	int result = agent_path(path, &absolute, error);
	if (result < 0)
		return result;
	CLEANUP(buffer_free) struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	mode_t mode;
	struct error unread = {0};
	int read = agent_file_read(absolute, &text, &mode, &unread);

	CLEANUP(agent_found_free) struct agent_found found = {0};
	result = agent_find(absolute, read < 0 ? NULL : buffer_text(&text), text.length, &unread,
			    &found, error);
	if (result < 0)
		return result;
	*ret_agent = found.agent;
	found.agent = (struct config_agent){0};
	return 0;
}
