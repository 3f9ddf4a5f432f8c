/* delivery.h - a reply onto its connection, or not. */
#ifndef ORIGIN_CA_SANDBOX_DELIVERY_H
#define ORIGIN_CA_SANDBOX_DELIVERY_H

#include <microhttpd.h>

#include "exchange.h"

/*
 * Answers one whole request as the routes say and as faults and chaos have it, and journals it.
 * MHD_NO: the connection is to be closed. `uri` is the request target as it came.
 */
enum MHD_Result delivery_answer(struct sandbox *sandbox, struct request *request, const char *uri);

/* Sends a reply as it is. */
enum MHD_Result delivery_send(struct sandbox *sandbox, struct MHD_Connection *connection,
			      const struct reply *reply, const struct fault *fault);

#endif
