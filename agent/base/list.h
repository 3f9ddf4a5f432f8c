/* list.h - a growing list of strings that it owns. */
#ifndef ORIGIN_CA_BASE_LIST_H
#define ORIGIN_CA_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct string_list {
	char **items;
	size_t count;
};

/* Appends a copy of `text`. */
void string_list_add(struct string_list *list, const char *text);

/* Appends `text` itself, which becomes the list's. */
void string_list_take(struct string_list *list, char *text);

bool string_list_has(const struct string_list *list, const char *text);

/* Sorts by byte value. */
void string_list_sort(struct string_list *list);

/* True when both hold the same strings, in any order and however often. Reorders neither. */
bool string_list_same_set(const struct string_list *one, const struct string_list *other);

void string_list_copy(struct string_list *to, const struct string_list *from);

/* The items with `separator` between them; free() it. */
char *string_list_join(const struct string_list *list, const char *separator);

void string_list_free(struct string_list *list);

#endif
