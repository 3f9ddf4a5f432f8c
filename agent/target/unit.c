#include "target/unit_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* The bus daemon itself answers at once or is broken; PID 1 is not involved yet. */
enum {
	BUS_CONNECT_TIMEOUT_MS = 5000
};

static int open_error(int code, struct error *error)
{
	const char *words = strerrordesc_np(-code);

	if (code == -ENOENT) {
		error_set(error, ERROR_CONFIGURATION, code,
			  "system bus: no socket to connect to: %s", words);
		return error_remedy(error, "without systemd (a container) set `reload = none` in "
					   "the target, or start dbus.socket");
	}
	if (code == -EACCES || code == -EPERM) {
		error_set(error, ERROR_AUTHORIZATION, code, "system bus: %s", words);
		return error_remedy(error, "the service's sandbox must let it reach "
					   "/run/dbus/system_bus_socket");
	}
	error_set(error, ERROR_LOCAL, code, "system bus: connect: %s", words);
	return error_remedy(error, "see `systemctl status dbus.socket`; without systemd (a "
				   "container) set `reload = none` in the target");
}

int unit_bus_pump(struct unit_bus *bus, int64_t deadline)
{
	int result = sd_bus_process(bus->connection, NULL);
	if (result != 0)
		return result < 0 ? result : 0;

	int64_t left = deadline - clock_monotonic_ms();
	if (left <= 0)
		return 0;
	result = sd_bus_wait(bus->connection, (uint64_t)left * 1000);
	return result < 0 && result != -EINTR ? result : 0;
}

/*
 * sd-bus would authenticate within the first call, with a limit of its own (90 s); a bus that
 * accepts and then says nothing is found here.
 */
static int wait_until_ready(struct unit_bus *bus)
{
	int64_t deadline = clock_monotonic_ms() + BUS_CONNECT_TIMEOUT_MS;

	for (;;) {
		int result = sd_bus_is_ready(bus->connection);
		if (result != 0)
			return result < 0 ? result : 0;
		if (clock_monotonic_ms() >= deadline)
			return -ETIMEDOUT;
		result = unit_bus_pump(bus, deadline);
		if (result < 0)
			return result;
	}
}

int unit_open(struct unit_bus **ret_bus, struct error *error)
{
	CLEANUP(unit_closep) struct unit_bus *bus = memory_alloc(1, sizeof(*bus));

	int result = sd_bus_open_system(&bus->connection);
	if (result < 0)
		return open_error(result, error);
	result = wait_until_ready(bus);
	if (result < 0)
		return open_error(result, error);
	sd_bus_set_method_call_timeout(bus->connection, UNIT_CALL_TIMEOUT_MS * UINT64_C(1000));
	*ret_bus = TAKE_PTR(bus);
	return 0;
}

void unit_close(struct unit_bus *bus)
{
	if (!bus)
		return;
	/* Without flushing: that would wait for a bus that does not read, and for ever. */
	sd_bus_close_unref(bus->connection);
	free(bus);
}

/* What a D-Bus error means for us. The first row whose name fits. */
static const struct bus_error {
	const char *name;
	enum error_class class;
	int code;
	const char *remedy;
} bus_errors[] = {
	{"org.freedesktop.DBus.Error.AccessDenied", ERROR_AUTHORIZATION, -EACCES,
	 "polkit must run, and the polkit rule of origin-ca-agent must list this unit and verb; "
	 "or run as root"},
	{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", ERROR_AUTHORIZATION,
	 -EACCES,
	 "the polkit rule of origin-ca-agent must list this unit and verb for the agent's user; "
	 "or run as root"},
	{"org.freedesktop.systemd1.NoSuchUnit", ERROR_CONFIGURATION, -ENOENT,
	 "set `unit =` of the target to the server's unit"},
	{"org.freedesktop.systemd1.LoadFailed", ERROR_CONFIGURATION, -EINVAL,
	 "`systemctl status` of the unit says which line of its file is wrong"},
	{"org.freedesktop.DBus.Error.UnknownObject", ERROR_CONFIGURATION, -EINVAL,
	 "`unit =` needs a whole name such as nginx.service"},
	{"org.freedesktop.DBus.Error.InvalidArgs", ERROR_CONFIGURATION, -EINVAL,
	 "`unit =` needs a whole name such as nginx.service"},
	{"org.freedesktop.systemd1.UnitMasked", ERROR_CONFIGURATION, -EPERM,
	 "`systemctl unmask` it, or set `reload = none` in the target"},
	{"org.freedesktop.systemd1.JobTypeNotApplicable", ERROR_CONFIGURATION, -EOPNOTSUPP,
	 "set `reload = restart` in the target"},
	{"org.freedesktop.systemd1.OnlyByDependency", ERROR_CONFIGURATION, -EPERM,
	 "the unit refuses to be started or stopped by hand (RefuseManualStart=, "
	 "RefuseManualStop=)"},
	{"org.freedesktop.systemd1.TransactionIsDestructive", ERROR_DEPLOY, -EBUSY,
	 "`systemctl list-jobs` shows the job that stands in the way"},
	{"org.freedesktop.systemd1.ShuttingDown", ERROR_DEPLOY, -ESHUTDOWN, NULL},
	{"org.freedesktop.DBus.Error.ServiceUnknown", ERROR_CONFIGURATION, -ENOENT,
	 "systemd does not run here: set `reload = none` in the target"},
	{"org.freedesktop.DBus.Error.NameHasNoOwner", ERROR_CONFIGURATION, -ENOENT,
	 "systemd does not run here: set `reload = none` in the target"},
	{"org.freedesktop.DBus.Error.NoReply", ERROR_DEPLOY, -ETIMEDOUT, NULL},
	{"org.freedesktop.DBus.Error.Timeout", ERROR_DEPLOY, -ETIMEDOUT, NULL},
	{"org.freedesktop.DBus.Error.Disconnected", ERROR_DEPLOY, -ECONNRESET, NULL},
};

static const struct bus_error *bus_error_find(const sd_bus_error *said)
{
	for (size_t i = 0; i < ARRAY_SIZE(bus_errors); i++)
		if (sd_bus_error_has_name(said, bus_errors[i].name))
			return &bus_errors[i];
	return NULL;
}

int unit_call_error(const char *unit, const char *doing, const sd_bus_error *said, int code,
		    struct error *error)
{
	const struct bus_error *known = bus_error_find(said);
	const char *words = said->message ? said->message : strerrordesc_np(code < 0 ? -code : EIO);

	error_set(error, known ? known->class : ERROR_DEPLOY, known ? known->code : code,
		  "%s: %s: %s", unit, doing, words ? words : "unknown error");
	if (known && known->remedy)
		error_remedy(error, "%s", known->remedy);
	return known ? known->code : code;
}

/* The object's path: systemd loads the unit when it is asked for, as LoadUnit() would. */
static int unit_path(const char *unit, char **ret_path, struct error *error)
{
	int result = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, ret_path);
	if (result < 0)
		return error_set(error, ERROR_LOCAL, result, "%s: object path: %s", unit,
				 strerrordesc_np(-result));
	return 0;
}

int unit_property(struct unit_bus *bus, const char *unit, const char *interface, const char *name,
		  char **ret_value, struct error *error)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;

	int result = unit_path(unit, &path, error);
	if (result < 0)
		return result;
	result = sd_bus_get_property_string(bus->connection, SYSTEMD_NAME, path, interface, name,
					    &said, ret_value);
	if (result < 0)
		return unit_call_error(unit, name, &said, result, error);
	return 0;
}

int unit_service_text(struct unit_bus *bus, const char *unit, const char *name, char **ret_text,
		      struct error *error)
{
	return unit_property(bus, unit, SYSTEMD_SERVICE, name, ret_text, error);
}

int unit_service_list(struct unit_bus *bus, const char *unit, const char *name,
		      struct string_list *ret_list, struct error *error)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;
	char **list = NULL;

	int result = unit_path(unit, &path, error);
	if (result < 0)
		return result;
	result = sd_bus_get_property_strv(bus->connection, SYSTEMD_NAME, path, SYSTEMD_SERVICE,
					  name, &said, &list);
	if (result < 0)
		return unit_call_error(unit, name, &said, result, error);
	for (size_t i = 0; list && list[i]; i++)
		string_list_take(ret_list, list[i]);
	free(list);
	return 0;
}

struct property {
	const char *interface;
	const char *name;
	char type; /* of D-Bus: 's', 'b', 'u' */
	size_t offset;
};

static const struct property properties[] = {
	{SYSTEMD_UNIT, "LoadState", 's', offsetof(struct unit_status, load_state)},
	{SYSTEMD_UNIT, "ActiveState", 's', offsetof(struct unit_status, active_state)},
	{SYSTEMD_UNIT, "SubState", 's', offsetof(struct unit_status, sub_state)},
	{SYSTEMD_UNIT, "CanReload", 'b', offsetof(struct unit_status, can_reload)},
	{SYSTEMD_SERVICE, "Result", 's', offsetof(struct unit_status, result)},
	{SYSTEMD_SERVICE, "MainPID", 'u', offsetof(struct unit_status, main_pid)},
};

/* Reads one variant of `property`'s type into its member of `status`. */
static int property_store(sd_bus_message *reply, const struct property *property,
			  struct unit_status *status)
{
	const char type[] = {property->type, '\0'};
	char *member = (char *)status + property->offset;
	const char *text = NULL;
	int number = 0; /* 'b' is an int to sd-bus, 'u' an unsigned: MainPID fits */

	int result = sd_bus_message_enter_container(reply, 'v', type);
	if (result < 0)
		return result;
	if (property->type == 's') {
		result = sd_bus_message_read_basic(reply, 's', &text);
		if (result >= 0)
			snprintf(member, sizeof(status->load_state), "%s", text);
	} else {
		result = sd_bus_message_read_basic(reply, property->type, &number);
		if (result >= 0 && property->type == 'b')
			*(bool *)(void *)member = number != 0;
		else if (result >= 0)
			*(int *)(void *)member = number;
	}
	return result < 0 ? result : sd_bus_message_exit_container(reply);
}

static const struct property *property_find(const char *interface, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		if (strcmp(properties[i].interface, interface) == 0 &&
		    strcmp(properties[i].name, name) == 0)
			return &properties[i];
	return NULL;
}

/* The a{sv} of GetAll(). */
static int properties_store(sd_bus_message *reply, const char *interface,
			    struct unit_status *status)
{
	int result = sd_bus_message_enter_container(reply, 'a', "{sv}");
	while (result >= 0 && (result = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
		const char *name = NULL;
		result = sd_bus_message_read_basic(reply, 's', &name);
		if (result < 0)
			break;
		const struct property *property = property_find(interface, name);
		result = property ? property_store(reply, property, status)
				  : sd_bus_message_skip(reply, "v");
		if (result >= 0)
			result = sd_bus_message_exit_container(reply);
	}
	return result;
}

/* All at once, so that the states fit each other. */
static int status_read(struct unit_bus *bus, const char *unit, const char *interface,
		       struct unit_status *status, struct error *error)
{
	CLEANUP(freep) char *path = NULL;
	CLEANUP(sd_bus_error_free) sd_bus_error said = SD_BUS_ERROR_NULL;
	CLEANUP(sd_bus_message_unrefp) sd_bus_message *reply = NULL;

	int result = unit_path(unit, &path, error);
	if (result < 0)
		return result;
	result = sd_bus_call_method(bus->connection, SYSTEMD_NAME, path,
				    "org.freedesktop.DBus.Properties", "GetAll", &said, &reply, "s",
				    interface);
	if (result < 0)
		return unit_call_error(unit, "read its state", &said, result, error);
	result = properties_store(reply, interface, status);
	if (result < 0)
		return unit_call_error(unit, "understand its state", &said, result, error);
	return 0;
}

int unit_status(struct unit_bus *bus, const char *unit, struct unit_status *ret_status,
		struct error *error)
{
	struct unit_status status = {0};

	int result = status_read(bus, unit, SYSTEMD_UNIT, &status, error);
	if (result < 0)
		return result;
	/* Only a service has a result and a main process. */
	if (string_ends(unit, ".service"))
		result = status_read(bus, unit, SYSTEMD_SERVICE, &status, error);
	if (result < 0)
		return result;
	*ret_status = status;
	return 0;
}

int unit_load_error(const char *unit, const struct unit_status *status, struct error *error)
{
	if (strcmp(status->load_state, "not-found") == 0) {
		error_set(error, ERROR_CONFIGURATION, -ENOENT, "%s: there is no such unit", unit);
		return error_remedy(error, "set `unit =` of the target to the server's unit "
					   "(`systemctl list-units --type=service`)");
	}
	if (strcmp(status->load_state, "masked") == 0) {
		error_set(error, ERROR_CONFIGURATION, -EPERM, "%s is masked", unit);
		return error_remedy(error,
				    "`systemctl unmask %s`, or set `reload = none` in the "
				    "target",
				    unit);
	}
	error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s: systemd could not load it (%s)", unit,
		  status->load_state);
	return error_remedy(error, "`systemctl status %s` says which line of its file is wrong",
			    unit);
}

int unit_choose(struct unit_bus *bus, const char *const *candidates, size_t count,
		const char **ret_unit, struct error *error)
{
	struct buffer tried = BUFFER(ERROR_MESSAGE_SIZE);
	const char *masked = NULL; /* is there all the same, and is told as what it is */

	for (size_t i = 0; i < count; i++) {
		struct unit_status status;
		int result = unit_status(bus, candidates[i], &status, error);
		if (result < 0) {
			buffer_free(&tried);
			return result;
		}
		if (strcmp(status.load_state, "loaded") == 0) {
			buffer_free(&tried);
			*ret_unit = candidates[i];
			return 0;
		}
		if (!masked && strcmp(status.load_state, "masked") == 0)
			masked = candidates[i];
		buffer_add_format(&tried, "%s%s (%s)", i ? ", " : "", candidates[i],
				  status.load_state);
	}
	if (masked) {
		buffer_free(&tried);
		*ret_unit = masked;
		return 0;
	}
	error_set(error, ERROR_CONFIGURATION, -ENOENT, "none of these units is there: %s",
		  buffer_text(&tried));
	buffer_free(&tried);
	return error_remedy(error, "set `unit =` of the target to the server's unit");
}
