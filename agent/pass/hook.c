#include "pass/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "target/command.h"

enum {
	LEAST_MS = 4000, /* for all runs, even when the pass has used up its time */
};

const char *const hook_variables[] = {
	"ORIGIN_CA_EVENT",
	"ORIGIN_CA_MESSAGE_ID",
	"ORIGIN_CA_PRIORITY",
	"ORIGIN_CA_TIME",
	"ORIGIN_CA_CERTIFICATE",
	"ORIGIN_CA_HOSTNAMES",
	"ORIGIN_CA_TARGET",
	"ORIGIN_CA_GENERATION",
	"ORIGIN_CA_SERIAL",
	"ORIGIN_CA_NOT_AFTER",
	"ORIGIN_CA_CLASS",
	"ORIGIN_CA_MESSAGE",
	"ORIGIN_CA_REMEDY",
	"ORIGIN_CA_RAY",
	"ORIGIN_CA_SINCE",
	"ORIGIN_CA_REPEATED",
	NULL,
};

/* Threads take the events of the next certificate until there are none. */
struct runs {
	struct pass *pass;
	int64_t deadline_ms;
	pthread_mutex_t lock; /* of next */
	size_t next;
	atomic_size_t left_out;
};

static void variable(struct string_list *list, const char *name, const char *value)
{
	if (value && value[0])
		string_list_take(list, string_format("%s=%s", name, value));
}

static void variable_time(struct string_list *list, const char *name, int64_t time)
{
	char text[CLOCK_TEXT_SIZE];
	if (time)
		variable(list, name, clock_format(time, text));
}

static void environment_of(const struct event *event, struct string_list *list)
{
	const struct event_type *type = &event_types[event->kind];
	CLEANUP(freep) char *ray = event_ray(event->message);
	CLEANUP(freep)
	char *generation = event->generation ? string_format("%u", event->generation) : NULL;
	CLEANUP(freep) char *priority = string_format("%d", (int)type->level);
	variable(list, "ORIGIN_CA_EVENT", type->name);
	variable(list, "ORIGIN_CA_MESSAGE_ID", type->message_id);
	variable(list, "ORIGIN_CA_PRIORITY", priority);
	variable_time(list, "ORIGIN_CA_TIME", event->at);
	variable(list, "ORIGIN_CA_CERTIFICATE", event->certificate);
	variable(list, "ORIGIN_CA_HOSTNAMES", event->hostnames);
	variable(list, "ORIGIN_CA_TARGET", event->target);
	variable(list, "ORIGIN_CA_GENERATION", generation);
	variable(list, "ORIGIN_CA_SERIAL", event->serial);
	variable_time(list, "ORIGIN_CA_NOT_AFTER", event->not_after);
	if (event->class != ERROR_NONE)
		variable(list, "ORIGIN_CA_CLASS", error_class_name(event->class));
	variable(list, "ORIGIN_CA_MESSAGE", event->message);
	variable(list, "ORIGIN_CA_REMEDY", event->remedy);
	variable(list, "ORIGIN_CA_RAY", ray);
	variable_time(list, "ORIGIN_CA_SINCE", event->since);
	variable(list, "ORIGIN_CA_REPEATED", event->repeated ? "yes" : "no");
}

/* What one run says. */
struct listener {
	const struct event *event;
	unsigned lines;
};

static void tell_line(const char *text, void *context)
{
	struct listener *listener = context;
	const struct event *event = listener->event;
	if (listener->lines > HOOK_LINES)
		return;
	if (listener->lines++ == HOOK_LINES)
		text = "(it says more, which is left out)";
	log_info("event_hook (%s of %s): %s", event_types[event->kind].name, event->certificate,
		 text);
}

/* False when there is no time left for it. */
static bool run_one(struct runs *runs, struct event *event)
{
	int64_t left = runs->deadline_ms - clock_monotonic_ms();
	if (left <= 0 || stop_requested())
		return false;
	struct string_list environment = {0};
	struct listener listener = {.event = event};
	struct error error = {0};
	environment_of(event, &environment);
	int64_t timeout = left < (int64_t)HOOK_TIMEOUT * 1000 ? left : (int64_t)HOOK_TIMEOUT * 1000;
	if (program_run("event_hook", &runs->pass->config->agent.event_hook, &environment, timeout,
			tell_line, &listener, &error) < 0)
		event_say(EVENT_HOOK_FAILED, "%s: %s was not told: %s%s%s", event->certificate,
			  event_types[event->kind].name, error.message,
			  error_advice(&error)[0] ? "; " : "", error_advice(&error));
	string_list_free(&environment);
	return true;
}

/* The events of one certificate stand together. */
static size_t take(struct runs *runs, size_t *ret_end)
{
	const struct pass *pass = runs->pass;
	pthread_mutex_lock(&runs->lock);
	size_t start = runs->next;
	size_t end = start;
	while (end < pass->event_count &&
	       strcmp(pass->events[end].certificate, pass->events[start].certificate) == 0)
		end++;
	runs->next = end;
	pthread_mutex_unlock(&runs->lock);
	*ret_end = end;
	return start;
}

static void *work(void *context)
{
	struct runs *runs = context;
	for (;;) {
		size_t end;
		size_t index = take(runs, &end);
		if (index == end)
			return NULL;
		for (; index < end; index++)
			if (!run_one(runs, &runs->pass->events[index]))
				atomic_fetch_add(&runs->left_out, 1);
	}
}

static int64_t deadline(const struct pass *pass)
{
	int64_t now = clock_monotonic_ms();
	int64_t most = now + (int64_t)HOOK_TOTAL * 1000;
	int64_t end = pass->deadline_ms < most ? pass->deadline_ms : most;
	return end < now + LEAST_MS ? now + LEAST_MS : end;
}

void hook_run(struct pass *pass)
{
	if (pass->event_count == 0 || pass->config->agent.event_hook.count == 0)
		return;

	struct runs runs = {
		.pass = pass,
		.deadline_ms = deadline(pass),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_t threads[HOOK_TOGETHER - 1];
	size_t count = 0;
	log_progress("telling event_hook of %zu events", pass->event_count);
	while (count < ARRAY_SIZE(threads) && count + 1 < pass->event_count &&
	       pthread_create(&threads[count], NULL, work, &runs) == 0)
		count++;
	work(&runs);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	log_progress("%s", "");
	size_t left_out = atomic_load(&runs.left_out);
	if (left_out)
		event_say(
			EVENT_HOOK_FAILED,
			"event_hook was not run for %zu of %zu events, because its time (%d s, and "
			"that of the pass) was over or "
			"the agent is stopping; "
			"they are in the journal and in `origin-ca-agent status`",
			left_out, pass->event_count, HOOK_TOTAL);
}
