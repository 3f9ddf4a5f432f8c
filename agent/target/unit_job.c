#include "target/unit_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"

enum {
	/* How often a state that passes is looked at again. */
	LOOK_AGAIN_MS = 50,
	/*
	 * How long the unit must stay up after its job before we believe it: Apache httpd's reload
	 * job is done when the signal was sent, and httpd exits over a bad key a moment later; a
	 * Type=simple service is "started" before its program was even read.
	 */
	STAY_UP_MS = 500,
	LINES_LIMIT = 700, /* bytes of journal in an error's message */
};

static const struct verb {
	const char *method; /* of org.freedesktop.systemd1.Manager */
	const char *word;
} verbs[] = {
	[UNIT_RELOAD] = {"ReloadUnit", "reload"},
	[UNIT_TRY_RESTART] = {"TryRestartUnit", "restart"},
	[UNIT_START] = {"StartUnit", "start"},
	[UNIT_TEST] = {"StartUnit", "test"},
};

struct job {
	struct unit_bus *bus;
	const char *unit;
	const struct verb *verb;
	int64_t timeout_ms;
	int64_t deadline; /* clock_monotonic_ms() */
	int64_t began;
	uint32_t number; /* what `systemctl list-jobs` shows */
	char *path;	 /* of our job's object, NULL until it is queued */
	bool removed;
	char result[32];
	int exit_status; /* of a test's main process, as it was last told */
};

static void job_free(struct job *job)
{
	free(job->path);
}

static bool state_is(const struct unit_status *status, const char *state)
{
	return strcmp(status->active_state, state) == 0;
}

/* Waiting for the next try after it died: "activating", but nobody is there. */
static bool in_auto_restart(const struct unit_status *status)
{
	return state_is(status, "activating") && strcmp(status->sub_state, "auto-restart") == 0;
}

/* On its way up or down, so that nothing can be said yet. */
static bool state_passes(const struct unit_status *status)
{
	if (in_auto_restart(status))
		return false;
	return state_is(status, "activating") || state_is(status, "deactivating") ||
	       state_is(status, "maintenance");
}

static bool job_is_late(const struct job *job)
{
	return clock_monotonic_ms() >= stop_cut(job->deadline);
}

/* Waiting for it ended before the deadline, as the agent is told to stop. */
static int job_cut_error(const struct job *job, struct error *error)
{
	CLEANUP(freep)
	char *what = string_format("%s: %s: not waited for to its end", job->unit, job->verb->word);
	return stop_error(error, what);
}

/* Every call from here on ends at the deadline (with a little left to say so). */
static void job_limit_calls(const struct job *job)
{
	int64_t left = job->deadline - clock_monotonic_ms();
	sd_bus_set_method_call_timeout(job->bus->connection,
				       (uint64_t)(left > 100 ? left : 100) * 1000);
}

static int job_status(const struct job *job, struct unit_status *ret_status, struct error *error)
{
	job_limit_calls(job);
	int result = unit_status(job->bus, job->unit, ret_status, error);
	if (result == -ENOTCONN)
		return error_set(error, ERROR_DEPLOY, -ECONNRESET,
				 "%s: the system bus closed the connection", job->unit);
	return result;
}

/* Lets a moment pass without leaving what arrives unread. */
static int job_pause(const struct job *job, struct error *error)
{
	int64_t until = clock_monotonic_ms() + LOOK_AGAIN_MS;

	if (until > job->deadline)
		until = job->deadline;
	while (clock_monotonic_ms() < until) {
		int result = unit_bus_pump(job->bus, until);
		if (result < 0)
			return error_set(error, ERROR_DEPLOY, -ECONNRESET,
					 "%s: the system bus was lost: %s", job->unit,
					 strerrordesc_np(-result));
	}
	return 0;
}

/*
 * Adds the unit's own words to an error. By its Id: an alias (httpd.service for apache2.service)
 * is not what the journal knows it by.
 */
static int job_explain(const struct job *job, struct error *error)
{
	CLEANUP(freep) char *id = NULL;
	struct buffer lines = BUFFER(LINES_LIMIT);

	if (!error)
		return -EIO;
	job_limit_calls(job);
	if (unit_property(job->bus, job->unit, SYSTEMD_UNIT, "Id", &id, NULL) < 0)
		id = string_copy(job->unit);
	unit_journal_explain(id, job->began, &lines);
	if (lines.length > 0)
		error_set(error, error->class, error->code, "%s: %s", error->message,
			  buffer_text(&lines));
	error_remedy(error, "`journalctl --unit %s` shows all of it%s", id,
		     lines.length > 0 ? ""
				      : "; the agent can quote it when its user is in the group "
					"systemd-journal");
	buffer_free(&lines);
	return error->code;
}

/*
 * The unit as it is once it is on its way no more; at the deadline as it is then. After our job
 * "reloading" is one more such state, before it another job that ours may wait behind.
 */
static int job_settle(const struct job *job, struct unit_status *ret_status, struct error *error)
{
	for (;;) {
		int result = job_status(job, ret_status, error);
		if (result < 0)
			return result;
		bool passes = state_passes(ret_status) ||
			      (job->removed && state_is(ret_status, "reloading"));
		if (!passes || job_is_late(job))
			return 0;
		result = job_pause(job, error);
		if (result < 0)
			return result;
	}
}

static int refuse_stopped(const struct job *job, const struct unit_status *status,
			  struct error *error)
{
	if (in_auto_restart(status)) {
		error_set(error, ERROR_DEPLOY, -ESHUTDOWN,
			  "%s is down (%s); systemd will start it again", job->unit,
			  status->result);
		return error_remedy(error, "`systemctl status %s` says why it goes down",
				    job->unit);
	}
	if (state_is(status, "failed"))
		error_set(error, ERROR_DEPLOY, -ESHUTDOWN, "%s is failed (%s)", job->unit,
			  status->result);
	else
		error_set(error, ERROR_DEPLOY, -ESHUTDOWN, "%s is %s", job->unit,
			  status->active_state);
	return error_remedy(error,
			    "`systemctl start %s`: a stopped server is not started by the "
			    "agent (unless `start_stopped = yes`)",
			    job->unit);
}

/* Whether the job may be asked for at all. */
static int job_check(const struct job *job, enum unit_verb verb, struct error *error)
{
	struct unit_status status;

	int result = job_settle(job, &status, error);
	if (result < 0)
		return result;
	if (strcmp(status.load_state, "loaded") != 0)
		return unit_load_error(job->unit, &status, error);
	if (verb == UNIT_RELOAD && !status.can_reload) {
		error_set(error, ERROR_CONFIGURATION, -EOPNOTSUPP,
			  "%s cannot reload: it has no ExecReload=", job->unit);
		return error_remedy(error, "set `reload = restart` in the target");
	}
	if (verb == UNIT_START || verb == UNIT_TEST)
		return 0;
	if (state_passes(&status) && stop_cut_off(job->deadline))
		return job_cut_error(job, error);
	if (state_passes(&status))
		return error_set(error, ERROR_DEPLOY, -ETIMEDOUT,
				 "%s: still %s after %lld ms; no %s was asked for", job->unit,
				 status.active_state, (long long)job->timeout_ms, job->verb->word);
	if (!state_is(&status, "active") && !state_is(&status, "reloading"))
		return refuse_stopped(job, &status, error);
	return 0;
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	struct job *job = userdata;
	uint32_t number = 0;
	const char *path = NULL;
	const char *unit = NULL;
	const char *result = NULL;

	(void)ret_error;
	/* Dispatched only from unit_bus_pump(): our job's path is known by then. */
	if (sd_bus_message_read(message, "uoss", &number, &path, &unit, &result) < 0 || !job->path)
		return 0;
	if (strcmp(path, job->path) != 0)
		return 0;
	job->removed = true;
	snprintf(job->result, sizeof(job->result), "%s", result);
	return 0;
}

static int bus_subscribe(const struct job *job, struct error *error)
{
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;

	if (job->bus->subscribed)
		return 0;
	int result = sd_bus_call_method(job->bus->connection, SYSTEMD_NAME, SYSTEMD_PATH,
					SYSTEMD_MANAGER, "Subscribe", &said, NULL, NULL);
	if (result < 0 &&
	    !sd_bus_error_has_name(&said, "org.freedesktop.systemd1.AlreadySubscribed"))
		return unit_call_error(job->unit, "subscribe to systemd's signals", &said, result,
				       error);
	job->bus->subscribed = true;
	return 0;
}

/* Subscribes first and asks then, so that the end of even the shortest job is heard. */
static int job_enqueue(struct job *job, sd_bus_slot **ret_slot, struct error *error)
{
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;
	CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
	const char *path = NULL;

	job_limit_calls(job);
	int result = bus_subscribe(job, error);
	if (result < 0)
		return result;
	result = sd_bus_match_signal(job->bus->connection, ret_slot, SYSTEMD_NAME, SYSTEMD_PATH,
				     SYSTEMD_MANAGER, "JobRemoved", on_job_removed, job);
	if (result < 0)
		return unit_call_error(job->unit, "watch systemd's jobs", &said, result, error);

	job_limit_calls(job);
	result = sd_bus_call_method(job->bus->connection, SYSTEMD_NAME, SYSTEMD_PATH,
				    SYSTEMD_MANAGER, job->verb->method, &said, &reply, "ss",
				    job->unit, "replace");
	if (result >= 0)
		result = sd_bus_message_read(reply, "o", &path);
	if (result < 0) {
		result = unit_call_error(job->unit, job->verb->word, &said, result, error);
		/* Asked, and no answer: it may happen yet. A refusal is an answer. */
		if (error && (result == -ETIMEDOUT || result == -ECONNRESET || result == -ENOTCONN))
			error->outcome_unknown = true;
		return result;
	}
	job->path = string_copy(path);
	const char *number = strrchr(path, '/');
	job->number = number ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
	return 0;
}

/* At the deadline: what has become of the job, and who it waits for. */
static int job_timeout_error(const struct job *job, struct error *error)
{
	CLEANUP(freep) char *state = NULL;

	job_limit_calls(job);
	sd_bus_get_property_string(job->bus->connection, SYSTEMD_NAME, job->path, SYSTEMD_JOB,
				   "State", NULL, &state);
	error_set(error, ERROR_DEPLOY, -ETIMEDOUT,
		  "%s: %s: not finished after %lld ms; job %u is still queued at systemd (%s)",
		  job->unit, job->verb->word, (long long)job->timeout_ms, job->number,
		  state ? state : "unknown");
	if (error)
		error->outcome_unknown = true;
	return error_remedy(error,
			    "`systemctl list-jobs` and `systemctl status %s` show what it "
			    "waits for; `systemctl cancel %u` ends it",
			    job->unit, job->number);
}

static int job_wait(struct job *job, struct error *error)
{
	while (!job->removed) {
		if (job_is_late(job) && stop_cut_off(job->deadline)) {
			job_cut_error(job, error);
			if (error)
				error->outcome_unknown = true;
			return -ECANCELED;
		}
		if (job_is_late(job)) {
			job_timeout_error(job, error);
			return -ETIMEDOUT;
		}
		int result = unit_bus_pump(job->bus, stop_cut(job->deadline));
		if (result < 0 && !job->removed) {
			error_set(error, ERROR_DEPLOY, -ECONNRESET,
				  "%s: %s: the system bus was lost before job %u ended: %s",
				  job->unit, job->verb->word, job->number,
				  strerrordesc_np(-result));
			if (error)
				error->outcome_unknown = true;
			return -ECONNRESET;
		}
	}
	return 0;
}

/* Job results of org.freedesktop.systemd1(5); "done" is none of them. */
static const struct job_result {
	const char *name;
	int code;
	const char *words;
} job_results[] = {
	{"canceled", -ECANCELED, "the job was cancelled by another one or by hand"},
	{"timeout", -ETIMEDOUT, "systemd gave the job up after its own time limit"},
	{"failed", -EIO, "failed"},
	{"dependency", -EIO, "a unit that it depends on failed"},
	{"skipped", -ESHUTDOWN, "skipped, the unit was not running any more"},
	{"invalid", -ESHUTDOWN, "not possible in the unit's present state"},
	{"assert", -EIO, "an Assert...= of the unit did not hold"},
	{"unsupported", -EOPNOTSUPP, "this kind of unit is not supported here"},
	{"collected", -ECANCELED, "the unit went away"},
	{"once", -EIO, "the unit can be started only once"},
};

static int job_result_error(const struct job *job, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(job_results); i++) {
		const struct job_result *known = &job_results[i];
		if (strcmp(job->result, known->name) != 0)
			continue;
		const char *separator = strcmp(known->words, "failed") == 0 ? " " : ": ";
		error_set(error, ERROR_DEPLOY, known->code, "%s: %s%s%s", job->unit,
			  job->verb->word, separator, known->words);
		job_explain(job, error);
		return known->code;
	}
	error_set(error, ERROR_DEPLOY, -EIO, "%s: %s: the job ended as \"%s\"", job->unit,
		  job->verb->word, job->result);
	job_explain(job, error);
	return -EIO;
}

/* A oneshot that was started and has done its work is inactive again, and that is well. */
static bool oneshot_is_done(const struct job *job, enum unit_verb verb,
			    const struct unit_status *status)
{
	CLEANUP(freep) char *type = NULL;

	return (verb == UNIT_START || verb == UNIT_TEST) && state_is(status, "inactive") &&
	       strcmp(status->result, "success") == 0 &&
	       unit_property(job->bus, job->unit, SYSTEMD_SERVICE, "Type", &type, NULL) >= 0 &&
	       strcmp(type, "oneshot") == 0;
}

static int job_down_error(const struct job *job, const struct unit_status *status,
			  struct error *error)
{
	error_set(error, ERROR_DEPLOY, -EHOSTDOWN,
		  "%s: the %s job was done, but then the unit went down: it is %s (%s)", job->unit,
		  job->verb->word,
		  in_auto_restart(status) ? status->sub_state : status->active_state,
		  status->result);
	job_explain(job, error);
	return -EHOSTDOWN;
}

/* The unit must be active after its job, and stay so for a moment. */
static int job_verify(const struct job *job, enum unit_verb verb, struct error *error)
{
	int64_t believed = clock_monotonic_ms() + STAY_UP_MS;
	struct unit_status status;

	if (believed > job->deadline)
		believed = job->deadline;
	for (;;) {
		int result = job_settle(job, &status, error);
		if (result < 0)
			return result;
		if (oneshot_is_done(job, verb, &status))
			return 0;
		bool passes = state_passes(&status) || state_is(&status, "reloading");
		if (passes && stop_cut_off(job->deadline))
			return job_cut_error(job, error);
		if (passes) {
			error_set(error, ERROR_DEPLOY, -ETIMEDOUT,
				  "%s: the %s job was done, but after %lld ms the unit is still %s",
				  job->unit, job->verb->word, (long long)job->timeout_ms,
				  status.active_state);
			job_explain(job, error);
			return -ETIMEDOUT;
		}
		if (!state_is(&status, "active"))
			return job_down_error(job, &status, error);
		if (clock_monotonic_ms() >= believed)
			return 0;
		result = job_pause(job, error);
		if (result < 0)
			return result;
	}
}

static int job_run(struct job *job, enum unit_verb verb, struct error *error)
{
	CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *properties = NULL;

	int result = job_check(job, verb, error);
	if (result == 0 && verb == UNIT_TEST)
		result = unit_exit_listen(job->bus, job->unit, &job->exit_status, &properties,
					  error);
	if (result < 0)
		return result;
	job->began = clock_monotonic_ms();
	result = job_enqueue(job, &slot, error);
	if (result < 0)
		return result;
	result = job_wait(job, error);
	if (result < 0)
		return result;
	if (strcmp(job->result, "done") != 0)
		return job_result_error(job, error);
	result = job_verify(job, verb, error);
	return result == 0 && verb == UNIT_TEST ? job->exit_status : result;
}

int unit_job(struct unit_bus *bus, const char *unit, enum unit_verb verb, int64_t timeout_ms,
	     struct error *error)
{
	CLEANUP(job_free)
	struct job job = {
		.bus = bus,
		.unit = unit,
		.verb = &verbs[verb],
		.timeout_ms = timeout_ms,
		.deadline = clock_monotonic_ms() + timeout_ms,
	};

	int result = job_run(&job, verb, error);
	sd_bus_set_method_call_timeout(bus->connection, UNIT_CALL_TIMEOUT_MS * UINT64_C(1000));
	return result;
}
