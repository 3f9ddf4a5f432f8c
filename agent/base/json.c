#include "base/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
	NESTING = 64
};

/* cJSON's own limit is 1000 levels of recursion; ours is what any API answer needs. */
static bool nests_too_deep(const char *text, size_t length)
{
	int depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < length; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '[' || text[i] == '{') {
			if (++depth > NESTING)
				return true;
		} else if (text[i] == ']' || text[i] == '}') {
			depth--;
		}
	}
	return false;
}

cJSON *json_parse(const char *text, size_t length)
{
	if (!text || nests_too_deep(text, length))
		return NULL;

	const char *end = NULL;
	cJSON *value = cJSON_ParseWithLengthOpts(text, length, &end, false);
	if (!value)
		return NULL;
	while (end < text + length && strchr(" \t\r\n", *end) && *end)
		end++;
	if (end != text + length) {
		cJSON_Delete(value);
		return NULL;
	}
	return value;
}

const char *json_string(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
}

int64_t json_integer(const cJSON *object, const char *name, int64_t fallback)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	/* 2^53: beyond it a double has no unit digit. */
	if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= 9007199254740992.0))
		return fallback;
	return (int64_t)item->valuedouble;
}

bool json_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

void json_string_list(const cJSON *object, const char *name, struct string_list *list)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(object, name)) {
		if (cJSON_IsString(item))
			string_list_add(list, item->valuestring);
	}
}

static cJSON *must(cJSON *value)
{
	if (!value)
		abort();
	return value;
}

cJSON *json_object(void)
{
	return must(cJSON_CreateObject());
}

cJSON *json_array(void)
{
	return must(cJSON_CreateArray());
}

static cJSON *add(cJSON *object, const char *name, cJSON *value)
{
	if (!cJSON_AddItemToObject(object, name, must(value)))
		abort();
	return value;
}

void json_add_string(cJSON *object, const char *name, const char *text)
{
	if (text)
		add(object, name, cJSON_CreateString(text));
}

void json_add_format(cJSON *object, const char *name, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		abort();
	va_end(arguments);
	json_add_string(object, name, text);
	free(text);
}

void json_add_integer(cJSON *object, const char *name, int64_t value)
{
	add(object, name, cJSON_CreateNumber((double)value));
}

void json_add_bool(cJSON *object, const char *name, bool value)
{
	add(object, name, cJSON_CreateBool(value));
}

void json_add_null(cJSON *object, const char *name)
{
	add(object, name, cJSON_CreateNull());
}

void json_add_time(cJSON *object, const char *name, int64_t time)
{
	char text[CLOCK_TEXT_SIZE];
	if (time)
		json_add_string(object, name, clock_format(time, text));
}

void json_add_list(cJSON *object, const char *name, const struct string_list *list)
{
	cJSON *array = json_add_array(object, name);
	for (size_t i = 0; i < list->count; i++)
		json_append(array, cJSON_CreateString(list->items[i]));
}

cJSON *json_add_object(cJSON *object, const char *name)
{
	return add(object, name, cJSON_CreateObject());
}

cJSON *json_add_array(cJSON *object, const char *name)
{
	return add(object, name, cJSON_CreateArray());
}

void json_append(cJSON *array, cJSON *value)
{
	if (!cJSON_AddItemToArray(array, must(value)))
		abort();
}

cJSON *json_append_object(cJSON *array)
{
	cJSON *object = json_object();
	json_append(array, object);
	return object;
}

char *json_print(const cJSON *value, bool pretty)
{
	char *text = pretty ? cJSON_Print(value) : cJSON_PrintUnformatted(value);
	if (!text)
		abort();
	char *line = string_format("%s\n", text);
	free(text);
	return line;
}
