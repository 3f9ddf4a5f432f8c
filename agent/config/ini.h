/*
 * ini.h - INI text to sections with line numbers, read by inih and never by halves.
 *
 * The packaged inih cuts lines (200 bytes), section names and key names (49) without a word, says
 * nothing of line numbers and nothing of a section without keys. So it is driven line by line by a
 * reader that sees each raw line first: a line that inih would cut or that holds what no value may
 * hold is a problem and spoils its section, and inih never sees it; section headers are read here.
 *
 * What inih decides: "key = value" or "key: value"; a line that starts with ";" or "#" is a
 * comment, and so is what follows " ;" in a line (cut off here, as inih's versions differ); an
 * indented line continues the value above it.
 */
#ifndef ORIGIN_CA_CONFIG_INI_H
#define ORIGIN_CA_CONFIG_INI_H

#include "config/problem.h"

enum {
	INI_KEY_LIMIT = 64 /* keys a section: more than there are */
};

/* One line of a value, without white space around it and never empty. */
struct ini_line {
	char *text;
	unsigned number;
};

struct ini_entry {
	char *key;
	unsigned line;
	struct ini_line *lines;
	size_t line_count; /* 0: "key =" and nothing */
};

/* "[KIND NAME]". Text before the first header, and what follows a header that cannot be read, is
 * a refused section of kind "". */
struct ini_section {
	char *kind;
	char *name; /* "" when there is none */
	struct config_place place;
	struct ini_entry *entries;
	size_t entry_count;
	bool refused; /* something in it is wrong, and that is in the problems */
	/* Of two alike the one of the lower rank counts: as written, then from a last good
	 * definition, then one that was found wrong already (config/sources.h). */
	enum {
		SECTION_WRITTEN,
		SECTION_KEPT,
		SECTION_WRONG
	} rank;
};

/* Sections of several files, in the order they were read. */
struct ini_sections {
	struct ini_section *items;
	size_t count;
};

/* Appends the sections of `text`; `file` must live as long as they and the problems do. */
void ini_sections_read(struct ini_sections *sections, const char *file, const char *text,
		       size_t length, struct problem_list *problems);

/* NULL when the section has no such key. */
const struct ini_entry *ini_section_entry(const struct ini_section *section, const char *key);

/* The line of that key; 0 when the section, or NULL, has none. */
unsigned ini_section_line(const struct ini_section *section, const char *key);

/* The lines of a value with nothing between them; free() it. */
char *ini_entry_text(const struct ini_entry *entry);

void ini_sections_free(struct ini_sections *sections);

#endif
