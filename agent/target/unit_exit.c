#include <string.h>

#include "target/unit_private.h"

/* Until the one that is looked for: the message is at its a{sv}. */
static int status_read(sd_bus_message *message, int *ret_status)
{
	const char *name = NULL;
	int result = sd_bus_message_enter_container(message, 'a', "{sv}");
	while (result >= 0 && (result = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		result = sd_bus_message_read(message, "s", &name);
		if (result >= 0 && strcmp(name, "ExecMainStatus") == 0)
			return sd_bus_message_read(message, "v", "i", ret_status);
		if (result >= 0)
			result = sd_bus_message_skip(message, "v");
		if (result >= 0)
			result = sd_bus_message_exit_container(message);
	}
	return result;
}

static int on_properties(sd_bus_message *message, void *userdata, sd_bus_error *ret_error)
{
	const char *interface = NULL;

	(void)ret_error;
	if (sd_bus_message_read(message, "s", &interface) < 0 ||
	    strcmp(interface, SYSTEMD_SERVICE) != 0)
		return 0;
	status_read(message, userdata);
	return 0;
}

int unit_exit_listen(struct unit_bus *bus, const char *unit, int *ret_status,
		     sd_bus_slot **ret_slot, struct error *error)
{
	CLEANUP(freep) char *path = NULL;
	int result = sd_bus_path_encode(SYSTEMD_UNIT_PATH, unit, &path);
	if (result >= 0)
		result = sd_bus_match_signal(bus->connection, ret_slot, SYSTEMD_NAME, path,
					     "org.freedesktop.DBus.Properties", "PropertiesChanged",
					     on_properties, ret_status);
	return result < 0 ? unit_call_error(unit, "watch its properties", &SD_BUS_ERROR_NULL,
					    result, error)
			  : 0;
}
