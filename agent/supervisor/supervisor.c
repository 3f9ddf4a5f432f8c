#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"

#define SECOND_US UINT64_C(1000000)

enum {
	READY_AT_LATEST = 10, /* seconds: whoever is ordered after us must not wait for an API */
};

void supervisor_ready(struct supervisor *supervisor)
{
	if (!supervisor->said_ready)
		sd_notify(false, "READY=1");
	supervisor->said_ready = true;
	supervisor->ready = sd_event_source_disable_unref(supervisor->ready);
}

static int on_ready(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	supervisor_ready(context);
	return 0;
}

static int on_due(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	return supervisor_pass_start(context);
}

int supervisor_schedule(struct supervisor *supervisor, int64_t at, const char *status)
{
	uint64_t usec = (uint64_t)at * SECOND_US;
	supervisor->due_at = at;
	sd_notifyf(false, "STATUS=%s", status);
	malloc_trim(0);

	/* CLOCK_REALTIME: a certificate expires by the wall clock, also over suspend and steps
	 * ahead. A step back would put that moment off by as much, so the time that passes counts,
	 * too, whichever comes first. */
	int64_t pause = at - clock_now();
	supervisor->due = sd_event_source_disable_unref(supervisor->due);
	supervisor->elapsed = sd_event_source_disable_unref(supervisor->elapsed);
	int result = sd_event_add_time(supervisor->event, &supervisor->due, CLOCK_REALTIME, usec,
				       SECOND_US, on_due, supervisor);
	if (result < 0)
		return result;
	return sd_event_add_time_relative(supervisor->event, &supervisor->elapsed, CLOCK_BOOTTIME,
					  (uint64_t)(pause > 0 ? pause : 0) * SECOND_US, SECOND_US,
					  on_due, supervisor);
}

int supervisor_settings_load(struct supervisor *supervisor)
{
	struct config_agent fresh = {0};
	struct error error = {0};
	int result = config_agent_load(supervisor->config_path, &fresh, &error);
	if (result < 0) {
		log_failure(LOG_LEVEL_ERROR, &error);
		return result;
	}
	config_agent_free(&supervisor->settings);
	supervisor->settings = fresh;
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct supervisor *supervisor = context;
	struct timespec now;
	(void)source;
	(void)info;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)now.tv_sec * SECOND_US +
			   (unsigned long long)now.tv_nsec / 1000);
	log_notice("reloading the configuration");
	if (supervisor_settings_load(supervisor) < 0)
		log_warning("the former [agent] settings stay in force");
	/* READY=1 ends the reload even after a bad one; the pass tells of everything else. */
	sd_notify(false, "READY=1");
	supervisor->said_ready = true;
	supervisor->ready = sd_event_source_disable_unref(supervisor->ready);
	changes_watch(supervisor);
	return supervisor_pass_start(supervisor);
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
	struct supervisor *supervisor = context;
	(void)source;
	(void)info;

	sd_notify(false, "STOPPING=1\nSTATUS=Stopping");
	supervisor->stopping = true;
	if (!supervisor->pass)
		return sd_event_exit(supervisor->event, 0);
	log_notice("stopping; a pass is running and is asked to end");
	supervisor_pass_stop(supervisor, STOP_SECONDS);
	return 0;
}

static int prepare(struct supervisor *supervisor)
{
	static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
	sigset_t signals;
	sigemptyset(&signals);
	for (size_t i = 0; i < ARRAY_SIZE(handled); i++)
		sigaddset(&signals, handled[i]);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;

	int result = sd_event_default(&supervisor->event);
	if (result >= 0)
		result = sd_event_add_signal(supervisor->event, NULL, SIGTERM, on_stop, supervisor);
	if (result >= 0)
		result = sd_event_add_signal(supervisor->event, NULL, SIGINT, on_stop, supervisor);
	if (result >= 0)
		result =
			sd_event_add_signal(supervisor->event, NULL, SIGHUP, on_reload, supervisor);
	if (result >= 0)
		result = sd_event_set_watchdog(supervisor->event, true);
	if (result >= 0)
		result = sd_event_add_time_relative(supervisor->event, &supervisor->ready,
						    CLOCK_MONOTONIC, READY_AT_LATEST * SECOND_US,
						    SECOND_US, on_ready, supervisor);
	if (result >= 0)
		result = supervisor_clock_watch(supervisor);
	return result;
}

int supervisor_run(struct supervisor *supervisor)
{
	if (supervisor_settings_load(supervisor) < 0)
		return EXIT_CONFIGURATION;

	int result = prepare(supervisor);
	if (result >= 0) {
		changes_begin(supervisor);
		note_watch_begin(supervisor);
		result = supervisor_pass_start(supervisor);
	}
	if (result >= 0)
		result = sd_event_loop(supervisor->event);
	if (result < 0)
		log_error("the agent's event loop failed: %s", strerror(-result));

	sd_event_source_disable_unref(supervisor->due);
	sd_event_source_disable_unref(supervisor->elapsed);
	sd_event_source_disable_unref(supervisor->ready);
	sd_event_source_disable_unref(supervisor->child);
	sd_event_source_disable_unref(supervisor->limit);
	changes_end(supervisor);
	note_watch_end(supervisor);
	sd_event_source_disable_unref(supervisor->clock_set);
	sd_event_unref(supervisor->event);
	config_agent_free(&supervisor->settings);
	return result < 0 ? 1 : result;
}
