#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/event.h"
#include "base/log.h"
#include "pass/ended.h"
#include "supervisor/supervisor.h"

enum {
	SECOND_US = 1000000,
	GRACE_SHARE = 10, /* of pass_timeout: over its own deadline before a pass is told to end */
	GRACE_LEAST = 5,  /* seconds */
	GRACE_MOST = 60,
	PAUSE_LEAST = 10, /* between two passes, whatever the note says */
	PAUSE_MOST = 12 * 3600,
	PAUSE_LOCKED = 60, /* while somebody's --renew-now has the lock */
	PAUSE_BLIND = 300, /* at most, while changes cannot be watched */
	CRASH_FIRST = 10,  /* after a pass that left no note, doubling to ... */
	CRASH_MOST = 3600,
};

static int state_open(const struct supervisor *supervisor)
{
	int fd = open(supervisor->settings.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int supervisor_note(const struct supervisor *supervisor, struct note *ret_note)
{
	CLEANUP(closep) int fd = state_open(supervisor);
	*ret_note = (struct note){0};
	return fd < 0 ? fd : note_load(fd, supervisor->settings.state_dir, ret_note, NULL);
}

/* What the pass that has just ended left for us. */
static int read_note(const struct supervisor *supervisor, struct note *note)
{
	int result = supervisor_note(supervisor, note);
	/* It is an older pass's, or the clock was set back while this one ran. */
	if (result == 0 && note->finished_at < supervisor->pass_started &&
	    note->finished_at == supervisor->last_finished)
		return -ESTALE;
	return result;
}

void supervisor_record_end(const struct supervisor *supervisor, const struct ended *ended)
{
	const char *where = supervisor->settings.state_dir;
	struct error error = {0};
	CLEANUP(closep) int fd = state_open(supervisor);
	if (fd < 0)
		return; /* there was no pass yet that could make it */
	int result = ended ? ended_save(fd, where, ended, &error) : ended_remove(fd, where, &error);
	if (result < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

int supervisor_schedule_note(struct supervisor *supervisor, const struct note *note)
{
	int64_t now = clock_now();
	int64_t at = note->next_at;
	char when[CLOCK_TEXT_SIZE];

	if (at < now + PAUSE_LEAST)
		at = now + PAUSE_LEAST;
	if (at > now + PAUSE_MOST)
		at = now + PAUSE_MOST;
	if (supervisor->blind && at > now + PAUSE_BLIND)
		at = now + PAUSE_BLIND;
	CLEANUP(freep)
	char *status = string_format("%lld of %lld certificates current; next: %s at %s",
				     (long long)note->current, (long long)note->certificates,
				     note->next_reason, clock_format(at, when));
	return supervisor_schedule(supervisor, at, status);
}

static int schedule_after_note(struct supervisor *supervisor, struct note *note)
{
	supervisor->crashes = 0;
	supervisor_record_end(supervisor, NULL);
	if (changes_named(supervisor, note))
		return supervisor_pass_start(supervisor);
	return supervisor_schedule_note(supervisor, note);
}

/* `info` is NULL for a pass that could not even be started. */
static int schedule_after_failure(struct supervisor *supervisor, const siginfo_t *info)
{
	int64_t now = clock_now();
	int64_t pause = CRASH_FIRST;
	for (unsigned i = 0; i < supervisor->crashes && pause < CRASH_MOST; i++)
		pause *= 2;
	if (pause > CRASH_MOST)
		pause = CRASH_MOST;
	if (supervisor->crashes++ == 0)
		supervisor->failing_since = now;

	bool exited = !info || info->si_code == CLD_EXITED;
	int code = info ? info->si_status : 0; /* exit status or signal */
	struct ended ended = {
		.at = now,
		.since = supervisor->failing_since,
		.next_at = now + pause,
		.count = supervisor->crashes,
		.signal = exited ? 0 : code,
		.exit_status = exited ? code : 0,
		.out_of_time = supervisor->out_of_time && !exited,
		.configuration = exited && code == EXIT_CONFIGURATION,
	};
	supervisor_record_end(supervisor, &ended);
	CLEANUP(buffer_free) struct buffer words = BUFFER(1024);
	ended_words(&ended, &words);
	CLEANUP(freep)
	char *status = string_format("The last pass %s (%lld in a row); next try in %lld s",
				     buffer_text(&words), (long long)ended.count, (long long)pause);
	/* What kept the pass from its end may be written otherwise before that. */
	changes_watch(supervisor);
	return supervisor_schedule(supervisor, now + pause, status);
}

static void tell_end(const struct supervisor *supervisor, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		return;
	if (supervisor->stopping && info->si_status == SIGTERM) {
		log_notice("the pass has ended; what it left is recovered by the next");
		return;
	}
	event_say(EVENT_PASS_FAILED,
		  "a pass was ended by signal %d (%s%s); what it left is recovered by the next",
		  info->si_status, strsignal(info->si_status),
		  info->si_code == CLD_DUMPED ? ", core dumped" : "");
}

static int schedule_next(struct supervisor *supervisor, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED && info->si_status == EXIT_LOCKED)
		return supervisor_schedule(supervisor, clock_now() + PAUSE_LOCKED,
					   "Another pass holds the lock; trying again soon");
	struct note note = {0};
	int result = -ECHILD;
	if (info->si_code == CLD_EXITED)
		result = read_note(supervisor, &note);
	result = result == 0 ? schedule_after_note(supervisor, &note)
			     : schedule_after_failure(supervisor, info);
	note_free(&note);
	return result;
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *context)
{
	struct supervisor *supervisor = context;
	(void)source;

	supervisor->pass = 0;
	supervisor->child = sd_event_source_disable_unref(supervisor->child);
	supervisor->limit = sd_event_source_disable_unref(supervisor->limit);
	tell_end(supervisor, info);
	if (supervisor->stopping)
		return sd_event_exit(supervisor->event, 0);

	supervisor_ready(supervisor);
	bool again = supervisor->again;
	supervisor->again = false;
	int result = schedule_next(supervisor, info);
	if (result >= 0 && changes_token(supervisor))
		return changes_take(supervisor);
	return result >= 0 && again ? supervisor_pass_start(supervisor) : result;
}

static int on_kill(sd_event_source *source, uint64_t usec, void *context)
{
	struct supervisor *supervisor = context;
	(void)source;
	(void)usec;
	event_say(EVENT_PASS_FAILED, "the pass (process %d) does not end and is killed",
		  (int)supervisor->pass);
	if (supervisor->pass)
		kill(supervisor->pass, SIGKILL);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *context)
{
	struct supervisor *supervisor = context;
	(void)source;
	(void)usec;
	event_say(EVENT_PASS_FAILED,
		  "the pass (process %d) runs longer than pass_timeout and is asked to end",
		  (int)supervisor->pass);
	supervisor->out_of_time = true;
	supervisor_pass_stop(supervisor, STOP_SECONDS);
	return 0;
}

static int set_limit(struct supervisor *supervisor, int64_t seconds,
		     sd_event_time_handler_t handler)
{
	supervisor->limit = sd_event_source_disable_unref(supervisor->limit);
	return sd_event_add_time_relative(supervisor->event, &supervisor->limit, CLOCK_MONOTONIC,
					  (uint64_t)seconds * SECOND_US, SECOND_US, handler,
					  supervisor);
}

static int64_t grace(int64_t timeout)
{
	int64_t share = timeout / GRACE_SHARE;
	return share < GRACE_LEAST ? GRACE_LEAST : share > GRACE_MOST ? GRACE_MOST : share;
}

void supervisor_pass_stop(struct supervisor *supervisor, int64_t seconds)
{
	if (!supervisor->pass)
		return;
	kill(supervisor->pass, SIGTERM);
	if (set_limit(supervisor, seconds, on_kill) < 0)
		kill(supervisor->pass, SIGKILL);
}

/* The child's own world: our signal mask and the notification socket are not its business. */
static int spawn(const struct supervisor *supervisor, pid_t *ret_pid)
{
	char *arguments[] = {string_copy(supervisor->agent), string_copy("--config"),
			     string_copy(supervisor->config_path), string_copy("pass"), NULL};
	size_t count = 0;
	char *environment[256];
	for (char **entry = environ; *entry && count + 1 < ARRAY_SIZE(environment); entry++)
		if (!string_starts(*entry, "NOTIFY_SOCKET=") && !string_starts(*entry, "WATCHDOG_"))
			environment[count++] = *entry;
	environment[count] = NULL;

	posix_spawnattr_t attributes;
	sigset_t none;
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	int result =
		-posix_spawn(ret_pid, supervisor->agent, NULL, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
	for (size_t i = 0; arguments[i]; i++)
		free(arguments[i]);
	return result;
}

int supervisor_pass_start(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return 0;
	if (supervisor->pass) {
		supervisor->again = true;
		return 0;
	}
	supervisor->due = sd_event_source_disable_unref(supervisor->due);
	supervisor->elapsed = sd_event_source_disable_unref(supervisor->elapsed);
	struct note former = {0};
	supervisor_note(supervisor, &former);
	supervisor->last_finished = former.finished_at;
	note_free(&former);
	supervisor->pass_started = clock_now();
	supervisor->out_of_time = false;
	int result = spawn(supervisor, &supervisor->pass);
	if (result < 0) {
		supervisor->pass = 0;
		event_say(EVENT_PASS_FAILED, "cannot start a pass (%s): %s", supervisor->agent,
			  strerror(-result));
		return schedule_after_failure(supervisor, NULL);
	}
	sd_notify(false, "STATUS=A pass is running");
	result = sd_event_add_child(supervisor->event, &supervisor->child, supervisor->pass,
				    WEXITED, on_end, supervisor);
	if (result < 0)
		return result;
	int64_t timeout = supervisor->settings.pass_timeout;
	return set_limit(supervisor, timeout + grace(timeout), on_limit);
}
