#include "cloudflare/rules.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"

static const char PHASE[] = "http_config_settings";

int rule_expression(const struct string_list *hostnames, char **ret_expression, struct error *error)
{
	CLEANUP(buffer_free) struct buffer plain = BUFFER(RULE_EXPRESSION_LIMIT);
	CLEANUP(buffer_free) struct buffer text = BUFFER(RULE_EXPRESSION_LIMIT);
	for (size_t i = 0; i < hostnames->count; i++) {
		const char *name = hostnames->items[i];
		if (string_starts(name, "*."))
			buffer_add_format(&text, "%sends_with(http.host, \"%s\")",
					  text.length ? " or " : "", name + 1);
		else
			buffer_add_format(&plain, "%s\"%s\"", plain.length ? " " : "", name);
	}
	if (plain.length)
		buffer_add_format(&text, "%shttp.host in {%s}", text.length ? " or " : "",
				  buffer_text(&plain));
	if (text.failed || plain.failed) {
		error_set(error, ERROR_CONFIGURATION, -E2BIG,
			  "the expression of a configuration rule for %zu hostnames has more than "
			  "%d characters",
			  hostnames->count, RULE_EXPRESSION_LIMIT);
		return error_remedy(error, "divide the certificate, or write ssl_mode = strict");
	}
	*ret_expression = buffer_take(&text);
	return 0;
}

static int explain(int result, bool edit, struct error *error)
{
	if (error && error->class == ERROR_AUTHORIZATION)
		error_remedy(error,
			     "give the token the permission Zone > Config Rules > %s, or "
			     "write ssl_mode = unmanaged",
			     edit ? "Edit" : "Read");
	return result;
}

static bool rule_is_strict(const cJSON *rule)
{
	const char *action = json_string(rule, "action");
	const char *ssl =
		json_string(cJSON_GetObjectItemCaseSensitive(rule, "action_parameters"), "ssl");
	return action && strcmp(action, "set_config") == 0 && ssl && strcmp(ssl, "strict") == 0 &&
	       !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(rule, "enabled"));
}

/* Spaces and parentheses around the whole do not matter; nothing cleverer is tried. */
static bool rule_is(const cJSON *rule, const char *expression)
{
	const char *own = json_string(rule, "expression");
	size_t length = strlen(expression);
	if (!own)
		return false;
	own += strspn(own, " (");
	return strncmp(own, expression, length) == 0 &&
	       strspn(own + length, " )") == strlen(own + length);
}

static cJSON *rule_new(const char *expression, const char *description)
{
	cJSON *rule = json_object();
	json_add_string(rule, "action", "set_config");
	json_add_string(json_add_object(rule, "action_parameters"), "ssl", "strict");
	json_add_string(rule, "expression", expression);
	json_add_string(rule, "description", description);
	json_add_bool(rule, "enabled", true);
	return rule;
}

/* A zone without a rule has no ruleset either: then, and only then, one is put there. */
static int ruleset_first(struct client *client, const char *zone_id, cJSON *rule,
			 struct error *error)
{
	CLEANUP(freep)
	char *path = string_format("/zones/%.32s/rulesets/phases/%s/entrypoint", zone_id, PHASE);
	CLEANUP(cJSON_Deletep) cJSON *body = json_object();
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	json_append(json_add_array(body, "rules"), rule);
	return client_call(client, "PUT", path, body, &answer, error);
}

static int rule_append(struct client *client, const char *zone_id, const char *ruleset, cJSON *rule,
		       struct error *error)
{
	CLEANUP(freep)
	char *path = string_format("/zones/%.32s/rulesets/%s/rules", zone_id, ruleset);
	CLEANUP(cJSON_Deletep) cJSON *body = rule;
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	return client_call(client, "POST", path, body, &answer, error);
}

/* 1 when a rule does it already. */
static int rules_look(const cJSON *ruleset, const char *expression, const char *description,
		      char **ret_stale)
{
	const cJSON *rule;
	int found = 0;
	cJSON_ArrayForEach (rule, cJSON_GetObjectItemCaseSensitive(ruleset, "rules")) {
		const char *own = json_string(rule, "description");
		const char *text = json_string(rule, "expression");
		if (!rule_is_strict(rule))
			continue;
		if (rule_is(rule, expression))
			found = 1;
		else if (own && text && strcmp(own, description) == 0 && !*ret_stale)
			*ret_stale = string_copy_n(text, 200);
	}
	return found;
}

int rule_ssl_strict(struct client *client, const char *zone_id, const char *expression,
		    const char *description, char **ret_stale, struct error *error)
{
	CLEANUP(freep)
	char *path = string_format("/zones/%.32s/rulesets/phases/%s/entrypoint", zone_id, PHASE);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	*ret_stale = NULL;
	int result = client_call(client, "GET", path, NULL, &answer, error);
	if (result == -ENOENT) {
		error_clear(error);
		result = ruleset_first(client, zone_id, rule_new(expression, description), error);
		return result < 0 ? explain(result, true, error) : 1;
	}
	if (result < 0)
		return explain(result, false, error);

	const cJSON *ruleset = cJSON_GetObjectItemCaseSensitive(answer, "result");
	const char *id = json_string(ruleset, "id");
	if (rules_look(ruleset, expression, description, ret_stale))
		return 0;
	if (!id || !id[0] || strlen(id) > 64 || strspn(id, "0123456789abcdefABCDEF-") != strlen(id))
		return error_set(error, ERROR_BUG, -EPROTO, "GET %s: the answer has no id", path);
	result = rule_append(client, zone_id, id, rule_new(expression, description), error);
	return result < 0 ? explain(result, true, error) : 1;
}
