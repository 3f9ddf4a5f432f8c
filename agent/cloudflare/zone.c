#include "cloudflare/zone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "cloudflare/envelope.h"

enum {
	PARENTS_LIMIT =
		16, /* names that are asked for; the shortest of them where there are more */
	NAME_LIMIT = 253,
};

static const char remedy_zone[] =
	"write the zone's id (32 hex digits, on its overview in the dashboard) as `zone_id =` in "
	"the [certificate] section, or give the token the permission Zone > Zone > Read";

static bool is_id(const char *text)
{
	return text && strlen(text) == ZONE_ID_SIZE - 1 &&
	       strspn(text, "0123456789abcdefABCDEF") == ZONE_ID_SIZE - 1;
}

/* False unless it is an object with an id and a name. */
static bool zone_read(const cJSON *object, struct zone *ret_zone)
{
	struct zone zone = {0};
	const char *id = json_string(object, "id");
	const char *name = json_string(object, "name");
	const char *status = json_string(object, "status");
	const char *account =
		json_string(cJSON_GetObjectItemCaseSensitive(object, "account"), "id");

	if (!is_id(id) || !name || strlen(name) >= sizeof(zone.name))
		return false;
	snprintf(zone.id, sizeof(zone.id), "%s", id);
	snprintf(zone.name, sizeof(zone.name), "%s", name);
	snprintf(zone.status, sizeof(zone.status), "%.31s", status ? status : "");
	if (is_id(account))
		snprintf(zone.account_id, sizeof(zone.account_id), "%s", account);
	zone.paused = json_true(object, "paused");
	*ret_zone = zone;
	return true;
}

/* Letters, digits, hyphens, dots and the underscore: nothing that means something in a URL. */
static bool is_name(const char *name)
{
	size_t length = strlen(name);
	return length > 0 && length <= NAME_LIMIT && name[0] != '.' && name[length - 1] != '.' &&
	       !strstr(name, "..") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") ==
		       length;
}

/* The zone of exactly that name, an active one before others (the same name may be pending in a
 * second account). Returns 1 when there is one, 0 when not. */
static int zone_ask(struct client *client, const char *name, struct zone *ret_zone,
		    struct error *error)
{
	CLEANUP(freep) char *path = string_format("/zones?name=%s&per_page=50", name);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	int result = client_call(client, "GET", path, NULL, &answer, error);
	if (result < 0)
		return result;

	bool found = false;
	const cJSON *entry;
	cJSON_ArrayForEach (entry, cJSON_GetObjectItemCaseSensitive(answer, "result")) {
		struct zone zone;
		if (!zone_read(entry, &zone) || strcasecmp(zone.name, name) != 0)
			continue;
		if (!found ||
		    (strcmp(ret_zone->status, "active") != 0 && strcmp(zone.status, "active") == 0))
			*ret_zone = zone;
		found = true;
	}
	return found;
}

/* The names that could be zones: all parents with two labels or more, longest first. */
static void parents_list(const char *name, struct string_list *parents)
{
	size_t labels = 1;
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.'))
		labels++;
	for (; name; labels--) {
		if (labels <= PARENTS_LIMIT + 1 && (labels >= 2 || parents->count == 0))
			string_list_add(parents, name);
		name = strchr(name, '.');
		name = name ? name + 1 : NULL;
	}
}

int zone_find(struct client *client, const char *hostname, struct zone *ret_zone,
	      struct error *error)
{
	const char *name = string_starts(hostname, "*.") ? hostname + 2 : hostname;
	if (!is_name(name)) {
		struct buffer shown = BUFFER(128);
		text_add_clean(&shown, hostname, 80, NULL);
		int result = error_set(error, ERROR_CONFIGURATION, -EINVAL,
				       "\"%s\" is not a hostname", buffer_text(&shown));
		buffer_free(&shown);
		return result;
	}

	CLEANUP(string_list_free) struct string_list parents = {0};
	parents_list(name, &parents);
	for (size_t i = 0; i < parents.count; i++) {
		struct zone zone = {0};
		struct error failure = {0};
		int result = zone_ask(client, parents.items[i], &zone, &failure);
		if (result > 0) {
			*ret_zone = zone;
			return 0;
		}
		if (result < 0) {
			if (failure.class == ERROR_AUTHORIZATION)
				error_remedy(&failure, "%s", remedy_zone);
			if (error)
				*error = failure;
			return result;
		}
	}
	CLEANUP(freep) char *tried = string_list_join(&parents, ", ");
	int result = error_set(error, ERROR_CONFIGURATION, -ENOENT,
			       "no zone that the token can see holds %s (asked for: %.600s)",
			       hostname, tried);
	error_remedy(error, "%s", remedy_zone);
	return result;
}

int zone_get(struct client *client, const char *id, struct zone *ret_zone, struct error *error)
{
	if (!is_id(id)) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "a zone's id is 32 hexadecimal digits");
		error_remedy(error, "copy it from the zone's overview in the dashboard");
		return -EINVAL;
	}
	CLEANUP(freep) char *path = string_format("/zones/%s", id);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	int result = client_call(client, "GET", path, NULL, &answer, error);
	if (result < 0)
		return result;
	if (!zone_read(cJSON_GetObjectItemCaseSensitive(answer, "result"), ret_zone))
		return error_set(error, ERROR_BUG, -EPROTO,
				 "GET %s: the answer holds no zone with id and name", path);
	return 0;
}

static enum token_status status_read(const cJSON *answer)
{
	const char *word =
		json_string(cJSON_GetObjectItemCaseSensitive(answer, "result"), "status");
	if (!word)
		return TOKEN_UNKNOWN;
	return strcmp(word, "active") == 0     ? TOKEN_ACTIVE
	       : strcmp(word, "disabled") == 0 ? TOKEN_DISABLED
	       : strcmp(word, "expired") == 0  ? TOKEN_EXPIRED
					       : TOKEN_UNKNOWN;
}

int token_verify(struct client *client, const char *account_id, enum token_status *ret_status,
		 struct error *error)
{
	bool accounts = client_token_is_accounts(client);
	if (accounts && !account_id) {
		*ret_status = TOKEN_UNKNOWN;
		return 0;
	}
	if (account_id && !is_id(account_id))
		return error_set(error, ERROR_CONFIGURATION, -EINVAL,
				 "an account's id is 32 hexadecimal digits");

	CLEANUP(freep)
	char *path = accounts ? string_format("/accounts/%s/tokens/verify", account_id)
			      : string_copy("/user/tokens/verify");
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	int result = client_call(client, "GET", path, NULL, &answer, error);
	if (result < 0)
		return result;
	*ret_status = status_read(answer);
	return 0;
}
