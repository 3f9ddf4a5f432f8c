/* exchange.h - one request and its answer, apart from how they travel. */
#ifndef ORIGIN_CA_SANDBOX_EXCHANGE_H
#define ORIGIN_CA_SANDBOX_EXCHANGE_H

#include "base/json.h"
#include "sandbox.h"

enum {
	PARAMETERS = 3,
	PARAMETER_SIZE = 128,
	BODY_LIMIT = 64 << 10,
};

struct MHD_Connection;

struct request {
	const char *method, *path; /* decoded, without the query */
	const char *body;	   /* always ends in 0 */
	size_t body_length;
	struct MHD_Connection *connection;
	char parameters[PARAMETERS][PARAMETER_SIZE]; /* what the route's * stood for */
	const struct token *token;		     /* NULL on routes that need none */
	struct fault fault;
	int64_t now;
	int64_t began_ms; /* clock_monotonic_ms() */
};

struct reply {
	int status;
	cJSON *envelope;	  /* JSON, or NULL: `text` */
	char *text;		  /* another body, or NULL: none */
	const char *content_type; /* of `text` */
	int64_t retry_after;	  /* 0: none */
	const char *token_name;	  /* for the journal, or NULL */
};

void reply_clear(struct reply *reply);

/* Header and query argument of a request, or NULL. */
const char *request_header(const struct request *request, const char *name);
const char *request_query(const struct request *request, const char *name);

/* A query argument that is a number within bounds: 0 and the fallback when absent, -EINVAL. */
int request_query_number(const struct request *request, const char *name, int64_t least,
			 int64_t most, int64_t *value);

/* HTTP 200 with `result`, which becomes the reply's. */
void reply_result(struct reply *reply, cJSON *result);

/* As above for page `page` (from 1) of `total` things, `count` of them in `result`. */
void reply_page(struct reply *reply, cJSON *result, int64_t page, int64_t per_page, size_t count,
		size_t total);

/* One error, as the only one. */
void reply_error(struct reply *reply, int status, int code, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* As above with one link of `error_chain`. */
void reply_error_chain(struct reply *reply, int status, int code, const char *message,
		       int chain_code, const char *chain_message);

/* Adds to `messages` of a reply that was made. */
void reply_message(struct reply *reply, int code, const char *message);

/* A file. `text` is copied. */
void reply_text(struct reply *reply, const char *content_type, const char *text);

/* "Could not route to ...": no such thing as this path. */
void reply_no_route(struct reply *reply, const struct request *request);

/* The request's body as a JSON object, else NULL and the reply made (error 1003). */
cJSON *request_object(const struct request *request, struct reply *reply);

typedef void route_handler(struct sandbox *sandbox, const struct request *request,
			   struct reply *reply);

/* certificates.c */
route_handler certificates_create, certificates_list, certificates_get, certificates_revoke;
/* zone_routes.c, ruleset_routes.c */
route_handler zones_list, zones_get, settings_get, settings_change, dns_records_list;
route_handler ruleset_get, ruleset_put, ruleset_append, ruleset_change, pagerules_list;
/* account_routes.c */
route_handler user_token_verify, account_token_verify, ips_get, root_get;
/* control_routes.c */
route_handler control_faults_get, control_faults_change, control_stats, control_clock;
route_handler control_zone;
route_handler control_crowd;

/* The zone that parameter 0 names if the token has one of `permissions` on it, else NULL and the
 * reply made. */
struct zone *request_zone(struct sandbox *sandbox, const struct request *request,
			  unsigned permissions, struct reply *reply);

#endif
