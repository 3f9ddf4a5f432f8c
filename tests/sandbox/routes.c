#include "routes.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const struct route routes[] = {
	{"POST", "/client/v4/certificates", certificates_create, ACCESS_TOKEN},
	{"GET", "/client/v4/certificates", certificates_list, ACCESS_TOKEN},
	{"GET", "/client/v4/certificates/*", certificates_get, ACCESS_TOKEN},
	{"DELETE", "/client/v4/certificates/*", certificates_revoke, ACCESS_TOKEN},
	{"GET", "/client/v4/zones", zones_list, ACCESS_TOKEN},
	{"GET", "/client/v4/zones/*", zones_get, ACCESS_TOKEN},
	{"GET", "/client/v4/zones/*/settings/*", settings_get, ACCESS_TOKEN},
	{"PATCH", "/client/v4/zones/*/settings/*", settings_change, ACCESS_TOKEN},
	{"GET", "/client/v4/zones/*/dns_records", dns_records_list, ACCESS_TOKEN},
	{"GET", "/client/v4/zones/*/pagerules", pagerules_list, ACCESS_TOKEN},
	{"GET", "/client/v4/zones/*/rulesets/phases/*/entrypoint", ruleset_get, ACCESS_TOKEN},
	{"PUT", "/client/v4/zones/*/rulesets/phases/*/entrypoint", ruleset_put, ACCESS_TOKEN},
	{"POST", "/client/v4/zones/*/rulesets/*/rules", ruleset_append, ACCESS_TOKEN},
	{"PATCH", "/client/v4/zones/*/rulesets/*/rules/*", ruleset_change, ACCESS_TOKEN},
	{"GET", "/client/v4/user/tokens/verify", user_token_verify, ACCESS_VERIFY},
	{"GET", "/client/v4/accounts/*/tokens/verify", account_token_verify, ACCESS_VERIFY},
	{"GET", "/client/v4/ips", ips_get, ACCESS_PUBLIC},
	{"GET", "/ssl/static/*", root_get, ACCESS_PUBLIC},
	{"GET", "/sandbox/faults", control_faults_get, ACCESS_CONTROL},
	{"POST", "/sandbox/faults", control_faults_change, ACCESS_CONTROL},
	{"GET", "/sandbox/stats", control_stats, ACCESS_CONTROL},
	{"POST", "/sandbox/clock", control_clock, ACCESS_CONTROL},
	{"PUT", "/sandbox/zones/*", control_zone, ACCESS_CONTROL},
	{"POST", "/sandbox/crowd", control_crowd, ACCESS_CONTROL},
};

_Static_assert(ARRAY_SIZE(routes) <= CHAOS_ROUTES, "raise CHAOS_ROUTES");

const struct route *route_at(size_t index)
{
	return index < ARRAY_SIZE(routes) ? &routes[index] : NULL;
}

static bool pattern_fits(const char *pattern, const char *path,
			 char parameters[PARAMETERS][PARAMETER_SIZE])
{
	size_t found = 0;
	while (*pattern) {
		if (*pattern != '*') {
			if (*pattern++ != *path++)
				return false;
			continue;
		}
		size_t length = strcspn(path, "/");
		if (length >= PARAMETER_SIZE || found == PARAMETERS)
			return false;
		memcpy(parameters[found], path, length);
		parameters[found++][length] = '\0';
		path += length;
		pattern++;
	}
	return *path == '\0';
}

int route_find(struct request *request)
{
	int result = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!pattern_fits(routes[i].pattern, request->path, request->parameters))
			continue;
		if (strcmp(routes[i].method, request->method) == 0)
			return (int)i;
		result = -EPERM;
	}
	return result;
}

/* Different parts of the API say "who are you?" differently; all of it has been seen. */
static void reply_unknown(const struct request *request, enum route_access access,
			  struct reply *reply)
{
	if (access == ACCESS_VERIFY)
		reply_error(reply, 401, 1000, "Invalid API Token");
	else if (string_starts(request->path, API_PREFIX "/certificates"))
		reply_error(reply, 401, 10000, "Authentication error");
	else
		reply_error(reply, 403, 9109, "Invalid access token");
}

static const char *bearer(const char *header)
{
	if (strncasecmp(header, "Bearer ", strlen("Bearer ")) != 0)
		return NULL;
	header += strlen("Bearer ");
	return token_well_formed(header) ? header : NULL;
}

/* The active token of a request (any, to verify it), or NULL and the reply. */
static const struct token *authenticate(const struct sandbox *sandbox,
					const struct request *request, enum route_access access,
					struct reply *reply)
{
	const char *header = request_header(request, "Authorization");
	/* Origin CA keys ended on 2026-09-30; API.md. */
	if (request_header(request, "X-Auth-User-Service-Key") ||
	    (header && string_starts(header, "Bearer v1.0-"))) {
		reply_error(reply, 401, 10000, "Authentication error");
		return NULL;
	}
	if (!header && request_header(request, "X-Auth-Key")) {
		reply_error_chain(reply, 400, 6003, "Invalid request headers", 6103,
				  "Invalid format for X-Auth-Key header");
		return NULL;
	}
	if (!header) {
		reply_error(reply, 400, 9106,
			    "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
		return NULL;
	}
	const char *secret = bearer(header);
	if (!secret) {
		reply_error_chain(reply, 400, 6003, "Invalid request headers", 6111,
				  "Invalid format for Authorization header");
		return NULL;
	}
	const struct token *token = tokens_find(&sandbox->tokens, secret);
	if (!token || (access != ACCESS_VERIFY && strcmp(token->status, "active") != 0)) {
		reply_unknown(request, access, reply);
		return NULL;
	}
	return token;
}

static bool admit(struct sandbox *sandbox, enum route_access access, struct request *request,
		  struct reply *reply)
{
	request->token = authenticate(sandbox, request, access, reply);
	if (!request->token)
		return false;
	reply->token_name = request->token->name;

	struct limit_state state;
	if (!limit_take(&sandbox->limit, &state)) {
		reply_error(reply, 429, 971,
			    "Please wait and consider throttling your request speed");
		reply->retry_after = state.reset;
		return false;
	}
	/* A token without any permission on certificates is a stranger to the Origin CA. */
	if (string_starts(request->path, API_PREFIX "/certificates") &&
	    !token_may(request->token, PERMISSION_SSL_READ, NULL)) {
		reply_error(reply, 403, 10000, "Authentication error");
		return false;
	}
	return true;
}

void route_answer(struct sandbox *sandbox, int route, struct request *request, struct reply *reply)
{
	if (route == -EPERM) {
		reply_error(reply, 405, 7001, "Method %.32s not available for that URI",
			    request->method);
		return;
	}
	if (route < 0) {
		reply_no_route(reply, request);
		return;
	}
	const struct route *chosen = &routes[route];
	bool secured = chosen->access == ACCESS_TOKEN || chosen->access == ACCESS_VERIFY;
	if (!secured || admit(sandbox, chosen->access, request, reply))
		chosen->handler(sandbox, request, reply);
}
