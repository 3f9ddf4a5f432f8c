#include "target/unit_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <systemd/sd-id128.h>
#include <systemd/sd-journal.h>

#include "base/clock.h"
#include "base/words.h"

enum {
	SCAN_LIMIT = 2000,    /* entries looked at, whatever they hold */
	LINE_LIMIT = 2000,    /* bytes of a message */
	EXPLAIN_LINES = 3,    /* quoted in an error */
	EXPLAIN_LENGTH = 300, /* bytes of each */
	EXPLAIN_RECENT = 100, /* lines to choose from */
	/* journald reads what a process wrote to its standard error only when it gets to it. */
	ARRIVAL_PAUSE_MS = 50,
	ARRIVAL_LIMIT_MS = 500,
};

struct line {
	char *text;
	int priority;	   /* 0 to 7 */
	bool from_manager; /* said by systemd about the unit, not by the unit */
};

struct lines {
	struct line *items;
	size_t count;
};

struct query {
	const char *unit;
	int64_t since;	      /* seconds by the wall clock */
	int64_t monotonic_ms; /* when not 0, this counts: no clock change can hide a line */
	int priority;
	size_t most;
};

static void lines_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->items[i].text);
	free(lines->items);
	*lines = (struct lines){0};
}

static bool lines_have(const struct lines *lines, const char *text)
{
	for (size_t i = 0; i < lines->count; i++)
		if (strcmp(lines->items[i].text, text) == 0)
			return true;
	return false;
}

/* The value of a field of the current entry; its length, 0 when there is none. */
static size_t entry_field(sd_journal *journal, const char *name, const char **ret_value)
{
	const void *data = NULL;
	size_t length = 0;
	size_t skip = strlen(name) + 1;

	if (sd_journal_get_data(journal, name, &data, &length) < 0 || length <= skip)
		return 0;
	*ret_value = (const char *)data + skip;
	return length - skip;
}

static bool entry_is_older(sd_journal *journal, const struct query *query)
{
	uint64_t stamp = 0;
	sd_id128_t boot;
	sd_id128_t now;

	if (query->monotonic_ms == 0)
		return sd_journal_get_realtime_usec(journal, &stamp) < 0 ||
		       (int64_t)(stamp / 1000000) < query->since;
	if (sd_journal_get_monotonic_usec(journal, &stamp, &boot) < 0)
		return true;
	if (sd_id128_get_boot(&now) >= 0 && sd_id128_equal(boot, now))
		return (int64_t)(stamp / 1000) < query->monotonic_ms;
	/* Of another boot, or of this one and we cannot tell: a sandbox may show another /proc/sys,
	 * or none. Then the wall clock decides, to the second. */
	int64_t age = (clock_monotonic_ms() - query->monotonic_ms) / 1000 + 1;
	return sd_journal_get_realtime_usec(journal, &stamp) < 0 ||
	       (int64_t)(stamp / 1000000) < clock_now() - age;
}

static int entry_priority(sd_journal *journal)
{
	const char *value = NULL;

	if (entry_field(journal, "PRIORITY", &value) == 1 && value[0] >= '0' && value[0] <= '7')
		return value[0] - '0';
	return 6; /* as journald takes what does not say */
}

static void entry_take(sd_journal *journal, const struct query *query, struct lines *lines)
{
	const char *value = NULL;
	int priority = entry_priority(journal);

	if (priority > query->priority)
		return;
	size_t length = entry_field(journal, "MESSAGE", &value);
	if (length == 0)
		return;
	char *text = words_clean(value, length, LINE_LIMIT);
	if (text[0] == '\0' || lines_have(lines, text)) {
		free(text);
		return;
	}
	lines->items = memory_resize(lines->items, lines->count + 1, sizeof(*lines->items));
	lines->items[lines->count++] = (struct line){
		.text = text,
		.priority = priority,
		.from_manager = entry_field(journal, "UNIT", &value) > 0,
	};
}

/* What the unit's processes said, or what PID 1 (and nobody who only claims so) said about it. */
static int journal_match(sd_journal *journal, const char *unit)
{
	CLEANUP(freep) char *own = string_format("_SYSTEMD_UNIT=%s", unit);
	CLEANUP(freep) char *about = string_format("UNIT=%s", unit);

	int result = sd_journal_add_match(journal, own, 0);
	if (result >= 0)
		result = sd_journal_add_disjunction(journal);
	if (result >= 0)
		result = sd_journal_add_match(journal, about, 0);
	if (result >= 0)
		result = sd_journal_add_match(journal, "_PID=1", 0);
	return result;
}

static void lines_reverse(struct lines *lines)
{
	for (size_t i = 0; i < lines->count / 2; i++) {
		struct line swap = lines->items[i];
		lines->items[i] = lines->items[lines->count - 1 - i];
		lines->items[lines->count - 1 - i] = swap;
	}
}

/* From the newest backwards, so that a long journal costs nothing; oldest first in `lines`. */
static void journal_read(const struct query *query, struct lines *lines)
{
	sd_journal *journal = NULL;

	if (sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY) < 0)
		return;
	sd_journal_set_data_threshold(journal, LINE_LIMIT + sizeof("MESSAGE="));
	if (journal_match(journal, query->unit) >= 0 && sd_journal_seek_tail(journal) >= 0)
		for (size_t seen = 0; seen < SCAN_LIMIT && lines->count < query->most; seen++) {
			if (sd_journal_previous(journal) <= 0 || entry_is_older(journal, query))
				break;
			entry_take(journal, query, lines);
		}
	sd_journal_close(journal);
	lines_reverse(lines);
}

int unit_journal(const char *unit, int64_t since, int priority, size_t most,
		 struct string_list *lines, struct error *error)
{
	CLEANUP(lines_free) struct lines found = {0};

	if (!unit || unit[0] == '\0')
		return error_set(error, ERROR_BUG, -EINVAL, "journal: no unit was named");
	journal_read(
		&(struct query){.unit = unit, .since = since, .priority = priority, .most = most},
		&found);
	for (size_t i = 0; i < found.count; i++)
		string_list_take(lines, TAKE_PTR(found.items[i].text));
	return 0;
}

/*
 * How much a line tells. By its words, not by its priority: what a service writes to standard
 * error is "info" to journald, nginx's [emerg] with file and line among it.
 */
static int line_weight(const struct line *line)
{
	static const char *const worst[] = {"[emerg]", "[alert]", "[crit]", "syntax error",
					    "[ALERT]", "SEVERE",  "fatal"};
	static const char *const bad[] = {"error",   "fail",	  "cannot", "can't",	   "unable",
					  "invalid", "exception", "denied", "no such file"};

	if (line->from_manager)
		return line->priority <= 5 ? 1 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(worst); i++)
		if (strcasestr(line->text, worst[i]))
			return 4;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strcasestr(line->text, bad[i]))
			return 3;
	return line->priority <= 3 ? 3 : 2;
}

/* At most EXPLAIN_LENGTH bytes, never half a character. */
static void explain_add(struct buffer *text, const char *line)
{
	size_t length = strlen(line);

	if (length > EXPLAIN_LENGTH) {
		length = EXPLAIN_LENGTH;
		while (length > 0 && ((unsigned char)line[length] & 0xc0) == 0x80)
			length--;
	}
	buffer_add_format(text, "%s%.*s%s", text->length ? " | " : "", (int)length, line,
			  line[length] ? "..." : "");
}

/*
 * The first of the heaviest lines and what follows it: servers say the cause first and the
 * consequences after ("AH00526: Syntax error on line 3 of ...", "Invalid command ...").
 */
static void explain_choose(const struct lines *lines, struct buffer *text)
{
	size_t first = 0;
	int weight = 0;
	size_t chosen = 0;

	for (size_t i = 0; i < lines->count; i++) {
		int this_weight = line_weight(&lines->items[i]);
		if (this_weight > weight) {
			weight = this_weight;
			first = i;
		}
	}
	for (size_t i = first; weight > 0 && i < lines->count && chosen < EXPLAIN_LINES; i++) {
		const struct line *line = &lines->items[i];
		if (line->from_manager != (weight == 1) || line_weight(line) == 0)
			continue;
		explain_add(text, line->text);
		chosen++;
	}
}

void unit_journal_explain(const char *unit, int64_t since_ms, struct buffer *text)
{
	struct query query = {
		.unit = unit, .monotonic_ms = since_ms, .priority = 7, .most = EXPLAIN_RECENT};
	int64_t patience = clock_monotonic_ms() + ARRIVAL_LIMIT_MS;
	size_t before = 0;

	for (;;) {
		CLEANUP(lines_free) struct lines lines = {0};
		journal_read(&query, &lines);
		/* Nothing new since the last look: all that was said has arrived. */
		bool complete = lines.count > 0 && lines.count == before;
		if (complete || clock_monotonic_ms() >= patience) {
			explain_choose(&lines, text);
			return;
		}
		before = lines.count;
		clock_sleep_ms(ARRIVAL_PAUSE_MS);
	}
}
