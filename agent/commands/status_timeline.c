#include <string.h>

#include "base/clock.h"
#include "commands/status_page.h"
#include "pass/schedule.h"
#include "store/generation.h"

enum {
	LANES = 5, /* generations in the picture, the newest ones */
	LANE_HEIGHT = 18,
	BAR_HEIGHT = 12,
	TOP = 18, /* for the word "now" */
};

struct lane {
	unsigned number;
	int64_t begin, end;
};

/* One picture: moments become shares of the width. */
struct picture {
	const struct status *status;
	const struct pass_job *job;
	struct buffer *page;
	struct lane lanes[LANES];
	size_t count;
	int64_t begin, end;
	unsigned height;
};

static void lanes_read(struct picture *picture)
{
	const struct pass_job *job = picture->job;
	const struct state *state = &job->state;
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	if (store_certificate_open(&picture->status->pass.store, job->certificate->name, false,
				   &directory, NULL) == 0)
		generation_list(directory, job->where, &numbers, &count, NULL);
	size_t first = count > LANES ? count - LANES : 0;
	for (size_t i = first; i < count; i++) {
		CLEANUP(X509_freep) X509 *leaf = NULL;
		CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
		struct lane *lane = &picture->lanes[picture->count];
		if (numbers[i] == 0)
			continue;
		if (numbers[i] == state->newest)
			*lane = (struct lane){numbers[i], state->facts.not_before,
					      state->facts.not_after};
		else if (generation_leaf(directory, job->where, numbers[i], &leaf, NULL) == 0 &&
			 leaf_facts_read(leaf, &facts, NULL) == 0)
			*lane = (struct lane){numbers[i], facts.not_before, facts.not_after};
		picture->count += lane->number != 0;
	}
}

/* From the first thing that happened to the last that will; never longer than three lifetimes. */
static void range(struct picture *picture)
{
	const struct state *state = &picture->job->state;
	int64_t now = picture->status->pass.now;
	picture->begin = now - CLOCK_DAY;
	picture->end = now + CLOCK_DAY;
	for (size_t i = 0; i < picture->count; i++) {
		const struct lane *lane = &picture->lanes[i];
		if (lane->begin < picture->begin)
			picture->begin = lane->begin;
		if (lane->end > picture->end)
			picture->end = lane->end;
	}
	for (size_t i = 0; i < state->history_count; i++)
		if (state->history[i].at < picture->begin)
			picture->begin = state->history[i].at;
	int64_t lifetime = state->newest ? state->facts.not_after - state->facts.not_before : 0;
	if (lifetime > CLOCK_DAY && picture->begin < now - 2 * lifetime)
		picture->begin = now - 2 * lifetime;
	int64_t margin = (picture->end - picture->begin) / 50;
	picture->begin -= margin;
	picture->end += margin;
}

/* Percent of the width, within the picture. */
static double place(const struct picture *picture, int64_t time)
{
	double share = (double)(time - picture->begin) / (double)(picture->end - picture->begin);
	return share < 0 ? 0 : share > 1 ? 100 : share * 100;
}

static void rectangle(const struct picture *picture, const char *class, int64_t from, int64_t to,
		      unsigned y, const char *title)
{
	double left = place(picture, from);
	double width = place(picture, to) - left;
	buffer_add_format(picture->page,
			  "<rect class=\"%s\" x=\"%.2f%%\" y=\"%u\" width=\"%.2f%%\" "
			  "height=\"%d\" rx=\"3\"><title>",
			  class, left, y, width < 0.6 ? 0.6 : width, BAR_HEIGHT);
	page_text(picture->page, title);
	buffer_add_text(picture->page, "</title></rect>");
}

static void lane(const struct picture *picture, size_t index)
{
	const struct lane *one = &picture->lanes[index];
	const struct state *state = &picture->job->state;
	unsigned y = TOP + (unsigned)index * LANE_HEIGHT;
	bool newest = one->number == state->newest;
	char from[CLOCK_TEXT_SIZE];
	char until[CLOCK_TEXT_SIZE];
	CLEANUP(freep)
	char *title = string_format("generation %u: %s to %s", one->number,
				    clock_format(one->begin, from), clock_format(one->end, until));
	rectangle(picture, newest ? "newest" : "lane", one->begin, one->end, y, title);
	if (newest) {
		struct renewal renewal = schedule_renewal(picture->status->pass.config,
							  picture->job->certificate, &state->facts);
		CLEANUP(freep)
		char *window =
			string_format("renewal from %s on", clock_format(renewal.window, from));
		rectangle(picture, "window", renewal.window, one->end, y, window);
	}
	double left = place(picture, one->begin);
	buffer_add_format(picture->page, "<text x=\"%.2f%%\" y=\"%u\" dx=\"%d\"%s>%u</text>", left,
			  y + BAR_HEIGHT - 2, left > 4 ? -4 : -3, " text-anchor=\"end\"",
			  one->number);
}

static bool is_failure(const struct state_event *event)
{
	enum event_kind kind = event_find(event->event);
	return kind == EVENT_HELD || kind == EVENT_ROLLED_BACK || kind == EVENT_REVOKED ||
	       kind == EVENT_FAILED_TRANSIENT;
}

/* What happened, in a lane of its own below the generations. */
static void incidents(const struct picture *picture)
{
	const struct state *state = &picture->job->state;
	unsigned y = TOP + (unsigned)picture->count * LANE_HEIGHT;
	for (size_t i = 0; i < state->history_count; i++) {
		const struct state_event *event = &state->history[i];
		char at[CLOCK_TEXT_SIZE];
		if (event->last < picture->begin)
			continue;
		CLEANUP(freep)
		char *title = string_format("%s %s: %.200s", clock_format(event->at, at),
					    event->event, event->message ? event->message : "");
		if (is_failure(event)) {
			rectangle(picture, "incident", event->at, event->last, y, title);
			continue;
		}
		buffer_add_format(picture->page,
				  "<circle class=\"%s\" cx=\"%.2f%%\" cy=\"%d\" r=\"4\"><title>",
				  event_find(event->event) == EVENT_DEPLOYED ? "good" : "rest",
				  place(picture, event->at), (int)y + BAR_HEIGHT / 2);
		page_text(picture->page, title);
		buffer_add_text(picture->page, "</title></circle>");
	}
}

static void now_line(const struct picture *picture)
{
	double x = place(picture, picture->status->pass.now);
	const char *anchor = x < 10 ? "start" : x > 90 ? "end" : "middle";
	buffer_add_format(picture->page,
			  "<line class=\"now\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"14\" y2=\"%u\"/>"
			  "<text class=\"nowtext\" x=\"%.2f%%\" y=\"10\" text-anchor=\"%s\">now"
			  "</text>",
			  x, x, picture->height, x, anchor);
}

void page_timeline(const struct status *status, const struct pass_job *job, struct buffer *page)
{
	struct picture picture = {.status = status, .job = job, .page = page};
	lanes_read(&picture);
	range(&picture);
	picture.height = TOP + ((unsigned)picture.count + 1) * LANE_HEIGHT;
	buffer_add_format(page, "<figure><svg height=\"%u\" role=\"img\" aria-label=\"timeline of ",
			  picture.height);
	page_text(page, job->certificate->name);
	buffer_add_text(page, "\">");
	for (size_t i = 0; i < picture.count; i++)
		lane(&picture, i);
	incidents(&picture);
	now_line(&picture);
	buffer_add_text(page, "</svg>\n<figcaption><span>");
	page_time(page, picture.begin);
	buffer_add_text(page, "</span><span>");
	page_time(page, picture.end);
	buffer_add_text(page, "</span></figcaption></figure>\n");
}
