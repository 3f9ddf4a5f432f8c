/* sections.c - which sections there may be, and finding one of ten thousand. */
#include <string.h>

#include "config/build.h"
#include "config/nearest.h"

static const char *const kinds[] = {"agent", "api", "certificate", "target"};

bool section_name_valid(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-";
	size_t length = strlen(name);
	return length >= 1 && length <= CONFIG_NAME_LIMIT && name[0] != '.' && name[0] != '-' &&
	       strspn(name, allowed) == length;
}

static void kind_unknown(struct build *build, struct ini_section *section)
{
	section->refused = true;
	struct nearest nearest = {.text = section->kind};
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		nearest_consider(&nearest, kinds[i]);
	problem_error(&build->problems, section->place, "unknown section [%s%s%s]", section->kind,
		      section->name[0] ? " " : "", section->name);
	if (nearest.name)
		problem_remedy(&build->problems, "did you mean [%s%s%s]?", nearest.name,
			       section->name[0] ? " " : "", section->name);
	else
		problem_remedy(&build->problems, "there are [agent], [api], [api NAME], "
						 "[target NAME] and [certificate NAME]");
}

static void name_wrong(struct build *build, struct ini_section *section)
{
	section->refused = true;
	if (section->name[0] == '\0') {
		problem_error(&build->problems, section->place, "[%s] needs a name", section->kind);
		problem_remedy(&build->problems, "write \"[%s NAME]\"", section->kind);
		return;
	}
	problem_error(&build->problems, section->place,
		      "[%s %s]: a name is 1 to %d of A-Z a-z 0-9 . _ - and starts with neither "
		      "\".\" nor \"-\"",
		      section->kind, section->name, CONFIG_NAME_LIMIT);
	if (strcmp(section->kind, "certificate") == 0)
		problem_remedy(&build->problems,
			       string_starts(section->name, "*.")
				       ? "write \"[certificate %s]\", which covers the wildcard too"
				       : "choose another name and write \"hostnames = %s\"",
			       string_starts(section->name, "*.") ? section->name + 2
								  : section->name);
}

static void section_check(struct build *build, struct ini_section *section)
{
	/* Text without a header, or a header that could not be read: was said already. */
	if (section->kind[0] == '\0')
		return;
	bool known = false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		known = known || strcmp(section->kind, kinds[i]) == 0;
	bool agent = strcmp(section->kind, "agent") == 0;

	if (!known && !section->refused)
		kind_unknown(build, section);
	else if (agent && strcmp(section->place.file, build->config->path) != 0) {
		section->refused = true;
		problem_error(&build->problems, section->place, "[agent] in a drop-in file");
		problem_remedy(&build->problems, "move it to %s", build->config->path);
	} else if (!agent && !section->refused && !section_name_valid(section->name) &&
		   !(section->name[0] == '\0' && strcmp(section->kind, "api") == 0))
		name_wrong(build, section);
}

static int section_compare(const struct ini_section *one, const char *kind, const char *name)
{
	int order = strcmp(one->kind, kind);
	return order != 0 ? order : strcmp(one->name, name);
}

static int compare(const void *one, const void *other)
{
	const struct ini_section *a = *(struct ini_section *const *)one;
	const struct ini_section *b = *(struct ini_section *const *)other;
	int order = section_compare(a, b->kind, b->name);
	if (order == 0 && a->rank != b->rank)
		return (a->rank > b->rank) - (a->rank < b->rank);
	return order != 0 ? order : (a > b) - (a < b); /* both are in one array */
}

static bool is_duplicate(const struct ini_section *first, const struct ini_section *second)
{
	return section_compare(first, second->kind, second->name) == 0 &&
	       (section_name_valid(second->name) || strcmp(second->kind, "api") == 0);
}

static void duplicate_refuse(struct build *build, const struct ini_section *first,
			     struct ini_section *second)
{
	second->refused = true;
	/* What was kept of it gives way, and what is wrong was told of. */
	if (second->rank != SECTION_WRITTEN)
		return;
	problem_error(&build->problems, second->place,
		      "a second [%s%s%s], which is not used; the first is at %s:%u", second->kind,
		      second->name[0] ? " " : "", second->name, first->place.file,
		      first->place.line);
	problem_remedy(&build->problems, "remove one of them");
}

void sections_index(struct build *build)
{
	size_t count = build->sections.count;
	build->index = memory_alloc(count, sizeof(struct ini_section *));
	for (size_t i = 0; i < count; i++) {
		section_check(build, &build->sections.items[i]);
		build->index[i] = &build->sections.items[i];
	}
	if (count > 1)
		qsort(build->index, count, sizeof(struct ini_section *), compare);

	for (size_t i = 0, first = 0; i < count; i++) {
		if (i > first && is_duplicate(build->index[first], build->index[i]))
			duplicate_refuse(build, build->index[first], build->index[i]);
		else
			first = i;
	}
}

struct ini_section *sections_find(const struct build *build, const char *kind, const char *name)
{
	size_t low = 0;
	size_t high = build->sections.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (section_compare(build->index[middle], kind, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < build->sections.count && section_compare(build->index[low], kind, name) == 0)
		return build->index[low];
	return NULL;
}
