#include "config/model.h"

#include <errno.h>
#include <string.h>

#include "config/agent.h"
#include "config/build.h"
#include "config/sources.h"

/*
 * A section that was written, so what it left on disk is not "no longer configured": a
 * certificate, or what may have been meant as one ("[certifcate shop]", a header without end).
 */
static void note_broken(struct config *config, const struct ini_section *section)
{
	static const char *const others[] = {"agent", "api", "target"};
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(section->kind, others[i]) == 0)
			return;
	if (!section_name_valid(section->name))
		config->incomplete = true;
	/* The second of two that are alike may be the one that is wrong. */
	else if (!config_certificate_find(config, section->name))
		string_list_add(&config->broken_certificates, section->name);
}

/* In the order of the index: so the configuration's arrays come out sorted. */
static void sections_read(struct build *build, const char *kind,
			  int (*read)(struct build *, struct ini_section *))
{
	for (size_t i = 0; i < build->sections.count; i++) {
		struct ini_section *section = build->index[i];
		if (!section->refused && strcmp(section->kind, kind) == 0)
			read(build, section);
	}
}

static void list_sort_unique(struct string_list *list)
{
	string_list_sort(list);
	size_t kept = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (kept > 0 && strcmp(list->items[kept - 1], list->items[i]) == 0)
			free(list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	/* Its items now have more room than `count` says; nothing is appended any more. */
	list->count = kept;
}

static void broken_collect(struct build *build)
{
	for (size_t i = 0; i < build->sections.count; i++)
		if (build->index[i]->refused)
			note_broken(build->config, build->index[i]);
	list_sort_unique(&build->config->broken_certificates);
}

static void model_build(struct build *build)
{
	sources_read(build);
	sections_index(build);
	if (!sections_find(build, "api", ""))
		api_add_default(build);
	sections_read(build, "api", api_read);
	sections_read(build, "target", target_read);
	sections_read(build, "certificate", certificate_read);
	targets_compare(build);
	broken_collect(build);
}

static void objects_free(struct config *config)
{
	for (size_t i = 0; i < config->certificate_count; i++)
		config_certificate_free(config->certificates[i]);
	for (size_t i = 0; i < config->target_count; i++)
		config_target_free(config->targets[i]);
	for (size_t i = 0; i < config->api_count; i++)
		config_api_free(config->apis[i]);
	freep(&config->certificates);
	freep(&config->targets);
	freep(&config->apis);
	config->certificates = NULL;
	config->targets = NULL;
	config->apis = NULL;
	config->certificate_count = config->target_count = config->api_count = 0;
	string_list_free(&config->broken_certificates);
}

/* As before model_build(), but for what stands in `told`. */
static void model_discard(struct build *build)
{
	ini_sections_free(&build->sections);
	freep(&build->index);
	build->index = NULL;
	objects_free(build->config);
}

static struct config *config_new(const char *path)
{
	struct config *config = memory_alloc(1, sizeof(*config));
	config->path = string_copy(path);
	CLEANUP(freep) char *directory = agent_directory(path);
	config->template_dir = string_format("%s/templates", directory);
	string_list_add(&config->files, path);
	return config;
}

static void build_free(struct build *build)
{
	ini_sections_free(&build->sections);
	problem_list_free(&build->problems);
	problem_list_free(&build->told);
	definitions_free(&build->definitions);
	free(build->wrong);
	free(build->index);
	string_list_free(&build->accounts.names);
	if (build->config)
		config_free(build->config);
}

/* [agent], which decides where everything else is. Its sections are read again with the others.
 * `unread` tells why there is no text. */
static int agent_take(struct build *build, const char *text, size_t length,
		      const struct error *unread, unsigned *ret_conf_dir_line, struct error *error)
{
	CLEANUP(agent_found_free) struct agent_found found = {0};
	struct config *config = build->config;
	int result = agent_find(config->path, text, length, unread, &found, error);
	if (result < 0)
		return result;
	source_add(config, config->path, text, length);
	if (found.kept_from) {
		found.wrong.file = config->path;
		problem_from_error(&build->problems, found.wrong, &found.error);
		config->sources[0].kept_from = found.kept_from;
	}
	*ret_conf_dir_line = found.conf_dir_line;
	build->definitions = found.definitions;
	found.definitions = (struct definitions){0};
	config->agent = found.agent;
	found.agent = (struct config_agent){0};
	return 0;
}

/* What a model is made of: the main file, and its drop-ins or not. */
struct main_file {
	const char *path; /* absolute */
	const char *text; /* NULL: `unread` tells why */
	size_t length;
	const struct error *unread;
	mode_t mode;
	bool drop_ins;
};

static int load(const struct main_file *file, struct config **ret_config, struct error *error)
{
	CLEANUP(build_free) struct build build = {.config = config_new(file->path)};
	struct config *config = build.config;
	unsigned conf_dir_line = 0;
	int result =
		agent_take(&build, file->text, file->length, file->unread, &conf_dir_line, error);
	if (result < 0)
		return result;
	if (file->drop_ins) {
		mode_check(&build, config->path, file->mode);
		drop_ins_read(&build, conf_dir_line);
	}
	build.problems_read = build.problems.count;
	model_build(&build);
	while (file->drop_ins && sources_replace(&build)) {
		model_discard(&build);
		model_build(&build);
	}
	sources_finish(&build);
	problem_sort(&build.problems);
	config->problems = TAKE_PTR(build.problems.items);
	config->problem_count = build.problems.count;
	build.problems.count = 0;
	*ret_config = TAKE_PTR(build.config);
	return 0;
}

int config_load(const char *path, struct config **ret_config, struct error *error)
{
	CLEANUP(freep) char *absolute = NULL;
	int result = agent_path(path, &absolute, error);
	if (result < 0)
		return result;
	CLEANUP(buffer_free) struct buffer text = BUFFER(CONFIG_FILE_LIMIT);
	struct error unread = {0};
	struct main_file file = {.path = absolute, .unread = &unread, .drop_ins = true};
	if (agent_file_read(absolute, &text, &file.mode, &unread) == 0)
		file.text = buffer_text(&text);
	file.length = text.length;
	return load(&file, ret_config, error);
}

int config_load_text(const char *path, const char *text, size_t length, struct config **ret_config,
		     struct error *error)
{
	const struct main_file file = {.path = path, .text = text, .length = length};
	return load(&file, ret_config, error);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	objects_free(config);
	sources_free(config);
	struct problem_list problems = {.items = config->problems, .count = config->problem_count};
	problem_list_free(&problems);
	config_agent_free(&config->agent);
	string_list_free(&config->files);
	free(config->template_dir);
	free(config->path);
	free(config);
}

size_t config_error_count(const struct config *config)
{
	size_t count = 0;
	for (size_t i = 0; i < config->problem_count; i++)
		count += !config->problems[i].warning;
	return count;
}
