#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "supervisor/supervisor.h"

enum {
	NEXT_AFTER = 3600 /* seconds: the timer is hourly */
};

static bool is(const char *value, const char *text)
{
	return value && strcmp(value, text) == 0;
}

/* "SEGV" or "42". */
static int signal_number(const char *text)
{
	for (int number = 1; number < NSIG; number++)
		if (is(sigabbrev_np(number), text))
			return number;
	return atoi(text);
}

static void count(const struct supervisor *supervisor, struct ended *ended)
{
	const char *where = supervisor->settings.state_dir;
	struct ended former = {0};
	CLEANUP(closep) int fd = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ended->at = ended->since = clock_now();
	ended->next_at = ended->at + NEXT_AFTER;
	ended->count = 1;
	if (fd < 0 || ended_load(fd, where, &former, NULL) < 0)
		return;
	ended->since = former.since;
	ended->count = former.count + 1;
}

int supervisor_once_ended(struct supervisor *supervisor)
{
	const char *code = getenv("EXIT_CODE");
	const char *status = getenv("EXIT_STATUS");
	const char *result = getenv("SERVICE_RESULT");
	/* Without it there was no process; without a main file the pass has said so. */
	if (!code || !status || supervisor_settings_load(supervisor) < 0)
		return 0;

	bool exited = is(code, "exited");
	struct ended ended = {
		.signal = exited ? 0 : signal_number(status),
		.exit_status = exited ? atoi(status) : 0,
		.out_of_time = !exited && is(result, "timeout"),
	};
	/* The highest status of a pass that came to its end (DESIGN 6). */
	if (exited && ended.exit_status <= EXIT_CONFIGURATION) {
		supervisor_record_end(supervisor, NULL);
	} else if (exited ? ended.exit_status != EXIT_LOCKED : !is(result, "success")) {
		CLEANUP(buffer_free) struct buffer words = BUFFER(1024);
		count(supervisor, &ended);
		ended_words(&ended, &words);
		event_say(EVENT_PASS_FAILED, "a pass %s; what it left is recovered by the next",
			  buffer_text(&words));
		supervisor_record_end(supervisor, &ended);
	}
	config_agent_free(&supervisor->settings);
	return 0;
}
