#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "base/paths.h"
#include "commands/failed_pass.h"
#include "commands/status_page.h"
#include "config/duration.h"
#include "pass/awaited.h"

enum {
	NAMES_SHOWN = 12,
	TEXT_SHOWN = 2000, /* bytes of one text from outside */
};

void page_text(struct buffer *page, const char *text)
{
	size_t left = TEXT_SHOWN;
	for (; text && *text && left; text++, left--) {
		unsigned char letter = (unsigned char)*text;
		if (letter == '&')
			buffer_add_text(page, "&amp;");
		else if (letter == '<')
			buffer_add_text(page, "&lt;");
		else if (letter == '>')
			buffer_add_text(page, "&gt;");
		else if (letter == '"')
			buffer_add_text(page, "&quot;");
		else if (letter == '\'')
			buffer_add_text(page, "&#39;");
		else if (letter < 0x20 || letter == 0x7f)
			buffer_add_text(page, " ");
		else
			buffer_add(page, text, 1);
	}
}

void page_time(struct buffer *page, int64_t time)
{
	char text[CLOCK_TEXT_SIZE];
	clock_format(time, text);
	buffer_add_format(page, "%.10s %.5s UTC", text, strlen(text) > 11 ? text + 11 : "");
}

static void sum(struct buffer *page, const char *grade, size_t count, const char *what)
{
	buffer_add_format(page, "<li class=\"%s\"><b class=\"chip\">%zu</b>%s</li>\n", grade, count,
			  what);
}

static void summary(const struct status *status, struct buffer *page)
{
	const struct pass *pass = &status->pass;
	size_t counts[STATUS_LOST + 1] = {0};
	for (size_t i = 0; i < pass->job_count; i++)
		counts[status_grade(status, &pass->jobs[i])]++;
	buffer_add_text(page, "<ul class=\"sums\">\n");
	sum(page, "good", counts[STATUS_GOOD], "current and verified");
	sum(page, "waiting", counts[STATUS_WAITING], "waiting");
	sum(page, "failing", counts[STATUS_FAILING], "failing");
	sum(page, "lost", counts[STATUS_LOST], "not valid");
	size_t errors = config_error_count(pass->config);
	if (errors)
		sum(page, "failing", errors, "configuration errors");
	buffer_add_text(page, "</ul>\n");
}

static void trouble(struct buffer *page, const char *what, const char *message, const char *remedy)
{
	buffer_add_text(page, "<div class=\"trouble\"><b>");
	page_text(page, what);
	buffer_add_text(page, "</b> ");
	page_text(page, message);
	if (remedy && remedy[0]) {
		buffer_add_text(page, "<p class=\"soft\">\u2192 ");
		page_text(page, remedy);
		buffer_add_text(page, "</p>");
	}
	buffer_add_text(page, "</div>\n");
}

static void top(const struct status *status, struct buffer *page)
{
	struct utsname host;
	const struct note *note = &status->note;
	buffer_add_text(page, "<h1>Origin CA certificates of ");
	page_text(page, uname(&host) == 0 ? host.nodename : "this host");
	buffer_add_text(page, "</h1>\n<p class=\"soft small\">As of ");
	page_time(page, status->pass.now);
	if (note->finished_at) {
		CLEANUP(freep) char *last = status_when(note->finished_at, status->pass.now);
		CLEANUP(freep) char *next = status_when(note->next_at, status->pass.now);
		buffer_add_format(page, "; last pass %s, next %s (", last,
				  note->next_at > status->pass.now ? next : "now");
		page_text(page, note->next_reason);
		buffer_add_text(page, ")");
	}
	buffer_add_format(page, ". origin-ca-agent %s</p>\n", path_version);
	struct error failed = {0};
	if (failed_pass_error(&status->pass, &failed))
		trouble(page, "Problem:", failed.message, failed.remedy);
	if (status->pass.clock.error.code)
		trouble(page, "Clock:", status->pass.clock.error.message,
			status->pass.clock.error.remedy);
}

static void names(const struct pass_job *job, struct buffer *page)
{
	const struct string_list *list = &job->certificate->hostnames;
	buffer_add_text(page, "<p class=\"names\">");
	for (size_t i = 0; i < list->count && i < NAMES_SHOWN; i++) {
		buffer_add_text(page, i ? ", " : "");
		page_text(page, list->items[i]);
	}
	if (list->count > NAMES_SHOWN)
		buffer_add_format(page, " and %zu more", list->count - NAMES_SHOWN);
	buffer_add_text(page, "</p>\n");
}

static void targets(const struct pass_job *job, struct buffer *page)
{
	buffer_add_text(page, "<ul class=\"targets\">");
	for (size_t i = 0; i < job->target_count; i++) {
		const struct pass_target_job *target_job = &job->targets[i];
		const struct state_target *target =
			state_target_find(&job->state, target_job->target->name);
		unsigned served = target ? target->verified_generation : 0;
		buffer_add_text(page, target_job->verified ? "<li>" : "<li class=\"bad\">");
		page_text(page, target_job->target->name);
		if (!served)
			buffer_add_text(page, ": not seen serving yet");
		else if (served == job->state.newest)
			buffer_add_format(page, ": generation %u", served);
		else
			buffer_add_format(page, ": generation %u, %u waits", served,
					  job->state.newest);
		buffer_add_text(page, "</li>");
	}
	if (job->target_count == 0)
		buffer_add_text(page, "<li>for other readers, in live/</li>");
	buffer_add_text(page, "</ul>\n");
}

static bool attempt(const struct status *status, const char *what,
		    const struct state_attempt *failed, struct buffer *page)
{
	char lasts[DURATION_TEXT_SIZE];
	if (!failed->count)
		return false;
	CLEANUP(freep)
	char *text = string_format("%s, stuck for %s:", what,
				   duration_format(status->pass.now - failed->since, lasts));
	trouble(page, text, failed->message, failed->remedy);
	return true;
}

static void troubles(const struct status *status, const struct pass_job *job, struct buffer *page)
{
	if (!attempt(status, "Issuing", &job->state.issue, page) && job->error.code)
		trouble(page, "Problem:", job->error.message, error_advice(&job->error));
	for (size_t i = 0; i < job->target_count; i++) {
		const struct pass_target_job *target_job = &job->targets[i];
		const char *name = target_job->target->name;
		const struct state_target *target = state_target_find(&job->state, name);
		CLEANUP(freep) char *awaited = awaited_text(&status->pass, job, target_job);
		if (awaited)
			trouble(page, name, awaited, NULL);
		if (!(target && attempt(status, name, &target->attempt, page)) &&
		    target_job->error.code)
			trouble(page, name, target_job->error.message,
				error_advice(&target_job->error));
	}
}

static void history(const struct state *state, struct buffer *page)
{
	if (state->history_count == 0)
		return;
	buffer_add_text(page, "<details><summary>History</summary><ol>\n");
	for (size_t i = state->history_count; i > 0; i--) {
		const struct state_event *event = &state->history[i - 1];
		buffer_add_text(page, "<li><time>");
		page_time(page, event->last);
		buffer_add_text(page, "</time><b>");
		page_text(page, event->event);
		if (event->count > 1)
			buffer_add_format(page, " \u00d7 %u", event->count);
		buffer_add_text(page, "</b><span>");
		page_text(page, event->message);
		buffer_add_text(page, "</span></li>\n");
	}
	buffer_add_text(page, "</ol></details>\n");
}

static void card(const struct status *status, const struct pass_job *job, struct buffer *page)
{
	static const char *const words[] = {"current and verified", "waiting", "failing",
					    "not valid"};
	enum status_grade grade = status_grade(status, job);
	int64_t until = status_until(status, job);
	buffer_add_format(page, "<article class=\"%s\">\n<div class=\"top\"><h2>",
			  status_grade_name(grade));
	page_text(page, job->certificate->name);
	buffer_add_format(page, "</h2><span class=\"chip\">%s</span><span class=\"end\">",
			  words[grade]);
	if (until) {
		CLEANUP(freep) char *when = status_when(until, status->pass.now);
		buffer_add_format(page, "%s %s", until > status->pass.now ? "ends" : "ended", when);
	} else {
		buffer_add_text(page, "no certificate yet");
	}
	buffer_add_text(page, "</span></div>\n");
	names(job, page);
	targets(job, page);
	troubles(status, job, page);
	page_timeline(status, job, page);
	history(&job->state, page);
	buffer_add_text(page, "</article>\n");
}

void status_html(const struct status *status, struct buffer *page)
{
	const struct pass *pass = &status->pass;
	buffer_add_text(page, status_page_head);
	buffer_add_text(page, "<body>\n<main>\n");
	top(status, page);
	summary(status, page);
	buffer_add_text(page,
			"<p class=\"key\"><span><i style=\"--c:var(--goodbar)\"></i>newest "
			"generation</span><span><i style=\"--c:var(--waitbar)\"></i>its renewal "
			"window</span><span><i style=\"--c:var(--old)\"></i>former "
			"generations</span><span><i style=\"--c:var(--failbar)\"></i>something "
			"failed</span></p>\n");
	if (pass->job_count == 0)
		buffer_add_text(page, "<p>No certificates are configured.</p>\n");
	/* What needs somebody comes first. */
	for (int grade = STATUS_LOST; grade >= STATUS_GOOD; grade--)
		for (size_t i = 0; i < pass->job_count; i++)
			if (status_grade(status, &pass->jobs[i]) == (enum status_grade)grade)
				card(status, &pass->jobs[i], page);
	buffer_add_text(page, "</main>\n</body>\n</html>\n");
}
