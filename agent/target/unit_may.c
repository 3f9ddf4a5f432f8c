#include "target/unit_may.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/paths.h"
#include "target/kind.h"
#include "target/unit_private.h"

char *unit_rule_path(const char *unit)
{
	size_t length = strlen(unit);
	if (string_ends(unit, ".service"))
		length -= strlen(".service");
	return string_format("/etc/polkit-1/rules.d/50-%s-%.*s.rules", path_user, (int)length,
			     unit);
}

char *unit_rule_text(const char *unit)
{
	return string_format("polkit.addRule(function(action, subject) { if (action.id == "
			     "\"org.freedesktop.systemd1.manage-units\" && subject.user == \"%s\" "
			     "&& action.lookup(\"unit\") == \"%s\" && [\"reload\", "
			     "\"try-restart\", \"start\"].indexOf(action.lookup(\"verb\")) >= 0) "
			     "return polkit.Result.YES; });",
			     path_user, unit);
}

/* True when there is such a service, running or to be started by the bus. */
static bool polkit_is_there(struct unit_bus *bus)
{
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;
	int result =
		sd_bus_call_method(bus->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
				   "org.freedesktop.DBus", "StartServiceByName", &said, NULL, "su",
				   "org.freedesktop.PolicyKit1", 0);
	return result >= 0 ||
	       !sd_bus_error_has_name(&said, "org.freedesktop.DBus.Error.ServiceUnknown");
}

static int refused(struct unit_bus *bus, const char *unit, const char *verb, struct error *error)
{
	error_set(error, ERROR_AUTHORIZATION, -EACCES, "user %u may not %s %s", (unsigned)geteuid(),
		  verb, unit);
	if (!polkit_is_there(bus))
		return error_remedy(error, "install polkit (Debian: polkitd, Fedora: polkit)");
	if (!target_unit_is_packaged(unit)) {
		CLEANUP(freep) char *path = unit_rule_path(unit);
		CLEANUP(freep) char *text = unit_rule_text(unit);
		return error_remedy(error, "write %s: %s", path, text);
	}
	if (access(path_polkit_rule, F_OK) < 0)
		return error_remedy(error, "%s is missing: install the package again",
				    path_polkit_rule);
	return error_remedy(error,
			    "the rule %s lets the user %s do that: run as that user, and see "
			    "`journalctl --unit polkit`",
			    path_polkit_rule, path_user);
}

/*
 * Asked for with a job mode that systemd knows, but not for this verb: it looks whether the caller
 * may (polkit), and then refuses the mode. Seen in systemd 252 (bus_unit_method_start_generic(),
 * manager_add_job()); "isolate" has been one for start alone since before 247.
 */
static const struct question {
	const char *method;
	const char *mode;
	const char *verb;
} questions[] = {
	[UNIT_RELOAD] = {"ReloadUnit", "isolate", "reload"},
	[UNIT_TRY_RESTART] = {"TryRestartUnit", "isolate", "restart"},
	[UNIT_START] = {"StartUnit", "triggering", "start"},
};

int unit_may(struct unit_bus *bus, const char *unit, enum unit_verb verb, struct error *error)
{
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;
	const struct question *question = &questions[verb];

	int result =
		sd_bus_call_method(bus->connection, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				   question->method, &said, NULL, "ss", unit, question->mode);
	if (sd_bus_error_has_name(&said, "org.freedesktop.DBus.Error.AccessDenied") ||
	    sd_bus_error_has_name(&said,
				  "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"))
		return refused(bus, unit, question->verb, error);
	if (result >= 0 || sd_bus_error_has_name(&said, "org.freedesktop.DBus.Error.InvalidArgs"))
		return 0;
	return unit_call_error(unit, question->verb, &said, result, error);
}
