/* init_files.c - token, drop-in and main file: all or none, and nobody's own is overwritten. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "commands/ask.h"
#include "commands/init.h"

static const char main_text[] = "; Written by origin-ca-agent init; see origin-ca-agent.ini(5).\n"
				"; Certificates are in the drop-ins of conf.d.\n";

/* Text of the drop-in. */
static char *drop_in(const struct init *init, bool with_targets)
{
	const struct init_options *given = &init->options->init;
	struct buffer text = BUFFER(CONFIG_FILE_LIMIT);

	buffer_add_text(&text, "; Written by origin-ca-agent init; see origin-ca-agent.ini(5).\n");
	if (given->endpoint) {
		buffer_add_format(&text, "[api %s]\nendpoint = %s\n", init->name, given->endpoint);
		if (given->ca_file)
			buffer_add_format(&text, "ca_file = %s\n", given->ca_file);
		const struct config_api *usual = config_api_find(init->config, "");
		if (usual && usual->token_file)
			buffer_add_format(&text, "token_file = %s\n", usual->token_file);
		buffer_add_text(&text, "\n");
	}
	CLEANUP(freep) char *names = string_list_join(&init->hostnames, "\n    ");
	buffer_add_format(&text, "[certificate %s]\nhostnames = %s\n", init->name, names);
	if (with_targets && init->targets.count) {
		CLEANUP(freep) char *targets = string_list_join(&init->targets, ", ");
		buffer_add_format(&text, "targets = %s\n", targets);
	}
	if (given->endpoint)
		buffer_add_format(&text, "api = %s\n", init->name);
	return buffer_take(&text);
}

/* The first error, as one of ours. */
static int problem_error_of(const struct config *config, const char *file, struct error *error)
{
	for (size_t i = 0; i < config->problem_count; i++) {
		const struct config_problem *problem = &config->problems[i];
		if (problem->warning || (file && strcmp(problem->place.file, file) != 0))
			continue;
		error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s", problem->message);
		return problem->remedy ? error_remedy(error, "%s", problem->remedy) : error->code;
	}
	return 0;
}

int init_preview(struct init *init, struct error *error)
{
	CLEANUP(freep) char *text = drop_in(init, false);
	init->drop_in_file.path =
		string_format("%s/%s.ini", init->config->agent.conf_dir, init->name);
	int result = config_load_text(init->drop_in_file.path, text, strlen(text), &init->preview,
				      error);
	if (result == 0)
		result = problem_error_of(init->preview, NULL, error);
	if (result < 0)
		return result;
	const struct config_certificate *certificate =
		config_certificate_find(init->preview, init->name);
	if (!certificate)
		return error_set(error, ERROR_BUG, -EINVAL, "[certificate %s] cannot be used",
				 init->name);
	init->api =
		init->options->init.endpoint ? certificate->api : config_api_find(init->config, "");
	if (!init->api)
		return problem_error_of(init->config, init->config->path, error);
	return 0;
}

/* Reads what is in the file's place. */
static int file_look(struct init_file *file, mode_t mode, struct error *error)
{
	struct stat status;
	file->before = BUFFER(CONFIG_FILE_LIMIT);
	file->access = (struct file_access){0, 0, mode};
	if (lstat(file->path, &status) < 0 && errno == ENOENT)
		return 0;
	int result = file_read(file->path, &file->before, error);
	if (result < 0)
		return result;
	file->existed = true;
	if (stat(file->path, &status) == 0)
		file->access =
			(struct file_access){status.st_uid, status.st_gid, status.st_mode & 07777};
	return 0;
}

static int elsewhere(const struct init *init, struct error *error)
{
	const struct config_certificate *there = config_certificate_find(init->config, init->name);
	if (!there || strcmp(there->place.file, init->drop_in_file.path) == 0)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EEXIST,
		  "there is a [certificate %s] already, at %s:%u", init->name, there->place.file,
		  there->place.line);
	return error_remedy(error, "change it there, or choose another name with --name");
}

int init_files(struct init *init, struct error *error)
{
	int result = elsewhere(init, error);
	if (result == 0)
		result = file_look(&init->drop_in_file, 0644, error);
	if (result == 0)
		result = file_look(&init->token_file, 0600, error);
	if (result == 0)
		result = file_look(&init->main_file, 0644, error);
	if (result < 0)
		return result;
	const struct group *group = getgrnam("origin-ca-agent");
	if (group && !init->token_file.existed)
		init->token_file.access = (struct file_access){0, group->gr_gid, 0640};

	struct init_file *file = &init->drop_in_file;
	CLEANUP(freep) char *text = drop_in(init, true);
	bool yes = init->options->force || !file->existed ||
		   strcmp(buffer_text(&file->before), text) == 0;
	if (!yes && init->interactive) {
		CLEANUP(freep)
		char *question = string_format("%s is there and says something else. Replace it",
					       file->path);
		result = ask_yes(question, false, &yes, error);
	}
	if (result < 0 || yes)
		return result;
	error_set(error, ERROR_CONFIGURATION, -EEXIST, "%s is there and says something else",
		  file->path);
	return error_remedy(error, "change it by hand, or replace it with --force");
}

/* Directory and name of a path that has both. */
static int file_put(struct init_file *file, const char *text, struct error *error)
{
	CLEANUP(freep) char *directory = string_copy(file->path);
	char *slash = strrchr(directory, '/');
	*slash = '\0';
	CLEANUP(closep) int fd = -1;
	struct stat status;
	struct file_access access = FILE_ACCESS(0755);
	if (stat(directory, &status) == 0)
		access.mode = status.st_mode & 07777;
	int result = directory_make_path(directory, &access, &fd, error);
	if (result == 0)
		result = file_write_at(fd, directory, slash + 1, text, strlen(text), &file->access,
				       FILE_SYNC, error);
	file->written = file->written || result == 0;
	return result;
}

static void file_take_back(struct init_file *file)
{
	struct error error = {0};
	if (!file->written)
		return;
	if (file->existed) {
		if (file_put(file, buffer_text(&file->before), &error) < 0)
			log_failure(LOG_LEVEL_ERROR, &error);
	} else if (unlink(file->path) < 0) {
		log_error("cannot remove %s: %s", file->path, strerror(errno));
	}
	file->written = false;
}

/* Is the certificate what it should be, in the whole configuration? */
static int certificate_holds(const struct init *init, struct error *error)
{
	struct config *loaded = NULL;
	int result = config_load(init->options->config_path, &loaded, error);
	CLEANUP(config_freep) struct config *config = loaded;
	if (result < 0)
		return result;
	const struct config_certificate *certificate = config_certificate_find(config, init->name);
	result = problem_error_of(config, init->drop_in_file.path, error);
	if (result < 0)
		return result;
	if (certificate && strcmp(certificate->place.file, init->drop_in_file.path) == 0)
		return 0;
	return error_set(error, ERROR_BUG, -EINVAL, "%s does not take effect",
			 init->drop_in_file.path);
}

int init_write(struct init *init, struct error *error)
{
	CLEANUP(freep) char *text = drop_in(init, true);
	int result = init->main_file.existed ? 0 : file_put(&init->main_file, main_text, error);
	if (result == 0 && init->token) {
		char *line = string_format("%s\n", init->token);
		result = file_put(&init->token_file, line, error);
		secret_free(line);
	}
	if (result == 0 && strcmp(buffer_text(&init->drop_in_file.before), text) != 0)
		result = file_put(&init->drop_in_file, text, error);
	if (result == 0)
		result = certificate_holds(init, error);
	if (result == 0)
		return 0;
	file_take_back(&init->drop_in_file);
	file_take_back(&init->token_file);
	file_take_back(&init->main_file);
	return result;
}
