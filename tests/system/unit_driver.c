/*
 * unit-driver - calls target/unit.h from the command line and prints JSON, for test_unit.py.
 *
 *     unit-driver status UNIT
 *     unit-driver choose UNIT...
 *     unit-driver job reload|try-restart|start UNIT TIMEOUT_MS
 *     unit-driver journal UNIT SINCE [PRIORITY [MOST]]
 *
 * Exit code 0, or 1 with {"error": {...}}.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "target/unit.h"

static int print(cJSON *answer, int code)
{
	CLEANUP(freep) char *text = json_print(answer, false);

	fputs(text, stdout);
	cJSON_Delete(answer);
	return code < 0;
}

static void add_error(cJSON *answer, const struct error *error)
{
	cJSON *object = json_add_object(answer, "error");

	json_add_integer(object, "code", error->code);
	json_add_string(object, "errno", strerrorname_np(-error->code));
	json_add_string(object, "class", error_class_name(error->class));
	json_add_string(object, "message", error->message);
	json_add_string(object, "remedy", error->remedy);
	json_add_bool(object, "outcome_unknown", error->outcome_unknown);
}

static int show_status(struct unit_bus *bus, const char *unit, cJSON *answer, struct error *error)
{
	struct unit_status status;

	int result = unit_status(bus, unit, &status, error);
	if (result < 0)
		return result;
	json_add_string(answer, "load_state", status.load_state);
	json_add_string(answer, "active_state", status.active_state);
	json_add_string(answer, "sub_state", status.sub_state);
	json_add_string(answer, "result", status.result);
	json_add_bool(answer, "can_reload", status.can_reload);
	json_add_integer(answer, "main_pid", status.main_pid);
	return 0;
}

static int do_job(struct unit_bus *bus, char **arguments, cJSON *answer, struct error *error)
{
	static const char *const verbs[] = {
		[UNIT_RELOAD] = "reload",
		[UNIT_TRY_RESTART] = "try-restart",
		[UNIT_START] = "start",
	};

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i], arguments[0]) != 0)
			continue;
		int64_t began = clock_monotonic_ms();
		int result = unit_job(bus, arguments[1], (enum unit_verb)i,
				      strtoll(arguments[2], NULL, 10), error);
		json_add_integer(answer, "took_ms", clock_monotonic_ms() - began);
		return result;
	}
	return error_set(error, ERROR_BUG, -EINVAL, "unknown verb %s", arguments[0]);
}

static int show_journal(char **arguments, int count, cJSON *answer, struct error *error)
{
	struct string_list lines = {0};

	int result = unit_journal(arguments[0], strtoll(arguments[1], NULL, 10),
				  count > 2 ? (int)strtol(arguments[2], NULL, 10) : 7,
				  count > 3 ? strtoul(arguments[3], NULL, 10) : 50, &lines, error);
	json_add_list(answer, "lines", &lines);
	string_list_free(&lines);
	return result;
}

static int run(int count, char **arguments, cJSON *answer, struct error *error)
{
	CLEANUP(unit_closep) struct unit_bus *bus = NULL;
	const char *command = arguments[0];

	if (strcmp(command, "journal") == 0 && count >= 3)
		return show_journal(arguments + 1, count - 1, answer, error);
	int result = unit_open(&bus, error);
	if (result < 0)
		return result;
	if (strcmp(command, "status") == 0 && count == 2)
		return show_status(bus, arguments[1], answer, error);
	if (strcmp(command, "job") == 0 && count == 4)
		return do_job(bus, arguments + 1, answer, error);
	if (strcmp(command, "choose") == 0 && count >= 2) {
		const char *chosen = NULL;
		result = unit_choose(bus, (const char *const *)arguments + 1, (size_t)count - 1,
				     &chosen, error);
		json_add_string(answer, "unit", chosen);
		return result;
	}
	return error_set(error, ERROR_BUG, -EINVAL, "unknown command %s", command);
}

int main(int count, char **arguments)
{
	struct error error = {0};
	cJSON *answer = json_object();

	if (count < 2) {
		cJSON_Delete(answer);
		return 2;
	}
	int result = run(count - 1, arguments + 1, answer, &error);
	if (result < 0)
		add_error(answer, &error);
	return print(answer, result);
}
