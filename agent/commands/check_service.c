#include "commands/check_service.h"

#include <stdio.h>
#include <string.h>

#include "base/paths.h"

static const char *const homes[] = {"/home", "/root", "/run/user"};

void service_load(struct unit_bus *bus, struct service *ret_service)
{
	struct service service = {0};
	struct unit_status status = {0};
	CLEANUP(freep) char *timer = string_format("%s.timer", path_user);
	bool timed = unit_status(bus, timer, &status, NULL) == 0 &&
		     strcmp(status.active_state, "active") == 0;
	snprintf(service.unit, sizeof(service.unit), "%s%s.service", path_user,
		 timed ? "-once" : "");
	if (unit_status(bus, service.unit, &status, NULL) < 0 ||
	    strcmp(status.load_state, "loaded") != 0)
		return;

	CLEANUP(string_list_free) struct string_list state = {0};
	unit_service_text(bus, service.unit, "ProtectSystem", &service.protect_system, NULL);
	unit_service_text(bus, service.unit, "ProtectHome", &service.protect_home, NULL);
	unit_service_list(bus, service.unit, "ReadWritePaths", &service.writable, NULL);
	unit_service_list(bus, service.unit, "StateDirectory", &state, NULL);
	for (size_t i = 0; i < state.count; i++)
		string_list_take(&service.writable, string_format("/var/lib/%s", state.items[i]));
	*ret_service = service;
}

void service_free(struct service *service)
{
	free(service->protect_system);
	free(service->protect_home);
	string_list_free(&service->writable);
	*service = (struct service){0};
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);
	while (length > 1 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 &&
	       (path[length] == '\0' || path[length] == '/' || length == 1);
}

static bool is_listed(const struct service *service, const char *path)
{
	for (size_t i = 0; i < service->writable.count; i++) {
		const char *entry = service->writable.items[i];
		entry += strspn(entry, "-+");
		if (is_below(path, entry))
			return true;
	}
	return false;
}

static bool in_home(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(homes); i++)
		if (is_below(path, homes[i]))
			return true;
	return false;
}

static bool is_word(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

/* The part of the file system that ProtectSystem= makes read-only. */
static bool is_protected(const struct service *service, const char *path)
{
	if (is_word(service->protect_system, "strict"))
		return !is_below(path, "/dev") && !is_below(path, "/proc");
	bool full = is_word(service->protect_system, "full");
	if (full && is_below(path, "/etc"))
		return true;
	return (full || is_word(service->protect_system, "yes")) &&
	       (is_below(path, "/usr") || is_below(path, "/boot") || is_below(path, "/efi"));
}

static bool home_is_closed(const struct service *service)
{
	return is_word(service->protect_home, "yes") || is_word(service->protect_home, "tmpfs");
}

void service_check_write(const struct service *service, const char *subject, const char *path,
			 struct findings *findings)
{
	bool home = in_home(path) && service->protect_home && !is_word(service->protect_home, "no");
	if (!service->unit[0] || is_listed(service, path) ||
	    (!home && !is_protected(service, path)))
		return;
	CLEANUP(freep)
	char *message = string_format("%s does not let the agent write to %s", service->unit, path);
	CLEANUP(freep)
	char *remedy = string_format("systemctl edit %s: [Service], %sReadWritePaths=%s; then "
				     "restart it",
				     service->unit, home ? "ProtectHome=no, " : "", path);
	found(findings, subject, "error", message, remedy);
}

void service_check_read(const struct service *service, const char *subject, const char *path,
			struct findings *findings)
{
	if (!home_is_closed(service) || !in_home(path))
		return;
	CLEANUP(freep)
	char *message = string_format("%s does not let the agent read %s", service->unit, path);
	CLEANUP(freep)
	char *remedy = string_format("move it out of /home, /root and /run/user, or systemctl edit "
				     "%s: [Service], ProtectHome=read-only; then restart it",
				     service->unit);
	found(findings, subject, "error", message, remedy);
}
