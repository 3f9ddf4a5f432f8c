#include "config/value.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "config/duration.h"
#include "config/nearest.h"

int value_refuse(const struct value *value, const char *format, ...)
{
	char what[ERROR_MESSAGE_SIZE / 2];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);

	const char *key = value->entry->key;
	if (value->secret)
		return problem_error(value->problems, value->place, "%s: %s", key, what);
	/* A long value was written over several lines; its start is enough to find it. */
	size_t shown = strnlen(value->text, 200);
	while (shown < strlen(value->text) && ((unsigned char)value->text[shown] & 0xc0) == 0x80)
		shown--;
	return problem_error(value->problems, value->place, "%s = %.*s%s: %s", key, (int)shown,
			     value->text, shown < strlen(value->text) ? "..." : "", what);
}

int value_remedy(const struct value *value, const char *format, ...)
{
	char text[ERROR_REMEDY_SIZE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return problem_remedy(value->problems, "%s", text);
}

int value_not_built(const struct value *value)
{
	problem_error(value->problems, value->place, "\"%s = %s\" is not built yet in this version",
		      value->entry->key, value->text);
	return value_remedy(value, "remove the line");
}

int value_duration(const struct value *value, int64_t least, int64_t most, int64_t *ret_seconds)
{
	int64_t seconds;
	int result = duration_parse(value->text, &seconds);
	if (result == -EINVAL) {
		value_refuse(value, "not a duration");
		return value_remedy(value, "write a whole number and s, m, h or d, such as 30m");
	}
	if (result < 0 || seconds < least || seconds > most) {
		char from[DURATION_TEXT_SIZE];
		char to[DURATION_TEXT_SIZE];
		return value_refuse(value, "must be from %s to %s", duration_format(least, from),
				    duration_format(most, to));
	}
	*ret_seconds = seconds;
	return 0;
}

/* Digits alone; UINT_MAX stands for all that is larger. */
static int digits_parse(const char *text, unsigned *ret_number)
{
	unsigned long long number = 0;
	size_t length = strspn(text, "0123456789");
	if (length == 0 || text[length] != '\0')
		return -EINVAL;
	for (; *text && number < UINT_MAX; text++)
		number = number * 10 + (unsigned)(*text - '0');
	*ret_number = number < UINT_MAX ? (unsigned)number : UINT_MAX;
	return 0;
}

int value_number(const struct value *value, unsigned least, unsigned most, unsigned *ret_number)
{
	unsigned number;
	if (digits_parse(value->text, &number) < 0 || number < least || number > most)
		return value_refuse(value, "must be a whole number from %u to %u", least, most);
	*ret_number = number;
	return 0;
}

int value_yes(const struct value *value, bool *ret_yes)
{
	static const struct value_word words[] = {
		{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {"on", 1}, {"off", 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(value->text, words[i].word) == 0) {
			*ret_yes = words[i].number == 1;
			return 0;
		}
	return value_refuse(value, "must be yes or no");
}

int value_renew_before(const struct value *value, struct renew_before *ret_before)
{
	size_t length = strlen(value->text);
	if (length > 1 && value->text[length - 1] == '%') {
		CLEANUP(freep) char *digits = string_copy_n(value->text, length - 1);
		unsigned percent;
		if (digits_parse(digits, &percent) < 0 || percent < 1 || percent > 99)
			return value_refuse(value, "a share must be from 1%% to 99%%");
		*ret_before = (struct renew_before){.percent = percent};
		return 0;
	}

	int64_t seconds;
	int result = duration_parse(value->text, &seconds);
	if (result == -EINVAL) {
		value_refuse(value, "neither a duration nor a share of the lifetime");
		return value_remedy(value, "write something like 30d, 12h or 33%%");
	}
	/* Cloudflare's longest lifetime. */
	if (result < 0 || seconds < 1 || seconds >= 5475 * CLOCK_DAY)
		return value_refuse(value, "must be more than 0 and less than 5475d");
	*ret_before = (struct renew_before){.seconds = seconds};
	return 0;
}

/* Copies the components of `path`; NULL when one of them is "..". */
static char *path_tidy(const char *path)
{
	char *tidy = memory_alloc(strlen(path) + 2, 1);
	char *end = tidy;
	while (*path) {
		path += strspn(path, "/");
		size_t length = strcspn(path, "/");
		if (length == 2 && string_starts(path, "..")) {
			free(tidy);
			return NULL;
		}
		if (length > 0 && !(length == 1 && path[0] == '.')) {
			*end++ = '/';
			end = mempcpy(end, path, length);
		}
		path += length;
	}
	if (end == tidy)
		tidy[0] = '/';
	return tidy;
}

int value_path_below(const struct value *value, const char *base, char **ret_path)
{
	CLEANUP(freep)
	char *whole = string_format("%s/%s", value->text[0] == '/' ? "" : base, value->text);
	CLEANUP(freep) char *tidy = path_tidy(whole);
	if (!tidy) {
		value_refuse(value, "\"..\" in a path may lead elsewhere than it seems");
		return value_remedy(value, "write the path without it");
	}
	if (strlen(tidy) >= PATH_MAX)
		return value_refuse(value, "the path is longer than %d bytes", PATH_MAX - 1);
	free(*ret_path);
	*ret_path = TAKE_PTR(tidy);
	return 0;
}

int value_path(const struct value *value, char **ret_path)
{
	if (value->text[0] != '/') {
		value_refuse(value, "not an absolute path");
		return value_remedy(value, "start it with \"/\"");
	}
	return value_path_below(value, "", ret_path);
}

static char *words_join(const struct value_word *words, size_t count)
{
	struct buffer text = BUFFER(ERROR_REMEDY_SIZE);
	for (size_t i = 0; i < count; i++)
		if (words[i].number >= 0)
			buffer_add_format(&text, "%s%s", text.length > 0 ? ", " : "",
					  words[i].word);
	return buffer_take(&text);
}

int value_choose(const struct value *value, const struct value_word *words, size_t count,
		 int *ret_number)
{
	struct nearest nearest = {.text = value->text};
	for (size_t i = 0; i < count; i++) {
		if (strcmp(value->text, words[i].word) == 0) {
			if (words[i].number < 0)
				return value_not_built(value);
			*ret_number = words[i].number;
			return 0;
		}
		if (words[i].number >= 0)
			nearest_consider(&nearest, words[i].word);
	}
	CLEANUP(freep) char *list = words_join(words, count);
	value_refuse(value, "must be one of: %s", list);
	if (nearest.name)
		value_remedy(value, "did you mean \"%s\"?", nearest.name);
	return -EINVAL;
}

void value_items(const struct value *value, struct value_items *ret_items)
{
	struct value_items list = {0};
	for (size_t i = 0; i < value->entry->line_count; i++) {
		const struct ini_line *line = &value->entry->lines[i];
		const char *at = line->text;
		for (;;) {
			at += strspn(at, ", \t");
			size_t length = strcspn(at, ", \t");
			if (length == 0)
				break;
			list.items = memory_grow(list.items, list.count, sizeof(*list.items));
			list.items[list.count++] = (struct value_item){
				.text = string_copy_n(at, length), .line = line->number};
			at += length;
		}
	}
	*ret_items = list;
}

void value_items_free(struct value_items *items)
{
	for (size_t i = 0; i < items->count; i++)
		free(items->items[i].text);
	free(items->items);
	*items = (struct value_items){0};
}
