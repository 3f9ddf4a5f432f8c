/* section.c - the keys of a section, each to its setter. */
#include <errno.h>
#include <string.h>

#include "config/nearest.h"
#include "config/value.h"

static const struct section_key *key_find(const struct section_key *keys, size_t count,
					  const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static int key_unknown(const struct ini_section *section, const struct ini_entry *entry,
		       const struct section_key *keys, size_t count, struct problem_list *problems)
{
	struct nearest nearest = {.text = entry->key};
	for (size_t i = 0; i < count; i++)
		if (keys[i].set)
			nearest_consider(&nearest, keys[i].name);

	problem_error(problems, (struct config_place){section->place.file, entry->line},
		      "unknown key \"%s\" in [%s%s%s]", entry->key, section->kind,
		      section->name[0] ? " " : "", section->name);
	if (nearest.name)
		problem_remedy(problems, "did you mean \"%s\"?", nearest.name);
	return -EINVAL;
}

/* A "#" that someone meant as a comment; inih would leave it in the value. */
static bool holds_comment(const char *text)
{
	for (const char *hash = strchr(text, '#'); hash; hash = strchr(hash + 1, '#'))
		if (hash == text || hash[-1] == ' ' || hash[-1] == '\t')
			return true;
	return false;
}

/* What no value of any key may be. */
static int value_check(const struct value *value, enum value_text kind)
{
	if (value->entry->line_count == 0) {
		problem_error(value->problems, value->place, "\"%s\" has no value",
			      value->entry->key);
		return value_remedy(value, "remove the line, or write a value");
	}
	if (kind == TEXT_WORDS)
		return 0;
	if (value->text[0] == '"' || value->text[0] == '\'') {
		value_refuse(value, "values are written without quotation marks");
		return value_remedy(value, "remove them");
	}
	for (size_t i = 0; i < value->entry->line_count; i++)
		if (holds_comment(value->entry->lines[i].text)) {
			problem_error(value->problems,
				      (struct config_place){value->place.file,
							    value->entry->lines[i].number},
				      "\"#\" does not start a comment behind a value of \"%s\"",
				      value->entry->key);
			return value_remedy(value, "write \" ;\", or a line of its own");
		}
	return 0;
}

static int key_apply(const struct section_key *key, const struct ini_section *section,
		     const struct ini_entry *entry, void *object, struct problem_list *problems)
{
	CLEANUP(freep) char *text = ini_entry_text(entry);
	struct value value = {
		.entry = entry,
		.text = text,
		.secret = key->text != TEXT_PLAIN,
		.place = {section->place.file, entry->line},
		.problems = problems,
	};
	if (!key->set) {
		problem_error(problems, value.place, "\"%s\" is not built yet in this version",
			      key->name);
		return value_remedy(&value, "remove the line");
	}
	int result = value_check(&value, key->text);
	return result < 0 ? result : key->set(&value, object);
}

int section_apply(const struct ini_section *section, const struct section_key *keys, size_t count,
		  void *object, struct problem_list *problems)
{
	/* What is left of a section that lost a line would only give misleading problems. */
	if (section->refused)
		return -EINVAL;

	int result = 0;
	for (size_t i = 0; i < section->entry_count; i++) {
		const struct ini_entry *entry = &section->entries[i];
		const struct section_key *key = key_find(keys, count, entry->key);
		int applied = key ? key_apply(key, section, entry, object, problems)
				  : key_unknown(section, entry, keys, count, problems);
		if (applied < 0)
			result = applied;
	}
	return result;
}
