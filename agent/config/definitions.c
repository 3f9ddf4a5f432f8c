#include "config/definitions.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

static const char definitions_file[] = "definitions.json";

void definitions_add(struct definitions *definitions, const char *path, const char *text,
		     int64_t at)
{
	definitions->items =
		memory_grow(definitions->items, definitions->count, sizeof(*definitions->items));
	definitions->items[definitions->count++] = (struct definition){
		.path = string_copy(path),
		.text = string_copy(text),
		.at = at,
	};
}

const struct definition *definitions_find(const struct definitions *definitions, const char *path)
{
	for (size_t i = 0; i < definitions->count; i++)
		if (strcmp(definitions->items[i].path, path) == 0)
			return &definitions->items[i];
	return NULL;
}

void definitions_free(struct definitions *definitions)
{
	for (size_t i = 0; i < definitions->count; i++) {
		free(definitions->items[i].path);
		free(definitions->items[i].text);
	}
	free(definitions->items);
	*definitions = (struct definitions){0};
}

int definitions_load(int state_directory, const char *where, struct definitions *ret_definitions,
		     struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(DEFINITIONS_LIMIT);
	*ret_definitions = (struct definitions){0};
	int result = file_read_at(state_directory, where, definitions_file, &text, error);
	if (result == -ENOENT)
		return 0;
	if (result < 0)
		return result;
	CLEANUP(cJSON_Deletep) cJSON *json = json_parse(buffer_text(&text), text.length);
	int64_t version = json_integer(json, "version", 0);
	if (version > DEFINITIONS_VERSION) {
		error_set(error, ERROR_LOCAL, -EPROTO,
			  "%s/%s was written by a newer version of origin-ca-agent", where,
			  definitions_file);
		return error_remedy(error, "install that version again, or remove the file; it "
					   "only matters while a file of the configuration is bad");
	}
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, "files")) {
		const char *path = json_string(item, "path");
		const char *good = json_string(item, "text");
		if (path && good)
			definitions_add(ret_definitions, path, good, json_integer(item, "at", 0));
	}
	return 0;
}

int definitions_save(int state_directory, const char *where, const struct definitions *definitions,
		     struct error *error)
{
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	json_add_integer(json, "version", DEFINITIONS_VERSION);
	cJSON *files = json_add_array(json, "files");
	for (size_t i = 0; i < definitions->count; i++) {
		cJSON *item = json_append_object(files);
		json_add_string(item, "path", definitions->items[i].path);
		json_add_integer(item, "at", definitions->items[i].at);
		json_add_string(item, "text", definitions->items[i].text);
	}
	CLEANUP(freep) char *text = json_print(json, false);
	return file_write_at(state_directory, where, definitions_file, text, strlen(text),
			     &FILE_ACCESS(0600), FILE_SYNC, error);
}
