#include "base/summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"

struct summary_line {
	enum log_level level;
	char *name;
	char *kind; /* what it is compared by */
	char *words;
	struct string_list fields; /* the first is the MESSAGE_ID; or none */
	bool alike;		   /* `kind` was made of the words */
	size_t place;		   /* in the order in which they came */
	size_t first, others; /* the place of the first of its kind; there: how many follow it */
};

static bool is_digit(char letter)
{
	return letter >= '0' && letter <= '9';
}

/* The words without `name` and without the numbers in them. */
static char *kind_of(const char *words, const char *name)
{
	size_t length = strlen(name);
	char *kind = string_copy(words);
	char *to = kind;
	for (const char *from = words; *from;) {
		if (length && strncmp(from, name, length) == 0) {
			*to++ = '\1';
			from += length;
		} else if (is_digit(*from)) {
			*to++ = '0';
			from += strspn(from, "0123456789");
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
	return kind;
}

void summary_add(struct summary *summary, enum log_level level, const char *name, const char *kind,
		 const char *words)
{
	summary->lines = memory_grow(summary->lines, summary->count, sizeof(*summary->lines));
	summary->lines[summary->count] = (struct summary_line){
		.level = level,
		.name = string_copy(name),
		.kind = kind ? string_copy(kind) : kind_of(words, name),
		.words = string_copy(words),
		.alike = !kind,
		.place = summary->count,
	};
	summary->count++;
}

void summary_add_event(struct summary *summary, enum log_level level, const char *name,
		       const char *kind, const char *words, struct string_list *fields)
{
	summary_add(summary, level, name, kind, words);
	summary->lines[summary->count - 1].fields = *fields;
	*fields = (struct string_list){0};
}

static const char *first_field(const struct summary_line *line)
{
	return line->fields.count ? line->fields.items[0] : "";
}

static int compare_kinds(const struct summary_line *one, const struct summary_line *other)
{
	if (one->level != other->level)
		return one->level < other->level ? -1 : 1;
	int order = strcmp(first_field(one), first_field(other));
	return order ? order : strcmp(one->kind, other->kind);
}

static int compare(const void *one, const void *other)
{
	const struct summary_line *first = one;
	const struct summary_line *second = other;
	int order = compare_kinds(first, second);
	return order ? order : first->place < second->place ? -1 : 1;
}

static int compare_places(const void *one, const void *other)
{
	const struct summary_line *first = one;
	const struct summary_line *second = other;
	return first->place < second->place ? -1 : first->place > second->place;
}

/* Finds out which are of one kind. */
static void find_kinds(struct summary *summary)
{
	struct summary_line *lines = summary->lines;
	size_t start = 0;
	qsort(lines, summary->count, sizeof(*lines), compare);
	for (size_t i = 0; i < summary->count; i++) {
		if (i == start || compare_kinds(&lines[start], &lines[i]) != 0)
			start = i;
		else
			lines[start].others++;
		lines[i].first = lines[start].place;
	}
	qsort(lines, summary->count, sizeof(*lines), compare_places);
}

/* "NAME, NAME, NAME and 197 more" of those that are like the one at `place`. */
static void add_names(const struct summary *summary, size_t place, size_t named,
		      struct buffer *text)
{
	size_t all = summary->lines[place].others + 1;
	size_t told = 0;
	for (size_t i = place; i < summary->count && told < named; i++)
		if (summary->lines[i].first == place)
			buffer_add_format(text, "%s%s", told++ ? ", " : "", summary->lines[i].name);
	if (all > told)
		buffer_add_format(text, " and %zu more", all - told);
}

static int compare_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The fields of all that are like the one at `place`, each once; the strings stay theirs. Free the
 * items. */
static struct string_list all_fields(const struct summary *summary, size_t place)
{
	struct string_list all = {0};
	size_t room = 0;
	for (size_t i = place; i < summary->count; i++)
		if (summary->lines[i].first == place)
			room += summary->lines[i].fields.count;
	all.items = memory_alloc(room, sizeof(*all.items));
	for (size_t i = place; i < summary->count; i++) {
		const struct summary_line *line = &summary->lines[i];
		for (size_t j = 0; line->first == place && j < line->fields.count; j++)
			all.items[all.count++] = line->fields.items[j];
	}
	qsort(all.items, all.count, sizeof(*all.items), compare_text);
	size_t kept = 0;
	for (size_t i = 0; i < all.count && kept < SUMMARY_FIELDS; i++)
		if (kept == 0 || strcmp(all.items[i], all.items[kept - 1]) != 0)
			all.items[kept++] = all.items[i];
	all.count = kept;
	return all;
}

static void put_many(const struct summary *summary, size_t place, const char *things)
{
	const struct summary_line *line = &summary->lines[place];
	struct buffer text = BUFFER(64 << 10);
	buffer_add_format(&text, "%zu %s: ", line->others + 1, things);
	/* The words are the first one's and name it, perhaps; so the names come before them. */
	if (!line->alike)
		buffer_add_format(&text, "%s (", line->kind);
	add_names(summary, place, SUMMARY_NAMED, &text);
	if (line->alike)
		buffer_add_format(&text, "; the first of them: %s", line->words);
	else
		buffer_add_text(&text, ")");
	struct string_list fields = all_fields(summary, place);
	log_entry(line->level, buffer_text(&text), fields.count ? &fields : NULL);
	free(fields.items);
	buffer_free(&text);
}

void summary_log(struct summary *summary, const char *things, const char *more)
{
	size_t lines[LOG_LEVEL_DEBUG + 1] = {0};
	size_t left_out = 0;
	if (summary->count == 0)
		return;
	find_kinds(summary);
	for (size_t i = 0; i < summary->count; i++) {
		const struct summary_line *line = &summary->lines[i];
		bool many = summary->lines[line->first].others >= SUMMARY_EACH;
		if (many && line->first != i)
			continue;
		if (lines[line->level]++ >= SUMMARY_LINES) {
			left_out += many ? line->others + 1 : 1;
			continue;
		}
		if (many) {
			put_many(summary, i, things);
			continue;
		}
		char *text = string_format("%s: %s", line->name, line->words);
		log_entry(line->level, text, line->fields.count ? &line->fields : NULL);
		free(text);
	}
	if (left_out)
		log_warning("%zu more events are not listed here; %s", left_out, more);

	for (size_t i = 0; i < summary->count; i++) {
		free(summary->lines[i].name);
		free(summary->lines[i].kind);
		free(summary->lines[i].words);
		string_list_free(&summary->lines[i].fields);
	}
	free(summary->lines);
	*summary = (struct summary){0};
}
