/* target_probe.c - `probe` of a target: where its certificate is seen. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/target.h"

static bool port_parse(const char *text, uint16_t *ret_port)
{
	size_t length = strspn(text, "0123456789");
	if (length == 0 || length > 5 || text[length] != '\0')
		return false;
	unsigned long port = strtoul(text, NULL, 10);
	if (port < 1 || port > 65535)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* The address of "ADDRESS:PORT" or "[v6]:PORT"; NULL when it is neither. */
static char *probe_parse(const char *text, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	if (!colon || !port_parse(colon + 1, ret_port))
		return NULL;
	size_t length = (size_t)(colon - text);
	if (text[0] == '[') {
		if (length < 3 || text[length - 1] != ']')
			return NULL;
		char *address = string_copy_n(text + 1, length - 2);
		struct in6_addr parsed;
		if (inet_pton(AF_INET6, address, &parsed) == 1)
			return address;
		free(address);
		return NULL;
	}
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789.-";
	if (length == 0 || length > 253 || strspn(text, allowed) != length)
		return NULL;
	return string_copy_n(text, length);
}

int target_set_probe(const struct value *value, void *object)
{
	struct config_target *target = ((struct target_section *)object)->target;
	char *host = NULL;
	if (strcmp(value->text, "none") != 0) {
		host = probe_parse(value->text, &target->probe_port);
		if (!host) {
			value_refuse(value, "not an address and a port");
			return value_remedy(value,
					    "write 127.0.0.1:443, [::1]:443, or none for no probe");
		}
	}
	free(target->probe_host);
	target->probe_host = host;
	return 0;
}

int target_set_probe_timeout(const struct value *value, void *object)
{
	struct target_section *section = object;
	/* Nobody waits for a platform: it is looked at again from time to time (pass/awaited.h). */
	int64_t most = target_type_is_remote(section->type) ? 7 * CLOCK_DAY : CLOCK_HOUR;
	return value_duration(value, 1, most, &section->target->probe_timeout);
}
