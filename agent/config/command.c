/* command.c - the words of a command line that no shell will see. */
#include <errno.h>
#include <string.h>

#include "config/value.h"

/* What a word would mean to a shell alone, so that its writer expects another thing than happens.
 */
static const char *word_fault(const char *word)
{
	const char *start = word + strspn(word, "12");
	if (strchr("|&<>", word[0]) || *start == '>')
		return "there is no shell that would know \"|\", \"&\", \"<\" and \">\"";
	if (string_starts(word, "$(") || word[0] == '`')
		return "there is no shell that would run a command within the command";
	if (word[0] == '#')
		return "\"#\" does not start a comment behind a value";
	if (word[0] == '\'')
		return "single quotation marks do not hold words together";
	if (string_ends(word, "\\"))
		return "a backslash at the end of a word means nothing";
	return NULL;
}

static const char *word_remedy(const char *word)
{
	if (word[0] == '#')
		return "write \" ;\", or a line of its own";
	if (string_ends(word, "\\"))
		return "indented lines go on without it; put words with blanks into double quotes";
	if (word[0] == '\'')
		return "write double ones";
	return "name a script that does it; put the word into double quotes if it is meant as it "
	       "stands";
}

/* One word from `*at` on, which is no blank. `word` has room for all of the line. */
static int word_read(const struct value *value, const char **at, char *word)
{
	bool inside = false;
	bool quotes = false;
	char *end = word;
	const char *next = *at;
	for (; *next && (inside || (*next != ' ' && *next != '\t')); next++) {
		if (*next == '"') {
			inside = !inside;
			quotes = true;
			continue;
		}
		if (inside && *next == '\\') {
			next++;
			if (*next != '"' && *next != '\\') {
				value_refuse(value, "a backslash in double quotes may stand before "
						    "\" and \\ only");
				return value_remedy(value, "write \\\\ for a backslash");
			}
		}
		*end++ = *next;
	}
	*end = '\0';
	*at = next;
	if (inside) {
		value_refuse(value, "a quotation mark is not closed on its line");
		return value_remedy(value,
				    "close it; behind a blank, \";\" starts a comment even in "
				    "quotation marks");
	}
	const char *fault = quotes ? NULL : word_fault(word);
	if (!fault)
		return 0;
	value_refuse(value, "%s", fault);
	return value_remedy(value, "%s", word_remedy(word));
}

static int line_read(const struct value *value, const struct ini_line *line,
		     struct string_list *words)
{
	struct value here = *value;
	here.place.line = line->number;
	CLEANUP(freep) char *word = memory_alloc(strlen(line->text) + 1, 1);
	const char *at = line->text;
	for (at += strspn(at, " \t"); *at; at += strspn(at, " \t")) {
		int result = word_read(&here, &at, word);
		if (result < 0)
			return result;
		if (words->count == 0 && word[0] != '/') {
			value_refuse(&here,
				     "the first word must be the absolute path of a program");
			return value_remedy(&here, "write something like /usr/bin/docker");
		}
		if (words->count == COMMAND_WORD_LIMIT) {
			value_refuse(&here, "more than %d words", COMMAND_WORD_LIMIT);
			return value_remedy(&here, "put the command into a script");
		}
		string_list_add(words, word);
	}
	return 0;
}

int value_command(const struct value *value, struct string_list *ret_words)
{
	CLEANUP(string_list_free) struct string_list words = {0};
	for (size_t i = 0; i < value->entry->line_count; i++) {
		int result = line_read(value, &value->entry->lines[i], &words);
		if (result < 0)
			return result;
	}
	string_list_free(ret_words);
	*ret_words = words;
	words = (struct string_list){0};
	return 0;
}
