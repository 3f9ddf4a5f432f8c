/* endpoint.h - whom we talk to, and by which certificates we know them. */
#ifndef ORIGIN_CA_CLOUDFLARE_ENDPOINT_H
#define ORIGIN_CA_CLOUDFLARE_ENDPOINT_H

#include <stdbool.h>

#include "base/error.h"
#include "config/model.h"

struct endpoint {
	bool plain;    /* http, so loopback */
	bool loopback; /* 127.0.0.0/8, [::1] or localhost */
};

/* https anywhere, http only at a loopback address; no user, password, query or fragment. */
int endpoint_check(const struct config_api *api, struct endpoint *ret_endpoint,
		   struct error *error);

#endif
