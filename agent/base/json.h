/*
 * json.h - reading and making cJSON values without surprises.
 *
 * Readers take NULL and wrong types and then give the fallback. Makers never return NULL; a value
 * that cannot be allocated ends the process as memory.h says.
 */
#ifndef ORIGIN_CA_BASE_JSON_H
#define ORIGIN_CA_BASE_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"

/* Parses exactly `length` bytes; NULL unless they are one JSON value of nesting at most 64
 * (white space may follow). Free with cJSON_Delete() or CLEANUP(cJSON_Deletep). */
cJSON *json_parse(const char *text, size_t length);

/* Member NAME of an object as string, integer or truth. The string stays the value's. */
const char *json_string(const cJSON *object, const char *name);
int64_t json_integer(const cJSON *object, const char *name, int64_t fallback);
bool json_true(const cJSON *object, const char *name);

/* The strings of array NAME, appended to `list`. */
void json_string_list(const cJSON *object, const char *name, struct string_list *list);

cJSON *json_object(void);
cJSON *json_array(void);

/* Add a member. A NULL string adds nothing; json_add_null() says so explicitly. */
void json_add_string(cJSON *object, const char *name, const char *text);
void json_add_format(cJSON *object, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
void json_add_integer(cJSON *object, const char *name, int64_t value);
void json_add_bool(cJSON *object, const char *name, bool value);
void json_add_null(cJSON *object, const char *name);
void json_add_time(cJSON *object, const char *name, int64_t time); /* RFC 3339; nothing for 0 */
void json_add_list(cJSON *object, const char *name, const struct string_list *list);

/* A member that is an object or an array; returns it (owned by `object`). */
cJSON *json_add_object(cJSON *object, const char *name);
cJSON *json_add_array(cJSON *object, const char *name);

/* Appends to an array: an owned value, or a new object that is returned. */
void json_append(cJSON *array, cJSON *value);
cJSON *json_append_object(cJSON *array);

/* Text with a final newline; free() it. */
char *json_print(const cJSON *value, bool pretty);

DEFINE_CLEANUP(cJSON *, cJSON_Delete)

#endif
