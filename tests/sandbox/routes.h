/* routes.h - from method and path to the function that answers, and who may ask. */
#ifndef ORIGIN_CA_SANDBOX_ROUTES_H
#define ORIGIN_CA_SANDBOX_ROUTES_H

#include "exchange.h"

#define API_PREFIX "/client/v4"

enum route_access {
	ACCESS_PUBLIC,	/* no authentication */
	ACCESS_TOKEN,	/* an active token */
	ACCESS_VERIFY,	/* any token, also a disabled one */
	ACCESS_CONTROL, /* the sandbox's own; neither faults nor limits apply */
};

struct route {
	const char *method;
	const char *pattern; /* segments; * is any one, and a parameter */
	route_handler *handler;
	enum route_access access;
};

/* NULL beyond the last. */
const struct route *route_at(size_t index);

/* The index of a route and its parameters in `request`; -ENOENT when no pattern fits the path,
 * -EPERM when one does with other methods only. */
int route_find(struct request *request);

/* Answers: authentication, the rate limit, the handler. `route` may be an error of route_find(). */
void route_answer(struct sandbox *sandbox, int route, struct request *request, struct reply *reply);

#endif
