/*
 * supervisor.h - the agent while nothing is due: timers, signals, the watchdog, inotify, and passes
 * as child processes (DESIGN 3). Holds no secret, talks to no network, loads neither libcurl nor
 * OpenSSL.
 */
#ifndef ORIGIN_CA_SUPERVISOR_SUPERVISOR_H
#define ORIGIN_CA_SUPERVISOR_SUPERVISOR_H

#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "config/model.h"
#include "pass/ended.h"
#include "pass/note.h"
#include "supervisor/watch.h"

enum {
	STOP_SECONDS = 40, /* for a pass that is told to stop (base/stop.h: it takes at most 30);
			      the unit's TimeoutStopSec= is longer */
};

enum {
	EXIT_ANEW = 75,		/* EX_TEMPFAIL: the unit starts the service again */
	EXIT_CONFIGURATION = 3, /* DESIGN 6; also a pass's */
	EXIT_LOCKED = 4,
};

/* The token's file, by what can be seen of it from outside. All 0: it is not there. */
struct token_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

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
	int64_t last_finished;		  /* what the note said when the pass started */
	pid_t pass;			  /* 0: none runs */
	unsigned crashes;		  /* passes in a row that left no note */
	int64_t failing_since;		  /* when the first of them ended */
	bool out_of_time;		  /* the running pass outlived its deadline */
	bool said_ready, stopping, again; /* again: a change came while a pass ran */

	/* changes.h */
	struct watch *watch;	  /* NULL while there is none to be had */
	sd_event_source *quiet;	  /* until nothing more is written */
	int64_t changed_ms;	  /* the first change that no pass was started for; 0: none */
	struct string_list named; /* files that the last pass named */
	char *token_path; /* where systemd takes the credential from, unless told otherwise */
	struct token_stamp token; /* as it was when we were started */
	bool credential;	  /* a pass uses the credential */
	bool blind;		  /* changes cannot be watched: look from time to time */
	char blind_words[ERROR_MESSAGE_SIZE]; /* why, as it was told */
	int64_t began_ms;

	struct watch *note_watch; /* note_watch.c */
	int64_t due_at;		  /* what is scheduled, wall clock */
};

/* Runs until SIGTERM or SIGINT; gives the exit status of the process. */
int supervisor_run(struct supervisor *supervisor);

/* Starts a pass now, or remembers to when one runs. */
int supervisor_pass_start(struct supervisor *supervisor);

/* Asks a running pass to end within `seconds`; it is killed when it does not. */
void supervisor_pass_stop(struct supervisor *supervisor, int64_t seconds);

/* Sets the moment of the next pass, and tells systemd in STATUS=. */
int supervisor_schedule(struct supervisor *supervisor, int64_t at, const char *status);

/* From now on a pass follows when the wall clock was set, either way (clock_watch.c). */
int supervisor_clock_watch(struct supervisor *supervisor);

/* READY=1, once. */
void supervisor_ready(struct supervisor *supervisor);

/* Reads [agent] again. Settings that were good stay in force when the file has turned bad. */
int supervisor_settings_load(struct supervisor *supervisor);

/* How a pass ended that left no result, for `status`; NULL: all is well again. */
void supervisor_record_end(const struct supervisor *supervisor, const struct ended *ended);

/* The same for a pass of the timer that has just ended, as systemd tells it in the environment of
 * ExecStopPost= (systemd.exec(5)). Gives the exit status of the process. */
int supervisor_once_ended(struct supervisor *supervisor);

/* The note that is there, whoever left it. */
int supervisor_note(const struct supervisor *supervisor, struct note *ret_note);

/* Starts watching; before the first pass reads anything. */
void changes_begin(struct supervisor *supervisor);

/* Watches what the settings and the last pass name now; never fails, but may be blind. */
void changes_watch(struct supervisor *supervisor);

/* Takes over the files that a note names. True when one of them changed before it was watched. */
bool changes_named(struct supervisor *supervisor, struct note *note);

/* True when the source of the credential is another than what we were started with. */
bool changes_token(struct supervisor *supervisor);

/* Ends the supervisor for that with EXIT_ANEW, now or when it is no longer young; not during a
 * pass. */
int changes_take(struct supervisor *supervisor);

void changes_end(struct supervisor *supervisor);

/* Sets the moment that a note asks for, within bounds. */
int supervisor_schedule_note(struct supervisor *supervisor, const struct note *note);

/* From here on a pass that somebody else ran brings the next one forward (note_watch.c). */
void note_watch_begin(struct supervisor *supervisor);
void note_watch_end(struct supervisor *supervisor);

#endif
