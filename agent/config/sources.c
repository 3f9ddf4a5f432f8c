#include "config/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "config/definitions.h"

enum {
	ROUNDS = 4, /* files, what names them, what names those */
};

enum fault {
	FAULT_NONE,
	FAULT_CERTIFICATE, /* perhaps only because of what it names */
	FAULT_OWN,
};

void source_add(struct config *config, const char *path, const char *text, size_t length)
{
	config->sources =
		memory_grow(config->sources, config->source_count, sizeof(*config->sources));
	struct config_source *source = &config->sources[config->source_count++];
	*source = (struct config_source){.path = path, .length = length};
	if (!text)
		return;
	source->text = memory_alloc(length + 1, 1);
	memcpy(source->text, text, length);
}

void sources_free(struct config *config)
{
	for (size_t i = 0; i < config->source_count; i++)
		free(config->sources[i].text);
	free(config->sources);
	string_list_free(&config->kept_names);
}

static void section_move(struct ini_sections *to, const struct ini_section *section)
{
	to->items = memory_grow(to->items, to->count, sizeof(*to->items));
	to->items[to->count++] = *section;
}

static bool holds(const struct ini_sections *sections, const struct ini_section *like)
{
	for (size_t i = 0; i < sections->count; i++)
		if (strcmp(sections->items[i].kind, like->kind) == 0 &&
		    strcmp(sections->items[i].name, like->name) == 0)
			return true;
	return false;
}

/* Was this one refused in the round before? */
static bool was_wrong(const struct build *build, const struct ini_section *section)
{
	for (size_t i = 0; i < build->wrong_count; i++)
		if (build->wrong[i].file == section->place.file &&
		    build->wrong[i].line == section->place.line)
			return true;
	return false;
}

static void written_read(struct build *build, const struct config_source *source)
{
	size_t first = build->sections.count;
	if (source->text)
		ini_sections_read(&build->sections, source->path, source->text, source->length,
				  &build->problems);
	for (size_t i = first; i < build->sections.count; i++)
		if (was_wrong(build, &build->sections.items[i]))
			build->sections.items[i].rank = SECTION_WRONG;
}

/* The last good definition, and of the file as it is what that does not know. Which [agent] counts
 * was decided before (agent_find()). */
static void kept_read(struct build *build, const struct config_source *source)
{
	const struct definition *definition = definitions_find(&build->definitions, source->path);
	char *name = string_format("%s (as it last was right)", source->path);
	string_list_take(&build->config->kept_names, name);

	struct ini_sections kept = {0};
	struct ini_sections written = {0};
	struct ini_sections rest = {0};
	struct problem_list told = {0};
	ini_sections_read(&kept, name, definition->text, strlen(definition->text),
			  &build->problems);
	/* What is wrong with it was told of in the round before. */
	if (source->text)
		ini_sections_read(&written, source->path, source->text, source->length, &told);
	for (size_t i = 0; i < kept.count; i++) {
		kept.items[i].rank = SECTION_KEPT;
		bool agent = strcmp(kept.items[i].kind, "agent") == 0;
		section_move(agent ? &rest : &build->sections, &kept.items[i]);
	}
	for (size_t i = 0; i < written.count; i++) {
		struct ini_section *section = &written.items[i];
		bool agent = strcmp(section->kind, "agent") == 0;
		if (was_wrong(build, section))
			section->rank = SECTION_WRONG;
		section_move(!agent && holds(&kept, section) ? &rest : &build->sections, section);
	}
	ini_sections_free(&rest);
	free(kept.items);
	free(written.items);
	problem_list_free(&told);
}

void sources_read(struct build *build)
{
	for (size_t i = 0; i < build->config->source_count; i++) {
		const struct config_source *source = &build->config->sources[i];
		if (source->kept_from)
			kept_read(build, source);
		else
			written_read(build, source);
	}
}

static enum fault fault_of(const struct build *build, const struct config_source *source)
{
	enum fault fault = source->text ? FAULT_NONE : FAULT_OWN;
	for (size_t i = 0; i < build->problems.count && !fault; i++)
		if (build->problems.items[i].place.file == source->path &&
		    !build->problems.items[i].warning)
			fault = FAULT_CERTIFICATE;
	for (size_t i = 0; i < build->sections.count && fault == FAULT_CERTIFICATE; i++) {
		const struct ini_section *section = &build->sections.items[i];
		if (section->refused && section->place.file == source->path &&
		    strcmp(section->kind, "certificate") != 0)
			fault = FAULT_OWN;
	}
	return fault;
}

/* When its last good definition is from; 0 when there is none that would help. */
static int64_t kept_from(const struct build *build, const struct config_source *source)
{
	const struct definition *definition = definitions_find(&build->definitions, source->path);
	if (source->kept_from || !definition ||
	    (source->text && strcmp(source->text, definition->text) == 0))
		return 0;
	return definition->at > 0 ? definition->at : 1;
}

/* Those that are wrong by themselves before those that may only suffer from them. */
static bool choose(struct build *build)
{
	struct config *config = build->config;
	bool chosen = false;
	for (enum fault fault = FAULT_OWN; fault > FAULT_NONE && !chosen; fault--)
		for (size_t i = 0; i < config->source_count; i++) {
			struct config_source *source = &config->sources[i];
			int64_t from = kept_from(build, source);
			if (!from || fault_of(build, source) != fault)
				continue;
			source->kept_from = from;
			chosen = true;
		}
	return chosen;
}

/* A directory that cannot be listed hides files that were good once. */
static void hidden_add(struct build *build)
{
	struct config *config = build->config;
	size_t length = strlen(config->agent.conf_dir);
	for (size_t i = 0; build->directory_unread && i < build->definitions.count; i++) {
		const char *path = build->definitions.items[i].path;
		if (strncmp(path, config->agent.conf_dir, length) != 0 || path[length] != '/' ||
		    strchr(path + length + 1, '/') || string_list_has(&config->files, path))
			continue;
		char *own = string_copy(path);
		string_list_take(&config->files, own);
		source_add(config, own, NULL, 0);
	}
}

/* Whoever may not read them, or has none, goes without. */
static void definitions_open(struct build *build)
{
	const char *path = build->config->agent.state_dir;
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error error = {0};
	/* With a bad [agent] they are there already. */
	if (fd < 0 || build->definitions.count)
		return;
	if (definitions_load(fd, path, &build->definitions, &error) == -EPROTO)
		problem_warning(&build->problems, (struct config_place){build->config->path, 0},
				"%s; %s", error.message, error.remedy);
}

static bool any_fault(const struct build *build)
{
	if (build->directory_unread)
		return true;
	for (size_t i = 0; i < build->config->source_count; i++)
		if (fault_of(build, &build->config->sources[i]))
			return true;
	return false;
}

static void wrong_note(struct build *build)
{
	for (size_t i = 0; i < build->sections.count; i++) {
		const struct ini_section *section = &build->sections.items[i];
		if (!section->refused || section->rank == SECTION_KEPT)
			continue;
		build->wrong = memory_grow(build->wrong, build->wrong_count, sizeof(*build->wrong));
		build->wrong[build->wrong_count++] = section->place;
	}
}

static bool is_replaced(const struct config *config, const char *path)
{
	for (size_t i = 0; i < config->source_count; i++)
		if (config->sources[i].path == path)
			return config->sources[i].kept_from != 0;
	return false;
}

/* Of this round, keeps what was said of files that it does not count for any more. */
static void problems_sift(struct build *build)
{
	struct problem_list *problems = &build->problems;
	struct problem_list *told = &build->told;
	for (size_t i = build->problems_read; i < problems->count; i++) {
		struct config_problem *problem = &problems->items[i];
		if (is_replaced(build->config, problem->place.file)) {
			told->items = memory_grow(told->items, told->count, sizeof(*told->items));
			told->items[told->count++] = *problem;
		} else {
			free(problem->message);
			free(problem->remedy);
		}
	}
	problems->count = build->problems_read;
	problems->file = NULL;
}

bool sources_replace(struct build *build)
{
	if (build->round == 0) {
		if (!any_fault(build))
			return false;
		definitions_open(build);
		hidden_add(build);
	}
	if (++build->round >= ROUNDS || !choose(build))
		return false;
	wrong_note(build);
	problems_sift(build);
	return true;
}

static bool is_told(const struct problem_list *problems, const struct config_problem *problem)
{
	for (size_t i = 0; i < problems->count; i++)
		if (problems->items[i].place.file == problem->place.file &&
		    problems->items[i].place.line == problem->place.line &&
		    strcmp(problems->items[i].message, problem->message) == 0)
			return true;
	return false;
}

void sources_finish(struct build *build)
{
	struct config *config = build->config;
	for (size_t i = 0; i < config->source_count; i++)
		config->sources[i].good = !config->sources[i].kept_from &&
					  fault_of(build, &config->sources[i]) == FAULT_NONE;

	struct problem_list *problems = &build->problems;
	for (size_t i = 0; i < build->told.count; i++) {
		struct config_problem *problem = &build->told.items[i];
		if (is_told(problems, problem))
			continue;
		problems->items =
			memory_grow(problems->items, problems->count, sizeof(*problems->items));
		problems->items[problems->count++] = *problem;
		*problem = (struct config_problem){0};
	}
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *source = &config->sources[i];
		char when[CLOCK_TEXT_SIZE];
		if (source->kept_from)
			problem_warning(problems, (struct config_place){source->path, 0},
					"until this is repaired its last good definition, of %s, "
					"is in force",
					clock_format(source->kept_from, when));
	}
}

/* What is to stand there of this file; NULL: nothing. */
static const struct definition *definition_of(const struct config_source *source,
					      const struct definition *former, int64_t now,
					      struct definition *space)
{
	if (!source->good || strlen(source->text) != source->length)
		return former;
	if (former && strcmp(former->text, source->text) == 0)
		return former;
	*space = (struct definition){(char *)(uintptr_t)source->path, source->text, now};
	return space;
}

/* A file that does not exist is nobody's; one of another --config may share the directory. */
static bool is_foreign(const struct config *config, const struct definition *former)
{
	struct stat status;
	for (size_t i = 0; i < config->source_count; i++)
		if (strcmp(config->sources[i].path, former->path) == 0)
			return false;
	return lstat(former->path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int config_keep(const struct config *config, int state_directory, struct error *error)
{
	CLEANUP(definitions_free) struct definitions former = {0};
	CLEANUP(definitions_free) struct definitions fresh = {0};
	const char *where = config->agent.state_dir;
	int64_t now = clock_now();
	int result = definitions_load(state_directory, where, &former, error);
	if (result < 0)
		return result;

	bool changed = false;
	for (size_t i = 0; i < config->source_count; i++) {
		const struct config_source *source = &config->sources[i];
		struct definition space;
		const struct definition *known = definitions_find(&former, source->path);
		const struct definition *is = definition_of(source, known, now, &space);
		changed |= is != known;
		if (is)
			definitions_add(&fresh, is->path, is->text, is->at);
	}
	for (size_t i = 0; i < former.count; i++)
		if (is_foreign(config, &former.items[i]))
			definitions_add(&fresh, former.items[i].path, former.items[i].text,
					former.items[i].at);
	if (!changed && fresh.count == former.count)
		return 0;
	return definitions_save(state_directory, where, &fresh, error);
}
