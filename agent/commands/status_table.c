#include <string.h>

#include "base/clock.h"
#include "commands/failed_pass.h"
#include "commands/status.h"
#include "config/duration.h"
#include "pass/awaited.h"

enum {
	BAR_LEAST = 8,
	BAR_MOST = 30,
	COLUMN_LEAST = 8,
	WITHOUT_NAMES = 66, /* a terminal narrower than this shows no column of names */
	WITHOUT_BAR = 52,
	SERVED_ROOM = 256,
};

/* Columns, in characters. 0: it is left out. */
struct widths {
	size_t name, names, served, bar, expires;
};

struct table {
	const struct status *status;
	const struct terminal *terminal;
	struct widths widths;
	struct buffer *text;
};

static const char *colour_of(enum status_grade grade)
{
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[1;31m"};
	return colours[grade];
}

static void colour(const struct table *table, const char *sequence)
{
	if (table->terminal->colour)
		buffer_add_text(table->text, sequence);
}

static char *names_text(const struct pass_job *job)
{
	const struct string_list *names = &job->certificate->hostnames;
	return names->count > 1 ? string_format("%s +%zu", names->items[0], names->count - 1)
				: string_copy(names->items[0]);
}

/* "nginx:7", "apache:6>7" while 7 waits, "tomcat:-" when none was seen yet. */
static char *served_text(const struct table *table, const struct pass_job *job)
{
	struct buffer text = BUFFER(1 << 20);
	const char *arrow = table->terminal->utf8 ? "\u2192" : ">";
	for (size_t i = 0; i < job->target_count; i++) {
		const struct pass_target_job *target_job = &job->targets[i];
		const struct state_target *target =
			state_target_find(&job->state, target_job->target->name);
		unsigned served = target ? target->verified_generation : 0;
		buffer_add_format(&text, "%s%s:", i ? " " : "", target_job->target->name);
		if (served)
			buffer_add_format(&text, "%u", served);
		else
			buffer_add_text(&text, "-");
		if (job->state.newest && served != job->state.newest)
			buffer_add_format(&text, "%s%u", arrow, job->state.newest);
		else if (served && !target_job->verified)
			buffer_add_text(&text, "?");
	}
	if (job->target_count == 0)
		buffer_add_format(&text, job->state.newest ? "(live):%u" : "(live):-",
				  job->state.newest);
	return buffer_take(&text);
}

static char *expires_text(const struct status *status, const struct pass_job *job)
{
	int64_t until = status_until(status, job);
	return until ? status_when(until, status->pass.now) : string_copy("none yet");
}

static void widen(size_t *width, char *text)
{
	size_t needed = terminal_width(text);
	*width = needed > *width ? needed : *width;
	free(text);
}

/* Takes from the widest of the columns until all fit. */
static void narrow(struct widths *widths, size_t room)
{
	size_t *columns[] = {&widths->name, &widths->names, &widths->served};
	while (widths->name + widths->names + widths->served > room) {
		size_t *widest = columns[0];
		for (size_t i = 1; i < ARRAY_SIZE(columns); i++)
			if (*columns[i] > *widest)
				widest = columns[i];
		if (*widest <= COLUMN_LEAST)
			return;
		(*widest)--;
	}
}

static void measure(struct table *table)
{
	const struct pass *pass = &table->status->pass;
	struct widths *widths = &table->widths;
	size_t columns = table->terminal->columns;
	*widths = (struct widths){strlen("CERTIFICATE"), strlen("NAMES"), strlen("SERVED"), 0,
				  strlen("EXPIRES")};
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		widen(&widths->name, string_copy(job->certificate->name));
		widen(&widths->names, names_text(job));
		widen(&widths->served, served_text(table, job));
		widen(&widths->expires, expires_text(table->status, job));
	}
	if (columns < WITHOUT_NAMES)
		widths->names = 0;
	/* The mark, a blank between columns, and one at the end where a terminal would wrap. */
	size_t fixed = 2 + widths->expires + 3 + (widths->names ? 1 : 0) + 1;
	size_t bar = columns < WITHOUT_BAR ? 0 : BAR_LEAST;
	size_t room = columns > fixed + bar ? columns - fixed - bar : 0;
	narrow(widths, room);
	size_t used = widths->name + widths->names + widths->served;
	widths->bar = bar ? bar + (room > used ? room - used : 0) : 0;
	if (widths->bar > BAR_MOST)
		widths->bar = BAR_MOST;
}

/* The lifetime: what has passed, the renewal point, what is left. */
static void bar(struct table *table, const struct pass_job *job)
{
	const struct state *state = &job->state;
	const struct terminal *terminal = table->terminal;
	size_t width = table->widths.bar;
	int64_t begin = state->facts.not_before;
	int64_t length = state->facts.not_after - begin;
	if (!state->newest || length <= 0) {
		terminal_cell(terminal, "", width, true, table->text);
		return;
	}
	int64_t now = table->status->pass.now;
	int64_t passed = (now - begin) * (int64_t)width / length;
	int64_t renewal = (state->renew_at - begin) * (int64_t)width / length;
	/* Only what is left of it and of the window has a colour of its own. */
	enum status_grade grade = now >= state->facts.not_after ? STATUS_LOST
				  : now >= state->renew_at	? STATUS_WAITING
								: STATUS_GOOD;
	colour(table, colour_of(grade));
	for (int64_t i = 0; i < (int64_t)width; i++) {
		bool over = i < passed;
		const char *mark = over ? "=" : "-";
		if (terminal->utf8)
			mark = over ? "\u2501" : "\u2500";
		if (i == renewal)
			mark = !terminal->utf8 ? "|" : over ? "\u253f" : "\u253c";
		buffer_add_text(table->text, mark);
	}
	colour(table, "\033[0m");
}

static void header(struct table *table)
{
	const struct widths *widths = &table->widths;
	const struct terminal *terminal = table->terminal;
	colour(table, "\033[2m");
	buffer_add_text(table->text, "  ");
	terminal_cell(terminal, "CERTIFICATE", widths->name, true, table->text);
	buffer_add_text(table->text, " ");
	terminal_cell(terminal, "NAMES", widths->names, true, table->text);
	buffer_add_text(table->text, widths->names ? " " : "");
	terminal_cell(terminal, "SERVED", widths->served, true, table->text);
	buffer_add_text(table->text, " ");
	terminal_cell(terminal, "LIFETIME", widths->bar, true, table->text);
	buffer_add_text(table->text, widths->bar ? " " : "");
	terminal_cell(terminal, "EXPIRES", widths->expires, false, table->text);
	colour(table, "\033[0m");
	buffer_add_text(table->text, "\n");
}

static void row(struct table *table, const struct pass_job *job)
{
	static const char *const marks[] = {"\u2713", "\u2026", "\u2717", "\u2717"};
	static const char *const plain[] = {"+", ".", "!", "!"};
	const struct terminal *terminal = table->terminal;
	const struct widths *widths = &table->widths;
	enum status_grade grade = status_grade(table->status, job);
	CLEANUP(freep) char *names = names_text(job);
	CLEANUP(freep) char *served = served_text(table, job);
	CLEANUP(freep) char *expires = expires_text(table->status, job);

	colour(table, colour_of(grade));
	buffer_add_format(table->text, "%s ", terminal->utf8 ? marks[grade] : plain[grade]);
	colour(table, "\033[0m");
	terminal_cell(terminal, job->certificate->name, widths->name, true, table->text);
	buffer_add_text(table->text, " ");
	terminal_cell(terminal, names, widths->names, true, table->text);
	buffer_add_text(table->text, widths->names ? " " : "");
	terminal_cell(terminal, served, widths->served, true, table->text);
	buffer_add_text(table->text, " ");
	bar(table, job);
	buffer_add_text(table->text, widths->bar ? " " : "");
	colour(table, grade == STATUS_LOST ? colour_of(grade) : "");
	terminal_cell(terminal, expires, widths->expires, false, table->text);
	colour(table, grade == STATUS_LOST ? "\033[0m" : "");
	buffer_add_text(table->text, "\n");
}

static void line(struct table *table, const char *text)
{
	terminal_paragraph(table->terminal, "    ", 6, text, table->text);
}

static void remedy(struct table *table, const char *text)
{
	if (!text || !text[0])
		return;
	const char *arrow = table->terminal->utf8 ? "      \u2192 " : "      -> ";
	terminal_paragraph(table->terminal, arrow, 9, text, table->text);
}

static void attempt(struct table *table, const char *what, const struct state_attempt *failed)
{
	int64_t now = table->status->pass.now;
	char since[CLOCK_TEXT_SIZE];
	char lasts[DURATION_TEXT_SIZE];
	char next[DURATION_TEXT_SIZE];
	if (!failed->count)
		return;
	CLEANUP(freep)
	char *stuck = string_format(
		"%s: stuck for %s (since %s, %u tr%s, %s), next try in %s", what,
		duration_format(now - failed->since, lasts), clock_format(failed->since, since),
		failed->count, failed->count == 1 ? "y" : "ies", error_class_name(failed->class),
		duration_format(failed->next > now ? failed->next - now : 0, next));
	line(table, stuck);
	CLEANUP(freep)
	char *message = string_format("  %s", failed->message ? failed->message : "");
	line(table, message);
	remedy(table, failed->remedy);
}

static void reasons(struct table *table, const char *what, char *words)
{
	CLEANUP(freep) char *text = string_format("%s: %s", what, words);
	free(words);
	line(table, text);
}

static void target_details(struct table *table, const struct pass_job *job,
			   const struct pass_target_job *target_job)
{
	const char *name = target_job->target->name;
	const struct state_target *target = state_target_find(&job->state, name);
	CLEANUP(freep) char *awaited = awaited_text(&table->status->pass, job, target_job);
	if (awaited) {
		CLEANUP(freep) char *text = string_format("%s: %s", name, awaited);
		line(table, text);
	} else if (target_job->reasons) {
		CLEANUP(freep) char *what = string_format("%s: to be deployed", name);
		reasons(table, what, redeploy_reason_text(target_job->reasons));
	}
	if (target_job->error.code) {
		CLEANUP(freep)
		char *text = string_format("%s: %s", name, target_job->error.message);
		line(table, text);
		remedy(table, error_advice(&target_job->error));
	}
	if (target)
		attempt(table, name, &target->attempt);
}

static void details(struct table *table, const struct pass_job *job)
{
	if (!job->state.newest)
		line(table, "no certificate yet");
	if (job->reissue)
		reasons(table, "to be issued", reissue_reason_text(job->reissue));
	if (job->derive)
		reasons(table, "files to be made anew", redeploy_reason_text(job->derive));
	if (job->error.code) {
		line(table, job->error.message);
		remedy(table, error_advice(&job->error));
	}
	attempt(table, "issuing", &job->state.issue);
	for (size_t i = 0; i < job->target_count; i++)
		target_details(table, job, &job->targets[i]);
}

static void footer(struct table *table)
{
	const struct status *status = table->status;
	const struct pass *pass = &status->pass;
	const struct note *note = &status->note;
	struct buffer text = BUFFER(4096);
	size_t current = 0;
	for (size_t i = 0; i < pass->job_count; i++)
		current += pass_job_current(pass, &pass->jobs[i]);
	buffer_add_format(&text, "%zu of %zu certificates current and verified", current,
			  pass->job_count);
	size_t errors = config_error_count(pass->config);
	if (errors)
		buffer_add_format(&text, "; %zu error%s in the configuration, see `check`", errors,
				  errors == 1 ? "" : "s");
	if (note->finished_at) {
		CLEANUP(freep) char *last = status_when(note->finished_at, pass->now);
		CLEANUP(freep) char *next = status_when(note->next_at, pass->now);
		buffer_add_format(&text, "; last pass %s, next %s (%s)", last,
				  note->next_at > pass->now ? next : "now", note->next_reason);
	} else {
		buffer_add_text(&text, "; no pass has come to its end yet");
	}
	terminal_paragraph(table->terminal, "", 0, buffer_text(&text), table->text);
	buffer_free(&text);
}

void status_table(const struct status *status, const struct terminal *terminal, struct buffer *text)
{
	const struct pass *pass = &status->pass;
	struct table table = {.status = status, .terminal = terminal, .text = text};
	struct error failed = {0};
	if (failed_pass_error(pass, &failed)) {
		terminal_paragraph(terminal, "! ", 2, failed.message, text);
		remedy(&table, failed.remedy);
	}
	if (pass->clock.error.code) {
		terminal_paragraph(terminal, "! ", 2, pass->clock.error.message, text);
		remedy(&table, pass->clock.error.remedy);
	}
	if (pass->job_count == 0) {
		buffer_add_format(text, "no certificates are configured in %s\n",
				  pass->config->path);
		return;
	}
	measure(&table);
	header(&table);
	for (size_t i = 0; i < pass->job_count; i++) {
		row(&table, &pass->jobs[i]);
		details(&table, &pass->jobs[i]);
	}
	footer(&table);
}
