/*
 * value.h - one key's value, checked and turned into what the model holds.
 *
 * A setter takes a value and puts it into its object; when it cannot, it says so by
 * value_refuse() and returns -EINVAL. Each function here does the same for one kind of value: it
 * returns 0 and sets `ret_`, or adds a problem and returns -EINVAL.
 */
#ifndef ORIGIN_CA_CONFIG_VALUE_H
#define ORIGIN_CA_CONFIG_VALUE_H

#include "config/ini.h"

struct value {
	const struct ini_entry *entry;
	const char *text; /* its lines with nothing between them */
	bool secret;	  /* never to be shown in a message */
	struct config_place place;
	struct problem_list *problems;
};

enum value_text {
	TEXT_PLAIN,
	TEXT_SECRET, /* never shown */
	TEXT_WORDS,  /* never shown; quotation marks and "#" are its setter's to judge */
};

/* One key that a kind of section knows. */
struct section_key {
	const char *name;
	int (*set)(const struct value *value, void *object); /* NULL: not built yet */
	enum value_text text;
};

/*
 * Sets all keys of a section. Unknown keys, keys that are not built yet and keys without a value
 * are problems. Returns -EINVAL when anything is wrong, or when the section was refused before.
 */
int section_apply(const struct ini_section *section, const struct section_key *keys, size_t count,
		  void *object, struct problem_list *problems);

/* "KEY = VALUE: WHAT" ("KEY: WHAT" of a secret). Returns -EINVAL. */
int value_refuse(const struct value *value, const char *format, ...) PRINTF_LIKE(2, 3);
int value_remedy(const struct value *value, const char *format, ...) PRINTF_LIKE(2, 3);

/* "KEY = VALUE is not built yet in this version". Returns -EINVAL. */
int value_not_built(const struct value *value);

int value_duration(const struct value *value, int64_t least, int64_t most, int64_t *ret_seconds);
int value_number(const struct value *value, unsigned least, unsigned most, unsigned *ret_number);
int value_yes(const struct value *value, bool *ret_yes);
int value_renew_before(const struct value *value, struct renew_before *ret_before);

/* An absolute path, without "." and empty components and final slashes; ".." is refused. */
int value_path(const struct value *value, char **ret_path);

/* As above for any text, which `base` (absolute) precedes when it is relative. */
int value_path_below(const struct value *value, const char *base, char **ret_path);

/* One of a few words; `number` below 0: known, but not built yet. */
struct value_word {
	const char *word;
	int number;
};
int value_choose(const struct value *value, const struct value_word *words, size_t count,
		 int *ret_number);

/*
 * The words of a command, separated by blanks and lines; what is in double quotes holds together,
 * and a backslash takes the meaning of \" and \\ away there. There is no shell: what only one would
 * understand is refused. At most COMMAND_WORD_LIMIT, the first an absolute path.
 */
enum {
	COMMAND_WORD_LIMIT = 100
};
int value_command(const struct value *value, struct string_list *ret_words);

/* The items of a list: separated by white space, commas and lines. */
struct value_item {
	char *text;
	unsigned line;
};
struct value_items {
	struct value_item *items;
	size_t count;
};
void value_items(const struct value *value, struct value_items *ret_items);
void value_items_free(struct value_items *items);

#endif
