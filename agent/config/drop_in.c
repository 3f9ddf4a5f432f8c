/* drop_in.c - the files of conf_dir. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "config/build.h"
#include "config/leftover.h"
#include "config/sources.h"

DEFINE_CLEANUP(DIR *, closedir)

void mode_check(struct build *build, const char *path, mode_t mode)
{
	if (!(mode & S_IWOTH))
		return;
	problem_warning(&build->problems, (struct config_place){path, 0},
			"anyone on this host may change it");
	problem_remedy(&build->problems, "chmod o-w %s", path);
}

/* Both a directory and README are nothing to warn of. */
static bool looks_forgotten(const struct dirent *entry)
{
	return entry->d_type != DT_DIR && !leftover_name(entry->d_name) &&
	       !string_starts(entry->d_name, "README");
}

static int directory_list(struct build *build, DIR *stream, const char *directory,
			  struct string_list *names)
{
	int result = 0;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(stream);
		if (!entry) {
			result = -errno;
			break;
		}
		if (string_ends(entry->d_name, ".ini") && !leftover_name(entry->d_name)) {
			string_list_add(names, entry->d_name);
		} else if (looks_forgotten(entry)) {
			problem_warning(&build->problems, (struct config_place){directory, 0},
					"%s is not read, as its name does not end in \".ini\"",
					entry->d_name);
			problem_remedy(&build->problems, "rename it, or move it elsewhere");
		}
	}
	string_list_sort(names);
	return result;
}

static void directory_fail(struct build *build, int result, unsigned conf_dir_line)
{
	struct config *config = build->config;
	struct config_place place = {config->agent.conf_dir, 0};
	if (conf_dir_line > 0)
		place = (struct config_place){config->path, conf_dir_line};
	else if (result == -ENOENT)
		return; /* nobody said that there is one */
	config->incomplete = true;
	build->directory_unread = true;
	problem_error(&build->problems, place, "cannot read the directory %s: %s",
		      config->agent.conf_dir, strerrordesc_np(-result));
	if (result == -ENOENT)
		problem_remedy(&build->problems, "make the directory, or remove the line");
	else if (result == -EACCES)
		problem_remedy(&build->problems,
			       "the user that the agent runs as must be able to read it");
}

static void drop_in_read(struct build *build, int directory, const char *name, const char *path,
			 struct buffer *text)
{
	struct error error = {0};
	mode_t mode = 0;
	if (file_read_linked_at(directory, name, path, text, &mode, &error) < 0) {
		build->config->incomplete = true;
		if (error.code == -EACCES)
			error_remedy(&error,
				     "the user that the agent runs as must be able to read it");
		problem_from_error(&build->problems, (struct config_place){path, 0}, &error);
		source_add(build->config, path, NULL, 0);
		return;
	}
	mode_check(build, path, mode);
	source_add(build->config, path, buffer_text(text), text->length);
}

static void files_read(struct build *build, int directory, const struct string_list *names)
{
	struct config *config = build->config;
	CLEANUP(buffer_free) struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	for (size_t i = 0; i < names->count && i < CONFIG_FILES_LIMIT; i++) {
		char *path = string_format("%s/%s", config->agent.conf_dir, names->items[i]);
		string_list_take(&config->files, path);
		drop_in_read(build, directory, names->items[i], path, &text);
	}
	if (names->count > CONFIG_FILES_LIMIT) {
		config->incomplete = true;
		problem_error(&build->problems, (struct config_place){config->agent.conf_dir, 0},
			      "more than %d files: %s and those after it are not read",
			      CONFIG_FILES_LIMIT, names->items[CONFIG_FILES_LIMIT]);
		problem_remedy(&build->problems, "put several certificates into one file");
	}
}

void drop_ins_read(struct build *build, unsigned conf_dir_line)
{
	const char *directory = build->config->agent.conf_dir;
	CLEANUP(closedirp) DIR *stream = opendir(directory);
	if (!stream) {
		directory_fail(build, -errno, conf_dir_line);
		return;
	}
	struct stat status;
	if (fstat(dirfd(stream), &status) == 0)
		mode_check(build, directory, status.st_mode);

	CLEANUP(string_list_free) struct string_list names = {0};
	int result = directory_list(build, stream, directory, &names);
	if (result < 0)
		directory_fail(build, result, conf_dir_line);
	files_read(build, dirfd(stream), &names);
}
