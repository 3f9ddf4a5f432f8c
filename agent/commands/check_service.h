/* check_service.h - what the unit that runs the agent lets it reach (systemd.exec(5)). */
#ifndef ORIGIN_CA_COMMANDS_CHECK_SERVICE_H
#define ORIGIN_CA_COMMANDS_CHECK_SERVICE_H

#include "commands/check.h"
#include "target/unit.h"

/* All of it empty where systemd or the unit is not there. */
struct service {
	char unit[64];		     /* origin-ca-agent.service, or the one that its timer starts */
	char *protect_system;	     /* "strict", "full", "yes", "no" */
	char *protect_home;	     /* "yes", "read-only", "tmpfs", "no" */
	struct string_list writable; /* ReadWritePaths=, StateDirectory= */
};

/* Takes the unit that is in use: the timer's when the timer is active. */
void service_load(struct unit_bus *bus, struct service *ret_service);
void service_free(struct service *service);

/* Says so when the unit keeps the agent from writing to (reading) a path that it needs. */
void service_check_write(const struct service *service, const char *subject, const char *path,
			 struct findings *findings);
void service_check_read(const struct service *service, const char *subject, const char *path,
			struct findings *findings);

#endif
