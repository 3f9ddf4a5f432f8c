#include <string.h>

#include "base/json.h"
#include "commands/check.h"

void found(struct findings *findings, const char *subject, const char *level, const char *message,
	   const char *remedy)
{
	cJSON *json = json_append_object(findings->array);
	json_add_string(json, "subject", subject);
	json_add_string(json, "level", level);
	json_add_string(json, "message", message);
	buffer_add_format(&findings->text, "%-7s %s: %s\n", level, subject, message);
	if (remedy && remedy[0]) {
		json_add_string(json, "remedy", remedy);
		buffer_add_format(&findings->text, "        -> %s\n", remedy);
	}
	findings->failures += strcmp(level, "error") == 0;
}

void found_ok(struct findings *findings, const char *subject, const char *message)
{
	found(findings, subject, "ok", message, NULL);
}

void found_error(struct findings *findings, const char *subject, const struct error *error)
{
	found(findings, subject, "error", error->message, error_advice(error));
}
