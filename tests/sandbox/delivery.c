#include "delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "journal.h"
#include "routes.h"

enum {
	DRIPS = 20,	 /* pieces of a slow body */
	DRIP_LEAST = 10, /* milliseconds between them */
	RAY_SIZE = 24,
};

static int connection_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info ? info->connect_fd : -1;
}

/* Waits, but not for a client that is gone (with its connection, else -1), nor when the sandbox
 * ends. */
static void wait_ms(const struct sandbox *sandbox, int connection, int64_t milliseconds)
{
	struct pollfd events[] = {
		{.fd = sandbox->stop_fd, .events = POLLIN},
		{.fd = connection, .events = POLLRDHUP},
	};
	int64_t deadline = clock_monotonic_ms() + milliseconds;
	int64_t left = milliseconds;
	while (left > 0) {
		int ready = poll(events, ARRAY_SIZE(events), left > 60000 ? 60000 : (int)left);
		if (ready > 0 || (ready < 0 && errno != EINTR))
			return;
		left = deadline - clock_monotonic_ms();
	}
}

/* A body that is slow, or ends too early. */
struct drip {
	const struct sandbox *sandbox;
	int connection;
	char *body;
	size_t length; /* that is promised */
	size_t cut_at; /* where it ends in truth */
	size_t piece;  /* bytes at a time */
	int64_t pause; /* milliseconds before each */
};

static ssize_t drip_read(void *context, uint64_t position, char *buffer, size_t size)
{
	const struct drip *drip = context;
	if (position >= drip->cut_at)
		return drip->cut_at < drip->length ? MHD_CONTENT_READER_END_WITH_ERROR
						   : MHD_CONTENT_READER_END_OF_STREAM;
	wait_ms(drip->sandbox, drip->connection, drip->pause);
	size_t length = drip->cut_at - (size_t)position;
	if (length > drip->piece)
		length = drip->piece;
	if (length > size)
		length = size;
	memcpy(buffer, drip->body + position, length);
	return (ssize_t)length;
}

static void drip_free(void *context)
{
	struct drip *drip = context;
	free(drip->body);
	free(drip);
}

static struct MHD_Response *response_new(const struct sandbox *sandbox,
					 struct MHD_Connection *connection, char *body,
					 const struct fault *fault)
{
	size_t length = strlen(body);
	if (fault->kind != FAULT_SLOW_BODY && fault->kind != FAULT_CUT_BODY)
		return MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);

	struct drip *drip = memory_alloc(1, sizeof(*drip));
	*drip = (struct drip){
		.sandbox = sandbox,
		.connection = connection_fd(connection),
		.body = body,
		.length = length,
		.cut_at = fault->kind == FAULT_CUT_BODY ? length / 2 : length,
		.piece = length,
	};
	if (fault->kind == FAULT_SLOW_BODY) {
		drip->piece = length / DRIPS + 1;
		drip->pause = fault->value * 1000 / DRIPS + DRIP_LEAST;
	}
	return MHD_create_response_from_callback(length, 4096, drip_read, drip, drip_free);
}

static void headers_add(struct sandbox *sandbox, struct MHD_Response *response,
			const struct reply *reply)
{
	char text[80];
	time_t now = (time_t)sandbox_now(sandbox);
	struct tm utc;
	if (gmtime_r(&now, &utc) &&
	    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc) > 0)
		MHD_add_response_header(response, "Date", text);
	MHD_add_response_header(response, "Content-Type",
				reply->envelope	      ? "application/json"
				: reply->content_type ? reply->content_type
						      : "text/html; charset=UTF-8");
	snprintf(text, sizeof(text), "%08" PRIx32 "%08" PRIx32 "-SBX", random_u32(), random_u32());
	MHD_add_response_header(response, "CF-Ray", text);

	struct limit_state state;
	limit_look(&sandbox->limit, &state);
	snprintf(text, sizeof(text), "\"default\";r=%" PRId64 ";t=%" PRId64, state.remaining,
		 state.reset);
	MHD_add_response_header(response, "Ratelimit", text);
	snprintf(text, sizeof(text), "\"default\";q=%" PRId64 ";w=%" PRId64,
		 sandbox->limit.requests ? sandbox->limit.requests : LIMIT_REQUESTS,
		 sandbox->limit.requests ? sandbox->limit.seconds : LIMIT_SECONDS);
	MHD_add_response_header(response, "Ratelimit-Policy", text);
	if (reply->retry_after > 0) {
		snprintf(text, sizeof(text), "%" PRId64, reply->retry_after);
		MHD_add_response_header(response, "Retry-After", text);
	}
	MHD_add_response_header(response, "Server", "cloudflare");
}

enum MHD_Result delivery_send(struct sandbox *sandbox, struct MHD_Connection *connection,
			      const struct reply *reply, const struct fault *fault)
{
	char *body = NULL;
	if (reply->envelope)
		body = json_print(reply->envelope, false);
	else
		body = string_copy(reply->text ? reply->text : "");
	struct MHD_Response *response = response_new(sandbox, connection, body, fault);
	if (!response)
		return MHD_NO;
	headers_add(sandbox, response, reply);
	enum MHD_Result result = MHD_queue_response(connection, (unsigned)reply->status, response);
	MHD_destroy_response(response);
	return result;
}

/* Only what can be printed: the line must stay one line of JSON. */
static void add_printable(cJSON *object, const char *name, const char *text, size_t length)
{
	CLEANUP(freep) char *copy = string_copy_n(text, length);
	for (char *at = copy; *at; at++)
		if (*at <= ' ' || *at > '~')
			*at = '?';
	json_add_string(object, name, copy);
}

static void request_journal(const struct sandbox *sandbox, const struct request *request,
			    const char *uri, const struct reply *reply, int status)
{
	CLEANUP(cJSON_Deletep) cJSON *line = json_object();
	size_t length = strcspn(uri, "?");
	json_add_time(line, "time", request->now);
	add_printable(line, "method", request->method, strlen(request->method));
	add_printable(line, "path", uri, length);
	if (uri[length])
		add_printable(line, "query", uri + length + 1, strlen(uri + length + 1));
	json_add_integer(line, "status", status); /* 0: no answer */
	const cJSON *errors = cJSON_GetObjectItemCaseSensitive(reply->envelope, "errors");
	json_add_integer(line, "code", json_integer(cJSON_GetArrayItem(errors, 0), "code", 0));
	json_add_integer(line, "delay_ms", clock_monotonic_ms() - request->began_ms);
	json_add_string(line, "token", reply->token_name);
	if (request->fault.kind != FAULT_NONE)
		json_add_string(line, "fault", fault_name(request->fault.kind));
	journal_append(sandbox->requests_fd, line);
}

static void reply_html(struct reply *reply, int status)
{
	CLEANUP(freep)
	char *page = string_format("<!DOCTYPE html>\n<html><head><title>%d</title></head>\n"
				   "<body><h1>Error %d</h1><p>cloudflare</p></body></html>\n",
				   status, status);
	reply_text(reply, "text/html; charset=UTF-8", page);
	reply->status = status;
}

static void reply_code(struct reply *reply, int status, int code)
{
	const char *message = "Internal server error";
	if (code == 1100)
		message = "Failed to write certificate to Database";
	else if (code == 1201)
		message = "Failed to sign certificate";
	reply_error(reply, status, code, "%s", message);
}

/* A fault that comes instead of the request. False: it is none of those. */
static bool fault_before(struct sandbox *sandbox, const struct request *request,
			 struct reply *reply)
{
	int connection = connection_fd(request->connection);
	const struct fault *fault = &request->fault;
	switch (fault->kind) {
	case FAULT_RESET_BEFORE:
		setsockopt(connection, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
			   sizeof(struct linger));
		return true;
	case FAULT_HANG:
		wait_ms(sandbox, connection, fault->value * 1000);
		return true;
	case FAULT_SLOW_WORK:
		wait_ms(sandbox, -1, fault->value * 1000);
		return false;
	case FAULT_ERROR:
		reply_code(reply, 400, (int)fault->value);
		return true;
	case FAULT_REFUSED_OK:
		reply_code(reply, 200, (int)fault->value);
		return true;
	case FAULT_RATE_LIMIT:
		reply_error(reply, 429, 971,
			    "Please wait and consider throttling your request speed");
		reply->retry_after = fault->value;
		return true;
	case FAULT_HTML:
		reply_html(reply, (int)fault->value);
		return true;
	default:
		return false;
	}
}

/* A fault that keeps or spoils the answer of what was done. */
static void fault_after(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	switch (request->fault.kind) {
	case FAULT_LOSE_ANSWER:
		reply_clear(reply);
		reply->status = 0;
		break;
	case FAULT_HANG_AFTER:
		reply_clear(reply);
		reply->status = 0;
		wait_ms(sandbox, connection_fd(request->connection), request->fault.value * 1000);
		break;
	case FAULT_HTML_AFTER:
		reply_html(reply, (int)request->fault.value);
		break;
	case FAULT_EMPTY_BODY:
		reply_clear(reply);
		break;
	case FAULT_BARE:
		cJSON_DeleteItemFromObjectCaseSensitive(reply->envelope, "messages");
		if (reply->status == 200)
			cJSON_DeleteItemFromObjectCaseSensitive(reply->envelope, "errors");
		break;
	default:
		break;
	}
}

/* What is to go wrong: as ordered, else by chance. Paths are given below /client/v4. */
static struct fault fault_choose(struct sandbox *sandbox, const struct request *request, int route)
{
	const char *path = request->path;
	bool api = string_starts(path, API_PREFIX "/");
	if (api)
		path += strlen(API_PREFIX);
	struct fault fault = faults_take(&sandbox->faults, request->method, path);
	if (fault.kind == FAULT_NONE && route >= 0 && api)
		fault = chaos_take(&sandbox->chaos, (size_t)route,
				   string_starts(path, "/certificates"));
	return fault;
}

enum MHD_Result delivery_answer(struct sandbox *sandbox, struct request *request, const char *uri)
{
	CLEANUP(reply_clear) struct reply reply = {0};
	int route = route_find(request);
	bool control = route >= 0 && route_at((size_t)route)->access == ACCESS_CONTROL;
	request->now = sandbox_now(sandbox);
	request->began_ms = clock_monotonic_ms();
	if (route >= 0)
		sandbox->requests[route]++;
	if (!control)
		request->fault = fault_choose(sandbox, request, route);
	if (!fault_before(sandbox, request, &reply)) {
		route_answer(sandbox, route, request, &reply);
		fault_after(sandbox, request, &reply);
	}
	if (!control)
		request_journal(sandbox, request, uri, &reply, reply.status);
	if (reply.status == 0)
		return MHD_NO;
	return delivery_send(sandbox, request->connection, &reply, &request->fault);
}
