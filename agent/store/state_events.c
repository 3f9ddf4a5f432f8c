#include "store/state_events.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alike.h"

enum {
	ALARM_TEXT = 4096, /* bytes of one string that are kept */
	EVENT_COUNT_MOST = 1000000,
};

static const char *const failures[] = {"failed", "rolled-back", "held"};

static bool is_failure(const char *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++)
		if (strcmp(event, failures[i]) == 0)
			return true;
	return false;
}

static bool same_text(const char *one, const char *other)
{
	return one && other ? strcmp(one, other) == 0 : one == other;
}

/* The same failure, with nothing but failures since; NULL when this is the first. */
static struct state_event *failure_find(struct state *state, const char *event, const char *target,
					const char *message)
{
	if (!is_failure(event))
		return NULL;
	for (size_t i = state->history_count; i > 0; i--) {
		struct state_event *one = &state->history[i - 1];
		if (!is_failure(one->event))
			return NULL;
		if (strcmp(one->event, event) == 0 && same_text(one->target, target) &&
		    words_alike(one->message, message))
			return one;
	}
	return NULL;
}

void state_history_free(struct state *state)
{
	for (size_t i = 0; i < state->history_count; i++)
		history_event_free(&state->history[i]);
	free(state->history);
	state->history = NULL;
	state->history_count = 0;
}

struct state_event *state_history_grow(struct state *state)
{
	if (state->history_count == STATE_HISTORY) {
		history_event_free(&state->history[0]);
		state->history_count--;
		memmove(&state->history[0], &state->history[1],
			state->history_count * sizeof(state->history[0]));
	}
	state->history = memory_grow(state->history, state->history_count, sizeof(*state->history));
	struct state_event *added = &state->history[state->history_count++];
	*added = (struct state_event){0};
	return added;
}

static struct state_event *append(struct state *state, int64_t at, const char *event,
				  const char *target, const char *message)
{
	struct state_event *again = failure_find(state, event, target, message);
	if (again) {
		again->count += again->count < EVENT_COUNT_MOST;
		again->last = at;
		free(again->message);
		again->message = string_copy(message);
		return again;
	}
	struct state_event *added = state_history_grow(state);
	*added = (struct state_event){
		.at = at,
		.event = string_copy(event),
		.message = string_copy(message),
		.target = string_copy(target),
		.count = 1,
		.last = at,
		.untold = true,
	};
	return added;
}

struct state_event *state_event_add(struct state *state, int64_t at, const char *event,
				    const char *format, ...)
{
	char message[ERROR_MESSAGE_SIZE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return append(state, at, event, NULL, message);
}

struct state_event *state_event_add_of(struct state *state, int64_t at, const char *event,
				       const char *target, const char *format, ...)
{
	char message[ERROR_MESSAGE_SIZE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	return append(state, at, event, target, message);
}

static void alarm_free(struct state_alarm *alarm)
{
	free(alarm->scope);
	free(alarm->event);
	free(alarm->message);
	free(alarm->remedy);
	*alarm = (struct state_alarm){0};
}

void state_alarms_free(struct state *state)
{
	for (size_t i = 0; i < state->alarm_count; i++)
		alarm_free(&state->alarms[i]);
	free(state->alarms);
	state->alarms = NULL;
	state->alarm_count = 0;
}

struct state_alarm *state_alarm_find(const struct state *state, const char *scope)
{
	for (size_t i = 0; i < state->alarm_count; i++)
		if (strcmp(state->alarms[i].scope, scope) == 0)
			return &state->alarms[i];
	return NULL;
}

struct state_alarm *state_alarm_add(struct state *state, const char *scope)
{
	state->alarms =
		memory_resize(state->alarms, state->alarm_count + 1, sizeof(*state->alarms));
	struct state_alarm *alarm = &state->alarms[state->alarm_count++];
	*alarm = (struct state_alarm){.scope = string_copy(scope)};
	return alarm;
}

void state_alarm_drop(struct state *state, size_t index)
{
	alarm_free(&state->alarms[index]);
	state->alarm_count--;
	memmove(&state->alarms[index], &state->alarms[index + 1],
		(state->alarm_count - index) * sizeof(*state->alarms));
}

static char *read_text(const cJSON *object, const char *name)
{
	const char *text = json_string(object, name);
	return text ? string_copy_n(text, ALARM_TEXT) : NULL;
}

static int64_t read_positive(const cJSON *object, const char *name)
{
	int64_t number = json_integer(object, name, 0);
	return number > 0 ? number : 0;
}

void state_alarms_read(const cJSON *array, struct state *state)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, array) {
		const char *scope = json_string(item, "scope");
		const char *event = json_string(item, "event");
		if (!scope || !event || strlen(scope) > ALARM_TEXT || strlen(event) > ALARM_TEXT ||
		    state->alarm_count == STATE_ALARMS || state_alarm_find(state, scope))
			continue;
		struct state_alarm *alarm = state_alarm_add(state, scope);
		alarm->event = string_copy(event);
		alarm->class = error_class_parse(json_string(item, "class"));
		alarm->message = read_text(item, "message");
		alarm->remedy = read_text(item, "remedy");
		alarm->since = read_positive(item, "since");
		alarm->told = read_positive(item, "told");
	}
}

void state_alarms_write(cJSON *object, const struct state *state)
{
	if (state->alarm_count == 0)
		return;
	cJSON *array = json_add_array(object, "alarms");
	for (size_t i = 0; i < state->alarm_count; i++) {
		const struct state_alarm *alarm = &state->alarms[i];
		cJSON *json = json_append_object(array);
		json_add_string(json, "scope", alarm->scope);
		json_add_string(json, "event", alarm->event);
		if (alarm->class != ERROR_NONE)
			json_add_string(json, "class", error_class_name(alarm->class));
		json_add_string(json, "message", alarm->message);
		json_add_string(json, "remedy", alarm->remedy);
		json_add_integer(json, "since", alarm->since);
		json_add_integer(json, "told", alarm->told);
	}
}

void state_counts_read(const cJSON *object, struct state_counts *counts)
{
	const cJSON *by_class = cJSON_GetObjectItemCaseSensitive(object, "failures");
	counts->attempts = (uint64_t)read_positive(object, "attempts");
	counts->success_at = read_positive(object, "success_at");
	for (int class = ERROR_TRANSIENT; class <= ERROR_BUG; class ++)
		counts->failures[class] = (uint64_t)read_positive(
			by_class, error_class_name((enum error_class) class));
}

void state_counts_write(cJSON *object, const struct state_counts *counts)
{
	uint64_t failed = 0;
	for (int class = ERROR_TRANSIENT; class <= ERROR_BUG; class ++)
		failed += counts->failures[class];
	if (counts->attempts == 0 && failed == 0)
		return;
	cJSON *json = json_add_object(object, "counts");
	json_add_integer(json, "attempts", (int64_t)counts->attempts);
	json_add_integer(json, "success_at", counts->success_at);
	if (failed == 0)
		return;
	cJSON *by_class = json_add_object(json, "failures");
	for (int class = ERROR_TRANSIENT; class <= ERROR_BUG; class ++)
		if (counts->failures[class])
			json_add_integer(by_class, error_class_name((enum error_class) class),
					 (int64_t)counts->failures[class]);
}
