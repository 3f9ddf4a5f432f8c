#include "pass/reload.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pass/config_test.h"
#include "pass/delivery.h"
#include "pass/owed.h"
#include "target/command.h"
#include "target/kind.h"
#include "target/manager.h"
#include "target/server_log.h"
#include "target/unit.h"

enum {
	RELOAD_LEAST_MS = 5000, /* of the pass must be left to ask for one */
};

int reload_unit(struct unit_bus *bus, const struct config_target *target, const char **ret_unit,
		struct error *error)
{
	if (target->unit) {
		*ret_unit = target->unit;
		return 0;
	}
	const struct target_kind *kind = target_kind(target->type);
	return unit_choose(bus, kind->units, kind->unit_count, ret_unit, error);
}

static int bus_of(struct pass *pass, struct unit_bus **ret_bus, struct error *error)
{
	if (!pass->bus) {
		int result = unit_open(&pass->bus, error);
		if (result < 0)
			return result == -ENOENT ? -ENOTCONN : result;
	}
	*ret_bus = pass->bus;
	return 0;
}

bool reload_in_time(const struct pass *pass)
{
	return stop_cut(pass->deadline_ms) - clock_monotonic_ms() >= RELOAD_LEAST_MS;
}

/* What is left for it of the target's time and of the pass's. */
static int time_left(const struct pass *pass, const struct config_target *target, int64_t *ret_left,
		     struct error *error)
{
	int64_t left = stop_cut(pass->deadline_ms) - clock_monotonic_ms();
	if (!reload_in_time(pass))
		return error_set(error, ERROR_TRANSIENT, -ETIME,
				 "%s is not reloaded: the time of this pass is over", target->name);
	if (left > target->reload_timeout * 1000)
		left = target->reload_timeout * 1000;
	*ret_left = left;
	return 0;
}

/* What it wrote to a log of its own says more than that it is down. */
static int died(const struct server_log *log, struct error *error)
{
	struct buffer words = BUFFER(ERROR_MESSAGE_SIZE);
	server_log_explain(log, &words);
	if (words.length > 0) {
		struct error first = *error;
		error_set(error, first.class, first.code, "%s; its log says: %s", first.message,
			  buffer_text(&words));
		error_remedy(error, "%s has all of it", log->path);
	} else if (log->path) {
		error_remedy(error, "%s%s says why", log->path,
			     log->fd < 0 ? " (which the agent may not read)" : "");
	}
	buffer_free(&words);
	return -EHOSTDOWN;
}

/* With the configuration tested, and what is left of the time then. A unit that is to be started
 * tests for itself. `ours`: when it goes down over the job, its start is owed. */
static int do_job(struct pass *pass, const struct config_target *target, const char *unit,
		  enum unit_verb verb, const struct unit_status *before, bool ours, int64_t left,
		  struct error *error)
{
	int result = verb == UNIT_START ? 0 : config_test(pass, target, unit, left, error);
	pass->only_tested = result < 0;
	if (result < 0)
		return result;
	bool tested = result == CONFIG_TEST_PASSED;
	error_clear(error);
	result = time_left(pass, target, &left, error);
	if (result < 0)
		return result;
	pass->reloads++;
	if (ours)
		owed_note(pass, target, unit);
	log_progress("%s: waiting for %s", target->name, unit);
	/* A restart with a configuration that is broken elsewhere would end a server that works;
	 * a reload finds out without harm. */
	if (verb == UNIT_TRY_RESTART && before->can_reload && !tested)
		result = unit_job(pass->bus, unit, UNIT_RELOAD, left, error);
	if (result == 0)
		result = unit_job(pass->bus, unit, verb, left, error);
	log_progress("%s", "");
	/* Somebody has another mind: stops it, or restarts it himself. */
	if (result == -ECANCELED && error->class == ERROR_DEPLOY)
		owed_settle(pass, target);
	return result;
}

static bool is_failed(const struct unit_status *status)
{
	return strcmp(status->active_state, "failed") == 0;
}

/* It died, and systemd waits for a moment before it tries again by itself. */
static bool waits_for_restart(const struct unit_status *status)
{
	return strcmp(status->active_state, "activating") == 0 &&
	       strcmp(status->sub_state, "auto-restart") == 0;
}

static bool is_active(const struct unit_status *status)
{
	return strcmp(status->active_state, "active") == 0 ||
	       strcmp(status->active_state, "reloading") == 0;
}

static int by_unit(struct pass *pass, const struct config_target *target, int64_t left,
		   unsigned flags, struct error *error)
{
	struct unit_bus *bus = NULL;
	const char *unit = NULL;
	int result = bus_of(pass, &bus, error);
	if (result == 0)
		result = reload_unit(bus, target, &unit, error);
	struct unit_status status = {0};
	if (result == 0)
		result = unit_status(bus, unit, &status, error);
	if (result < 0)
		return result;
	if (strcmp(status.load_state, "not-found") == 0) {
		error_set(error, ERROR_CONFIGURATION, -ENOENT, "%s: there is no such unit", unit);
		return error_remedy(error, "set `unit` of [target %s], or install the server",
				    target->name);
	}

	bool failed = is_failed(&status);
	bool runs = !failed && strcmp(status.active_state, "inactive") != 0;
	bool waits = waits_for_restart(&status);
	bool ours = flags & RELOAD_REVIVE_FAILED || owed_is(pass, target, unit);
	bool revive = flags & RELOAD_REVIVE || (ours && (failed || waits));
	if (!runs && !target->start_stopped && !revive) {
		bool masked = strcmp(status.load_state, "masked") == 0;
		error_set(error, ERROR_DEPLOY, -ESHUTDOWN,
			  "%s is %s; the snippet is in place and waits for its start", unit,
			  masked ? "masked" : status.active_state);
		return error_remedy(error, "%s%s%ssystemctl start %s",
				    masked ? "systemctl unmask " : "", masked ? unit : "",
				    masked ? " && " : "", unit);
	}
	enum unit_verb verb = !runs || (waits && revive)	? UNIT_START
			      : target->reload == RELOAD_RELOAD ? UNIT_RELOAD
								: UNIT_TRY_RESTART;
	CLEANUP(server_log_close) struct server_log log;
	server_log_mark(target->type, &log);
	result = do_job(pass, target, unit, verb, &status, is_active(&status) || revive, left,
			error);
	const char *ask_why = target_kind(target->type)->ask_why;
	if (result < 0 && result != -EBADMSG && error->class == ERROR_DEPLOY && ask_why)
		error_remedy(error, "%s", ask_why);
	/* It was up a moment ago: not stopped by somebody, but dead of what it read. */
	if (result == -EHOSTDOWN)
		return died(&log, error);
	return result == 0 && verb == UNIT_START ? RELOAD_STARTED : result;
}

static int unit_of(struct pass *pass, const struct config_target *target, const char **ret_unit,
		   struct unit_status *ret_status, struct error *error)
{
	struct unit_bus *bus = NULL;
	int result = bus_of(pass, &bus, error);
	if (result == 0)
		result = reload_unit(bus, target, ret_unit, error);
	return result < 0 ? result : unit_status(bus, *ret_unit, ret_status, error);
}

bool reload_went_down(struct pass *pass, const struct config_target *target, struct error *error)
{
	const char *unit = NULL;
	struct unit_status status = {0};
	struct error ignored = {0};
	if (!owed_is(pass, target, NULL) || unit_of(pass, target, &unit, &status, &ignored) < 0 ||
	    !(is_failed(&status) || waits_for_restart(&status)))
		return false;
	error_set(error, ERROR_DEPLOY, -EHOSTDOWN,
		  "%s went down a while after it had taken up the new configuration (%s)", unit,
		  status.result);
	error_remedy(error, "`journalctl --unit %s` says why", unit);
	return true;
}

static int start_again(struct pass *pass, const struct config_target *target, const char *unit,
		       struct error *error)
{
	int64_t left = 0;
	stop_turn_back();
	int result = time_left(pass, target, &left, error);
	if (result < 0)
		return result;
	log_notice("%s: %s went down over a reload; it is started again", target->name, unit);
	pass->reloads++;
	return unit_job(pass->bus, unit, UNIT_START, left, error);
}

/* Of a unit that our job has taken down, or that has come through it. */
static void pay(struct pass *pass, const struct config_target *target)
{
	const char *unit = NULL;
	struct unit_status status = {0};
	struct error error = {0};
	int result = unit_of(pass, target, &unit, &status, &error);
	bool loaded = result == 0 && strcmp(status.load_state, "loaded") == 0;
	bool down = loaded && (is_failed(&status) || waits_for_restart(&status));
	if (loaded && !down && strcmp(status.active_state, "activating") == 0)
		return; /* it is on its way */
	if (down && owed_is(pass, target, unit))
		result = start_again(pass, target, unit, &error);
	if (result == 0) {
		owed_settle(pass, target);
		return;
	}
	error_prefix(&error, "%s: its server went down over a reload and is not started again yet",
		     target->name);
	log_failure(LOG_LEVEL_ERROR, &error);
}

void reload_pay_all(struct pass *pass)
{
	for (size_t i = 0; i < pass->config->target_count; i++)
		if (owed_is(pass, pass->config->targets[i], NULL))
			pay(pass, pass->config->targets[i]);
}

static bool unit_runs(struct pass *pass, const struct config_target *target)
{
	const char *unit = NULL;
	struct unit_status status = {0};
	struct error ignored = {0};
	return unit_of(pass, target, &unit, &status, &ignored) == 0 &&
	       strcmp(status.active_state, "active") == 0;
}

static int by_manager(struct pass *pass, const struct config_target *target, int64_t left,
		      struct error *error)
{
	pass->reloads++;
	int result = manager_ssl_reload(target, left, error);
	if (result != -ECONNREFUSED)
		return result;
	/* With a unit that is down, its next start reads the keystore; with one that runs, it is
	 * the address that is wrong. */
	struct error refused = *error;
	if (unit_runs(pass, target))
		return result;
	error_set(error, ERROR_DEPLOY, -ESHUTDOWN,
		  "%s; the keystore is in place and waits for the server's start", refused.message);
	return error_remedy(error, "%s", refused.remedy);
}

static void tell_line(const char *text, void *context)
{
	const struct config_target *target = context;
	log_info("%s: reload_command: %s", target->name, text);
}

static int by_command(struct pass *pass, const struct config_target *target, int64_t left,
		      struct error *error)
{
	CLEANUP(string_list_free) struct string_list environment = {0};
	struct config_target named = {.name = target->name}; /* callbacks take no const */
	string_list_take(&environment, string_format("ORIGIN_CA_TARGET=%s", target->name));
	if (target->config_test) {
		struct unit_bus *bus = NULL;
		int tested = bus_of(pass, &bus, error);
		if (tested == 0)
			tested = config_test(pass, target, target->config_test, left, error);
		pass->only_tested = tested < 0;
		if (tested < 0)
			return tested;
	}
	pass->reloads++;
	log_progress("%s: waiting for %s", target->name, target->reload_command.items[0]);
	int result = reload_command_run(&target->reload_command, &environment, left, tell_line,
					&named, error);
	log_progress("%s", "");
	return result;
}

int reload_test(struct pass *pass, const struct config_target *target, struct error *error)
{
	struct unit_bus *bus = NULL;
	const char *unit = target->config_test;
	int64_t left = 0;
	int result = time_left(pass, target, &left, error);
	if (result == 0)
		result = bus_of(pass, &bus, error);
	if (result == 0 && target->reload != RELOAD_COMMAND)
		result = reload_unit(bus, target, &unit, error);
	if (result == 0)
		result = config_test(pass, target, unit, left, error);
	return result < 0 ? result : 0;
}

static int by_delivery(const struct group *group, int64_t left, struct error *error)
{
	int result = 0;
	for (size_t i = 0; i < group->count && result == 0; i++)
		result = delivery_run(group->pass, group->items[i].job, group->items[i].target_job,
				      left, error);
	return result;
}

int reload_target(const struct group *group, unsigned flags, struct error *error)
{
	struct pass *pass = group->pass;
	const struct config_target *target = pass->config->targets[group->index];
	int64_t left = 0;
	pass->only_tested = false;
	if (target->reload == RELOAD_NONE)
		return 0;
	int result = time_left(pass, target, &left, error);
	if (result < 0)
		return result;
	if (target->reload == RELOAD_DELIVER)
		return by_delivery(group, left, error);
	if (target->reload == RELOAD_COMMAND)
		return by_command(pass, target, left, error);
	/* New certificates in known places need no restart; another configuration does. */
	if (target->reload == RELOAD_SSL && !(flags & (RELOAD_FULL | RELOAD_REVIVE)))
		return by_manager(pass, target, left, error);
	return by_unit(pass, target, left, flags, error);
}
