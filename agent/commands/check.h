/* check.h - what `check` finds, for people and as JSON at once, and the looks it consists of. */
#ifndef ORIGIN_CA_COMMANDS_CHECK_H
#define ORIGIN_CA_COMMANDS_CHECK_H

#include <cjson/cJSON.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/model.h"

struct service; /* check_service.h */

struct findings {
	const struct service *service; /* the unit that runs the agent */
	const char *state_dir;
	struct buffer text;
	cJSON *array;
	unsigned failures;
};

/* `level`: "ok", "warning" or "error"; `remedy` may be NULL. */
void found(struct findings *findings, const char *subject, const char *level, const char *message,
	   const char *remedy);
void found_ok(struct findings *findings, const char *subject, const char *message);
void found_error(struct findings *findings, const char *subject, const struct error *error);

/*
 * The zones of an account's certificates: that they are active, that their names are proxied, that
 * Authenticated Origin Pulls are on where servers ask for them, and what `ssl_mode` has to say.
 * What the token may not read is told with the permission, and is no failure. One request or a few
 * a zone, however many certificates there are, for at most CHECK_ZONES zones.
 */
enum {
	CHECK_ZONES = 100
};
struct client;
void check_zones(const struct config *config, const struct config_api *api, struct client *client,
		 struct findings *findings);

/* Template, unit, manager or command of a target. */
void check_target(const struct config *config, const struct config_target *target,
		  struct findings *findings);

#endif
