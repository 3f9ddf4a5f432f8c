#include "config/nearest.h"

#include <string.h>
#include <strings.h>

enum {
	LENGTH_LIMIT = 48 /* longer words get no hint */
};

static size_t least(size_t one, size_t other)
{
	return one < other ? one : other;
}

static char fold(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Optimal string alignment: insert, delete, change, swap neighbours; each costs one. */
static size_t edit_distance(const char *one, size_t one_length, const char *other,
			    size_t other_length)
{
	size_t rows[3][LENGTH_LIMIT + 1];
	size_t *before = rows[0];
	size_t *above = rows[1];
	size_t *row = rows[2];

	for (size_t j = 0; j <= other_length; j++)
		above[j] = j;
	for (size_t i = 1; i <= one_length; i++) {
		row[0] = i;
		for (size_t j = 1; j <= other_length; j++) {
			char a = fold(one[i - 1]);
			char b = fold(other[j - 1]);
			row[j] = least(above[j - 1] + (a != b), least(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a == fold(other[j - 2]) && fold(one[i - 2]) == b)
				row[j] = least(row[j], before[j - 2] + 1);
		}
		size_t *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[other_length];
}

void nearest_consider(struct nearest *nearest, const char *name)
{
	size_t length = strlen(nearest->text);
	size_t name_length = strlen(name);
	if (length == 0 || length > LENGTH_LIMIT || name_length > LENGTH_LIMIT)
		return;

	size_t shorter = least(length, name_length);
	size_t distance;
	if (shorter >= 3 && strncasecmp(nearest->text, name, shorter) == 0)
		distance = 1; /* "token" for "token_file": as good as a letter */
	else
		distance = edit_distance(nearest->text, length, name, name_length);
	if (distance > (length + 2) / 3)
		return;
	if (!nearest->name || distance < nearest->distance) {
		nearest->name = name;
		nearest->distance = distance;
	}
}
