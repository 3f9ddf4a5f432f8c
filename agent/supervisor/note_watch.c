/* note_watch.c - a pass of somebody else's (`--renew-now`) may ask for the next one sooner. */
#include "base/clock.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

static void watch_again(struct supervisor *supervisor)
{
	CLEANUP(freep)
	char *path = string_format("%s/" NOTE_FILE, supervisor->settings.state_dir);
	const struct watch_point point = {.path = path};
	struct error error = {0};
	/* Then what our own passes ask for still holds, and twice a day all is looked at. */
	if (watch_set(supervisor->note_watch, &point, 1, &error) < 0)
		log_failure(LOG_LEVEL_INFO, &error);
}

static void on_note(void *context)
{
	struct supervisor *supervisor = context;
	struct note note = {0};
	watch_again(supervisor);
	/* Of our own pass we hear when it has ended. */
	if (supervisor->pass || supervisor->stopping)
		return;
	if (supervisor_note(supervisor, &note) == 0 && note.next_at &&
	    note.next_at < supervisor->due_at)
		supervisor_schedule_note(supervisor, &note);
	note_free(&note);
}

void note_watch_begin(struct supervisor *supervisor)
{
	struct error error = {0};
	if (watch_new(supervisor->event, on_note, supervisor, &supervisor->note_watch, &error) < 0)
		log_failure(LOG_LEVEL_INFO, &error);
	else
		watch_again(supervisor);
}

void note_watch_end(struct supervisor *supervisor)
{
	watch_free(supervisor->note_watch);
	supervisor->note_watch = NULL;
}
