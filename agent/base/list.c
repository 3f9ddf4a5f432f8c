#include "base/list.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void string_list_add(struct string_list *list, const char *text)
{
	string_list_take(list, string_copy(text));
}

void string_list_take(struct string_list *list, char *text)
{
	list->items = memory_grow(list->items, list->count, sizeof(*list->items));
	list->items[list->count++] = text;
}

bool string_list_has(const struct string_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static int compare(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

void string_list_sort(struct string_list *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), compare);
}

static bool covers(const struct string_list *list, const struct string_list *part)
{
	for (size_t i = 0; i < part->count; i++)
		if (!string_list_has(list, part->items[i]))
			return false;
	return true;
}

bool string_list_same_set(const struct string_list *one, const struct string_list *other)
{
	return covers(one, other) && covers(other, one);
}

void string_list_copy(struct string_list *to, const struct string_list *from)
{
	for (size_t i = 0; i < from->count; i++)
		string_list_add(to, from->items[i]);
}

char *string_list_join(const struct string_list *list, const char *separator)
{
	size_t length = 1;
	for (size_t i = 0; i < list->count; i++)
		length += strlen(list->items[i]) + strlen(separator);

	char *text = memory_alloc(length, 1);
	char *end = text;
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			end = stpcpy(end, separator);
		end = stpcpy(end, list->items[i]);
	}
	return text;
}

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}
