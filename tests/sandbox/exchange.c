#include "exchange.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void reply_clear(struct reply *reply)
{
	cJSON_Delete(reply->envelope);
	free(reply->text);
	reply->envelope = NULL;
	reply->text = NULL;
}

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *request_query(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

int request_query_number(const struct request *request, const char *name, int64_t least,
			 int64_t most, int64_t *value)
{
	const char *text = request_query(request, name);
	if (!text)
		return 0;
	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return -EINVAL;
	int64_t number = strtoll(text, NULL, 10);
	if (number < least || number > most)
		return -EINVAL;
	*value = number;
	return 0;
}

/* An envelope without its result; the members in the order that the API has them. */
static cJSON *envelope_new(struct reply *reply, int status, bool success, cJSON *result)
{
	reply_clear(reply);
	reply->status = status;
	reply->envelope = json_object();
	if (success)
		cJSON_AddItemToObject(reply->envelope, "result", result);
	json_add_bool(reply->envelope, "success", success);
	json_add_array(reply->envelope, "errors");
	json_add_array(reply->envelope, "messages");
	if (!success)
		json_add_null(reply->envelope, "result");
	return reply->envelope;
}

void reply_result(struct reply *reply, cJSON *result)
{
	envelope_new(reply, 200, true, result);
}

void reply_page(struct reply *reply, cJSON *result, int64_t page, int64_t per_page, size_t count,
		size_t total)
{
	reply_result(reply, result);
	cJSON *info = json_add_object(reply->envelope, "result_info");
	json_add_integer(info, "page", page);
	json_add_integer(info, "per_page", per_page);
	json_add_integer(info, "total_pages", ((int64_t)total + per_page - 1) / per_page);
	json_add_integer(info, "count", (int64_t)count);
	json_add_integer(info, "total_count", (int64_t)total);
}

static cJSON *error_new(struct reply *reply, int status, int code, const char *message)
{
	cJSON *envelope = envelope_new(reply, status, false, NULL);
	cJSON *errors = cJSON_GetObjectItemCaseSensitive(envelope, "errors");
	cJSON *error = json_append_object(errors);
	json_add_integer(error, "code", code);
	/* What the client sent may stand in it, cut anywhere: JSON must be UTF-8 all the same. */
	CLEANUP(freep) char *plain = string_copy(message);
	for (char *at = plain; *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	json_add_string(error, "message", plain);
	return error;
}

void reply_error(struct reply *reply, int status, int code, const char *format, ...)
{
	char message[1024];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	error_new(reply, status, code, message);
}

void reply_error_chain(struct reply *reply, int status, int code, const char *message,
		       int chain_code, const char *chain_message)
{
	cJSON *error = error_new(reply, status, code, message);
	cJSON *link = json_append_object(json_add_array(error, "error_chain"));
	json_add_integer(link, "code", chain_code);
	json_add_string(link, "message", chain_message);
}

void reply_message(struct reply *reply, int code, const char *message)
{
	cJSON *list = cJSON_GetObjectItemCaseSensitive(reply->envelope, "messages");
	cJSON *item = json_append_object(list);
	json_add_integer(item, "code", code);
	json_add_string(item, "message", message);
}

void reply_text(struct reply *reply, const char *content_type, const char *text)
{
	reply_clear(reply);
	reply->status = 200;
	reply->content_type = content_type;
	reply->text = string_copy(text);
}

void reply_no_route(struct reply *reply, const struct request *request)
{
	reply_error(reply, 404, 7003,
		    "Could not route to %.256s, perhaps your object identifier is invalid?",
		    request->path);
}

/* RFC 3629, without minding surrogates and overlong forms: they do no harm here. */
static bool is_utf8(const char *text, size_t length)
{
	size_t following = 0;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];
		if (following > 0) {
			if (byte >> 6 != 2)
				return false;
			following--;
		} else if (byte >= 0x80) {
			following = byte >> 5 == 6    ? 1
				    : byte >> 4 == 14 ? 2
				    : byte >> 3 == 30 ? 3
						      : 0;
			if (following == 0)
				return false;
		}
	}
	return following == 0;
}

cJSON *request_object(const struct request *request, struct reply *reply)
{
	/* A zero byte, raw or escaped, would end a string early without a word. */
	bool refused = !is_utf8(request->body, request->body_length) ||
		       memchr(request->body, 0, request->body_length) ||
		       strstr(request->body, "\\u0000");
	cJSON *object = refused ? NULL : json_parse(request->body, request->body_length);
	if (cJSON_IsObject(object))
		return object;
	cJSON_Delete(object);
	reply_error(reply, 400, 1003, "Failed to parse the request's body as a JSON object");
	return NULL;
}

struct zone *request_zone(struct sandbox *sandbox, const struct request *request,
			  unsigned permissions, struct reply *reply)
{
	if (!identifier_valid(request->parameters[0])) {
		reply_no_route(reply, request);
		return NULL;
	}
	struct zone *zone = zones_by_id(&sandbox->zones, request->parameters[0]);
	/* A zone that is not there and one that is not ours look the same. */
	if (zone && token_may(request->token, permissions, zone->name))
		return zone;
	reply_error(reply, 403, 9109, "Unauthorized to access requested resource");
	return NULL;
}
