#include "base/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "base/clock.h"

enum {
	ALREADY_CUT_MS = 100, /* as far as a deadline that was made by stop_cut() may be off */
};

static _Atomic int64_t stopped_at; /* clock_monotonic_ms(); 0: nobody asked */
static _Atomic int64_t cut_at;	   /* what stop_cut() brings deadlines forward to */

static void on_signal(int number)
{
	struct timespec now;
	(void)number;
	/* clock_gettime(2) may be called here: signal-safety(7). */
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t at = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	if (stopped_at)
		return;
	cut_at = at + STOP_FORWARD_MS;
	stopped_at = at;
}

void stop_catch(void)
{
	/* poll(2), nanosleep(2) and their like end early all the same: signal(7). */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	action.sa_flags |= (int)SA_RESETHAND;
	sigaction(SIGINT, &action, NULL);
}

bool stop_requested(void)
{
	return stopped_at != 0;
}

bool stop_answer_over(void)
{
	return stopped_at && clock_monotonic_ms() >= stopped_at + STOP_ANSWER_MS;
}

int64_t stop_cut(int64_t deadline_ms)
{
	return stopped_at && cut_at < deadline_ms ? cut_at : deadline_ms;
}

bool stop_cut_off(int64_t deadline_ms)
{
	return stopped_at && cut_at < deadline_ms + ALREADY_CUT_MS;
}

void stop_turn_back(void)
{
	if (!stopped_at)
		return;
	int64_t until = clock_monotonic_ms() + STOP_BACK_MS;
	int64_t most = stopped_at + STOP_MOST_MS;
	cut_at = until < most ? until : most;
}

int stop_error(struct error *error, const char *what)
{
	return error_set(error, ERROR_TRANSIENT, -ECANCELED, "%s, because the agent is stopping",
			 what);
}
