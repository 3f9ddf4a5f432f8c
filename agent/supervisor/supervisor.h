/*
 * supervisor.h - the agent while nothing is due: timers, signals, the watchdog, and passes as
 * child processes (DESIGN 3). Holds no secret, talks to no network, loads neither libcurl nor
 * OpenSSL.
 */
#ifndef ORIGIN_CA_SUPERVISOR_SUPERVISOR_H
#define ORIGIN_CA_SUPERVISOR_SUPERVISOR_H

#include <systemd/sd-event.h>

#include "config/model.h"

struct supervisor {
	const char *agent; /* path of the executable that is started for a pass */
	const char *config_path;
	struct config_agent settings;
	sd_event *event;
	sd_event_source *elapsed;
	sd_event_source *due;		  /* when the next pass starts, by the wall clock */
	sd_event_source *ready;		  /* the latest moment to say READY=1 */
	sd_event_source *child, *limit;	  /* the running pass and its deadline; NULL */
	sd_event_source *clock_set;	  /* the wall clock was set by somebody */
	int64_t clock_difference;	  /* wall clock minus the time since boot */
	int64_t pass_started;		  /* wall clock */
	pid_t pass;			  /* 0: none runs */
	unsigned crashes;		  /* passes in a row that left no note */
	bool said_ready, stopping, again; /* again: a reload came while a pass ran */
};

/* Runs until SIGTERM or SIGINT; gives the exit status of the process. */
int supervisor_run(struct supervisor *supervisor);

/* Starts a pass now, or remembers to when one runs. */
int supervisor_pass_start(struct supervisor *supervisor);

/* Asks a running pass to end; it is killed when it does not. */
void supervisor_pass_stop(struct supervisor *supervisor);

/* Sets the moment of the next pass, and tells systemd in STATUS=. */
int supervisor_schedule(struct supervisor *supervisor, int64_t at, const char *status);

/* From now on a pass follows when the wall clock was set, either way (clock_watch.c). */
int supervisor_clock_watch(struct supervisor *supervisor);

/* READY=1, once. */
void supervisor_ready(struct supervisor *supervisor);

#endif
