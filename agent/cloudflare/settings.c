#include "cloudflare/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

static int explain(int result, const char *name, bool edit, struct error *error)
{
	if (!error || error->class != ERROR_AUTHORIZATION)
		return result;
	error_remedy(error, "give the token the permission Zone > %s > %s, or do without",
		     strcmp(name, SETTING_AUTOMATIC) == 0 ? "SSL and Certificates"
							  : "Zone Settings",
		     edit ? "Edit" : "Read");
	return result;
}

int setting_get(struct client *client, const char *zone_id, const char *name,
		char value[static SETTING_SIZE], struct error *error)
{
	CLEANUP(freep) char *path = string_format("/zones/%.32s/settings/%s", zone_id, name);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	int result = client_call(client, "GET", path, NULL, &answer, error);
	if (result < 0)
		return explain(result, name, false, error);
	const char *word = json_string(cJSON_GetObjectItemCaseSensitive(answer, "result"), "value");
	if (!word || !word[0] || strlen(word) >= SETTING_SIZE ||
	    strspn(word, "abcdefghijklmnopqrstuvwxyz_") != strlen(word))
		return error_set(error, ERROR_BUG, -EPROTO, "GET %s: the answer has no value",
				 path);
	snprintf(value, SETTING_SIZE, "%s", word);
	return 0;
}

int setting_set(struct client *client, const char *zone_id, const char *name, const char *value,
		struct error *error)
{
	CLEANUP(freep) char *path = string_format("/zones/%.32s/settings/%s", zone_id, name);
	CLEANUP(cJSON_Deletep) cJSON *body = json_object();
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	json_add_string(body, "value", value);
	int result = client_call(client, "PATCH", path, body, &answer, error);
	return result < 0 ? explain(result, name, true, error) : 0;
}

bool setting_is_strict(const char *ssl)
{
	return strcmp(ssl, "strict") == 0 || strcmp(ssl, "origin_pull") == 0;
}
