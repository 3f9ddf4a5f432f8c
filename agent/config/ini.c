#include "config/ini.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

#include "config/line.h"

/* What the line that inih has got must lead to: a call of its handler, or nothing. */
enum expected {
	EXPECT_NOTHING,
	EXPECT_KEY,
	EXPECT_CONTINUATION,
};

struct reader {
	const char *file;
	const char *next;
	const char *end;
	unsigned line; /* number of the line that inih has got */
	struct ini_sections *sections;
	bool in_section;	 /* the last of `sections` is of this file */
	struct ini_entry *entry; /* what an indented line continues, or NULL */
	bool skipping;		 /* indented lines belong to a line that was refused */
	enum expected expected;
	struct problem_list *problems;
};

static struct config_place here(const struct reader *reader)
{
	return (struct config_place){reader->file, reader->line};
}

static struct ini_section *section_add(struct reader *reader, const char *kind, const char *name)
{
	struct ini_sections *sections = reader->sections;
	sections->items = memory_grow(sections->items, sections->count, sizeof(*sections->items));
	struct ini_section *section = &sections->items[sections->count++];
	*section = (struct ini_section){
		.kind = string_copy(kind), .name = string_copy(name), .place = here(reader)};
	reader->in_section = true;
	reader->entry = NULL;
	reader->skipping = false;
	return section;
}

/* The section that the line is in; made for text before the first header. */
static struct ini_section *section_current(struct reader *reader)
{
	if (reader->in_section)
		return &reader->sections->items[reader->sections->count - 1];
	struct ini_section *section = section_add(reader, "", "");
	section->refused = true;
	problem_error(reader->problems, here(reader), "text before the first section header");
	problem_remedy(reader->problems, "start with a line such as \"[certificate example.com]\"");
	return section;
}

/* Spoils the section. False when nothing more needs to be said: it was no section anyway. */
static bool line_refuse(struct reader *reader)
{
	struct ini_section *section = section_current(reader);
	section->refused = true;
	reader->entry = NULL;
	reader->skipping = true;
	reader->expected = EXPECT_NOTHING;
	return section->kind[0] != '\0';
}

/* inih has had its chance with the last line: did it take it for what it must be? */
static void line_finish(struct reader *reader)
{
	if (reader->expected == EXPECT_NOTHING)
		return;
	if (line_refuse(reader)) {
		problem_error(reader->problems, here(reader),
			      "neither \"key = value\" nor a section header");
		problem_remedy(reader->problems,
			       "indent the line if it continues the value above it");
	}
}

static void header_read(struct reader *reader, const struct line *line)
{
	struct line_header header;
	line_header_parse(line, &header);

	struct ini_section *section = section_add(reader, header.kind, header.name);
	if (header.fault) {
		section->refused = true;
		problem_error(reader->problems, here(reader), "%s", header.fault);
		problem_remedy(reader->problems,
			       "write \"[certificate NAME]\" on a line of its own");
	}
	line_header_free(&header);
}

/* An indented line that its writer surely did not mean as part of the value above it. */
static bool continuation_check(struct reader *reader, const struct line *line)
{
	bool header = line_looks_like_header(line);
	if (!header && !line_looks_like_key(line))
		return true;

	CLEANUP(freep) char *key = string_copy(reader->entry->key);
	line_refuse(reader);
	problem_error(reader->problems, here(reader),
		      "an indented line continues the value of \"%s\", but this looks like a %s",
		      key, header ? "section header" : "key of its own");
	problem_remedy(reader->problems, "start the line in the first column");
	if (header) {
		/* What follows belongs neither to the section above nor to an unknown one. */
		header_read(reader, line);
		section_current(reader)->refused = true;
	}
	return false;
}

static bool line_check(struct reader *reader, const struct line *line, size_t most)
{
	if (line->length > most) {
		if (line_refuse(reader)) {
			problem_error(
				reader->problems, here(reader),
				"the line is %zu bytes long, and more than %zu cannot be read",
				line->length, most);
			problem_remedy(reader->problems,
				       "continue the value on further lines that are indented");
		}
		return false;
	}
	const char *fault = line_fault(line);
	if (fault && line_refuse(reader))
		problem_error(reader->problems, here(reader), "%s", fault);
	return !fault;
}

/* Says what inih is to see of the line: all of it, a header without a name, or an empty line. */
static const char *line_judge(struct reader *reader, struct line *line, size_t most)
{
	if (line_is_comment(line))
		return "";
	line_cut_comment(line);
	bool indented = line->indent > 0;
	if (indented && reader->skipping)
		return "";
	bool continuation = indented && reader->entry;

	if (!continuation && line->text[line->indent] == '[') {
		header_read(reader, line);
		/* Which section it is stays with us, so its name can be of any length. */
		return "[.]";
	}
	if (!line_check(reader, line, most))
		return "";
	if (continuation && !continuation_check(reader, line))
		return "[.]"; /* so that inih forgets the key, too */
	section_current(reader);
	reader->skipping = false;
	reader->expected = continuation ? EXPECT_CONTINUATION : EXPECT_KEY;
	return line->text;
}

/* What ini_parse_stream() calls for fgets(). */
static char *line_read(char *buffer, int size, void *stream)
{
	struct reader *reader = stream;
	line_finish(reader);
	reader->expected = EXPECT_NOTHING;
	if (reader->next == reader->end)
		return NULL;

	size_t left = (size_t)(reader->end - reader->next);
	const char *newline = memchr(reader->next, '\n', left);
	struct line line;
	line_trim(&line, reader->next, newline ? (size_t)(newline - reader->next) : left);
	reader->next = newline ? newline + 1 : reader->end;
	reader->line++;

	/* Room for a newline and the final 0, as fgets() would need. */
	const char *seen = line_judge(reader, &line, (size_t)size - 2);
	size_t length = seen == line.text ? line.length : strlen(seen);
	memcpy(buffer, seen, length);
	buffer[length] = '\0';
	return buffer;
}

static void value_add(struct ini_entry *entry, const char *text, unsigned number)
{
	if (text[0] == '\0')
		return;
	entry->lines = memory_grow(entry->lines, entry->line_count, sizeof(*entry->lines));
	entry->lines[entry->line_count++] =
		(struct ini_line){.text = string_copy(text), .number = number};
}

const struct ini_entry *ini_section_entry(const struct ini_section *section, const char *key)
{
	for (size_t i = 0; i < section->entry_count; i++)
		if (strcmp(section->entries[i].key, key) == 0)
			return &section->entries[i];
	return NULL;
}

unsigned ini_section_line(const struct ini_section *section, const char *key)
{
	const struct ini_entry *entry = section ? ini_section_entry(section, key) : NULL;
	return entry ? entry->line : 0;
}

char *ini_entry_text(const struct ini_entry *entry)
{
	size_t length = 1;
	for (size_t i = 0; i < entry->line_count; i++)
		length += strlen(entry->lines[i].text);
	char *text = memory_alloc(length, 1);
	char *end = text;
	for (size_t i = 0; i < entry->line_count; i++)
		end = stpcpy(end, entry->lines[i].text);
	return text;
}

static void entry_refuse(struct reader *reader, const char *key, const struct ini_entry *same)
{
	if (!line_refuse(reader))
		return;
	if (key[0] == '\0') {
		problem_error(reader->problems, here(reader), "there is no key before the \"=\"");
		return;
	}
	if (!same) {
		problem_error(reader->problems, here(reader), "more than %d keys in one section",
			      INI_KEY_LIMIT);
		return;
	}
	problem_error(reader->problems, here(reader),
		      "\"%s\" stands twice in this section (lines %u "
		      "and %u)",
		      key, same->line, reader->line);
	problem_remedy(reader->problems, "keep one of them; a list goes on in indented lines");
}

static void entry_add(struct reader *reader, const char *key, const char *value)
{
	struct ini_section *section = section_current(reader);
	const struct ini_entry *same = ini_section_entry(section, key);
	if (key[0] == '\0' || same || section->entry_count == INI_KEY_LIMIT) {
		entry_refuse(reader, key, same);
		return;
	}
	section->entries =
		memory_grow(section->entries, section->entry_count, sizeof(*section->entries));
	reader->entry = &section->entries[section->entry_count++];
	*reader->entry = (struct ini_entry){.key = string_copy(key), .line = reader->line};
	value_add(reader->entry, value, reader->line);
}

/* inih's handler. */
static int line_taken(void *user, const char *section, const char *name, const char *value)
{
	struct reader *reader = user;
	(void)section;
	/* A build of inih that allows a key without value says so by NULL: left as expected. */
	if (!value)
		return 1;
	enum expected expected = reader->expected;
	reader->expected = EXPECT_NOTHING;
	if (expected == EXPECT_KEY)
		entry_add(reader, name, value);
	else if (expected == EXPECT_CONTINUATION && reader->entry)
		value_add(reader->entry, value, reader->line);
	return 1;
}

void ini_sections_read(struct ini_sections *sections, const char *file, const char *text,
		       size_t length, struct problem_list *problems)
{
	struct reader reader = {
		.file = file,
		.next = text,
		.end = text + length,
		.sections = sections,
		.problems = problems,
	};
	if (length >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0)) {
		section_add(&reader, "", "")->refused = true;
		problem_error(problems, here(&reader), "the file is UTF-16");
		problem_remedy(problems, "save it as UTF-8");
		return;
	}
	/* The byte order mark that some editors put before UTF-8. */
	if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		reader.next += 3;

	int result = ini_parse_stream(line_read, &reader, line_taken, &reader);
	/* Not with the inih that this was written for; another build may stop at an error. */
	if (reader.next != reader.end) {
		section_current(&reader)->refused = true;
		problem_error(problems, here(&reader), "inih stopped reading here (result %d)",
			      result);
	}
}

static void entry_free(struct ini_entry *entry)
{
	for (size_t i = 0; i < entry->line_count; i++)
		free(entry->lines[i].text);
	free(entry->lines);
	free(entry->key);
}

void ini_sections_free(struct ini_sections *sections)
{
	for (size_t i = 0; i < sections->count; i++) {
		struct ini_section *section = &sections->items[i];
		for (size_t j = 0; j < section->entry_count; j++)
			entry_free(&section->entries[j]);
		free(section->entries);
		free(section->kind);
		free(section->name);
	}
	free(sections->items);
	*sections = (struct ini_sections){0};
}
