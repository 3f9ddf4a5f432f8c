#include "store/state.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/meta.h"
#include "store/state_events.h"
#include "store/state_parts.h"

#define STATE_FILE "state.json"

enum {
	STATE_TARGETS = 256,   /* entries that are read */
	STATE_COUNT = 1000000, /* failures in a row: more are the same */
};

void state_attempt_free(struct state_attempt *attempt)
{
	free(attempt->message);
	free(attempt->remedy);
	free(attempt->fingerprint);
	*attempt = (struct state_attempt){0};
}

static void target_free(struct state_target *target)
{
	free(target->name);
	free(target->rendered_from);
	free(target->snippet_stamp);
	free(target->keystore_stamp);
	state_attempt_free(&target->attempt);
	*target = (struct state_target){0};
}

void history_event_free(struct state_event *event)
{
	free(event->event);
	free(event->message);
	free(event->target);
	*event = (struct state_event){0};
}

void state_free(struct state *state)
{
	free(state->fingerprint);
	free(state->id);
	leaf_facts_free(&state->facts);
	for (size_t i = 0; i < state->target_count; i++)
		target_free(&state->targets[i]);
	free(state->targets);
	state_attempt_free(&state->issue);
	state_history_free(state);
	state_alarms_free(state);
	state_cloud_free(state);
	*state = (struct state){0};
}

/* A string member, cut where nothing of ours is that long; NULL when there is none. */
char *state_read_text(const cJSON *object, const char *name)
{
	const char *text = json_string(object, name);
	return text ? string_copy_n(text, STATE_TEXT) : NULL;
}

/* A moment: nothing before 1970. */
int64_t state_read_time(const cJSON *object, const char *name)
{
	int64_t time = json_integer(object, name, 0);
	return time > 0 ? time : 0;
}

static int64_t read_number(const cJSON *object, const char *name, int64_t least, int64_t most)
{
	int64_t number = json_integer(object, name, least);
	return number < least ? least : number > most ? most : number;
}

void state_read_attempt(const cJSON *parent, const char *name, struct state_attempt *attempt)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(parent, name);
	int64_t count = json_integer(object, "count", 0);
	if (count <= 0)
		return;
	attempt->count = count < STATE_COUNT ? (unsigned)count : STATE_COUNT;
	attempt->last = state_read_time(object, "last");
	attempt->next = state_read_time(object, "next");
	attempt->since = state_read_time(object, "since");
	attempt->class = error_class_parse(json_string(object, "class"));
	attempt->message = state_read_text(object, "message");
	attempt->remedy = state_read_text(object, "remedy");
	attempt->fingerprint = state_read_text(object, "fingerprint");
}

static void read_target(const cJSON *object, struct state *state)
{
	const char *name = json_string(object, "name");
	if (!name || !name[0] || strlen(name) > STATE_TEXT ||
	    state->target_count == STATE_TARGETS || state_target_find(state, name))
		return;

	struct state_target *target = state_target_get(state, name);
	target->generation = json_generation(object, "generation");
	target->rendered_from = state_read_text(object, "rendered_from");
	target->snippet_stamp = state_read_text(object, "snippet_stamp");
	target->keystore_stamp = state_read_text(object, "keystore_stamp");
	target->reload_pending = json_true(object, "reload_pending");
	target->restart_pending = json_true(object, "restart_pending");
	target->verified_generation = json_generation(object, "verified_generation");
	target->verified_at = state_read_time(object, "verified_at");
	target->refused_generation = json_generation(object, "refused_generation");
	target->awaited_generation = json_generation(object, "awaited_generation");
	target->awaited_since = state_read_time(object, "awaited_since");
	target->awaited_next = state_read_time(object, "awaited_next");
	state_read_attempt(object, "attempt", &target->attempt);
}

/* Of an array that is too long the end counts: the newest stand there. */
const cJSON *state_last_items(const cJSON *array, size_t most)
{
	if (!cJSON_IsArray(array))
		return NULL;
	const cJSON *item = array->child;
	size_t count = 0;
	for (const cJSON *each = item; each; each = each->next)
		if (++count > most)
			item = item->next;
	return item;
}

static void read_issues(const cJSON *array, struct state *state)
{
	for (const cJSON *item = state_last_items(array, STATE_ISSUES); item; item = item->next)
		if (cJSON_IsNumber(item) && item->valuedouble > 0 && item->valuedouble < 9e15)
			state->issues[state->issue_count++] = (int64_t)item->valuedouble;
}

static void read_history(const cJSON *array, struct state *state)
{
	for (const cJSON *item = state_last_items(array, STATE_HISTORY); item; item = item->next) {
		struct state_event event = {
			.at = state_read_time(item, "at"),
			.event = state_read_text(item, "event"),
			.message = state_read_text(item, "message"),
			.target = state_read_text(item, "target"),
			.generation = json_generation(item, "generation"),
			.count = (unsigned)read_number(item, "count", 1, STATE_COUNT),
			.last = state_read_time(item, "last"),
			.untold = json_true(item, "untold"),
		};
		if (!event.last)
			event.last = event.at;
		if (event.event)
			*state_history_grow(state) = event;
		else
			history_event_free(&event);
	}
}

static void read_state(const cJSON *object, struct state *state)
{
	state->active = json_generation(object, "active");
	state->newest = json_generation(object, "newest");
	state->fingerprint = state_read_text(object, "fingerprint");
	state->checked_at = state_read_time(object, "checked_at");
	state->validity_days = state_read_time(object, "validity_days");
	state->id = state_read_text(object, "id");
	facts_read_json(cJSON_GetObjectItemCaseSensitive(object, "leaf"), &state->facts);
	state->renew_at = state_read_time(object, "renew_at");
	state_read_attempt(object, "issue", &state->issue);
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(object, "targets")) {
		read_target(item, state);
	}
	read_issues(cJSON_GetObjectItemCaseSensitive(object, "issues"), state);
	read_history(cJSON_GetObjectItemCaseSensitive(object, "history"), state);
	state_alarms_read(cJSON_GetObjectItemCaseSensitive(object, "alarms"), state);
	state_counts_read(cJSON_GetObjectItemCaseSensitive(object, "counts"), &state->counts);
	state_cloud_read(object, state);
}

int state_load(int certificate, const char *where, struct state *ret_state, bool *ret_rebuilt,
	       struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(STATE_FILE_LIMIT);
	struct error reason = {0};
	int result = file_read_at(certificate, where, STATE_FILE, &text, &reason);
	/* Something that is there and is no state is overwritten by the next one that is saved. But
	 * a file that cannot be read now (I/O, permission, descriptors) may hold the budget and the
	 * backoff: not knowing them is no reason to act as if there were none. */
	if (result < 0 && result != -ENOENT && result != -EFBIG && result != -EINVAL &&
	    result != -EISDIR && result != -ELOOP) {
		if (error)
			*error = reason;
		return result;
	}

	CLEANUP(cJSON_Deletep)
	cJSON *object = result == 0 ? json_parse(buffer_text(&text), text.length) : NULL;
	if (json_integer(object, "version", 0) > STATE_VERSION) {
		error_set(error, ERROR_LOCAL, -EPROTO,
			  "%s/%s was written by a newer version of origin-ca-agent (%lld; this one "
			  "knows %d): nothing is done, what is served stays",
			  where, STATE_FILE, (long long)json_integer(object, "version", 0),
			  STATE_VERSION);
		return error_remedy(error, "install that version again; or remove the file, and "
					   "it is made anew from the certificate's files");
	}
	struct state state = {.facts.key_type = KEY_TYPE_COUNT};
	bool usable = cJSON_IsObject(object) && json_integer(object, "version", 0) == STATE_VERSION;
	if (usable)
		read_state(object, &state);
	*ret_rebuilt = !usable;
	*ret_state = state;
	return 0;
}

void state_write_attempt(cJSON *parent, const char *name, const struct state_attempt *attempt)
{
	if (attempt->count == 0)
		return;
	cJSON *object = json_add_object(parent, name);
	json_add_integer(object, "count", attempt->count);
	json_add_integer(object, "last", attempt->last);
	json_add_integer(object, "next", attempt->next);
	json_add_integer(object, "since", attempt->since);
	json_add_string(object, "class", error_class_name(attempt->class));
	json_add_string(object, "message", attempt->message);
	json_add_string(object, "remedy", attempt->remedy);
	json_add_string(object, "fingerprint", attempt->fingerprint);
}

static void write_targets(cJSON *array, const struct state *state)
{
	for (size_t i = 0; i < state->target_count; i++) {
		const struct state_target *target = &state->targets[i];
		cJSON *object = json_append_object(array);
		json_add_string(object, "name", target->name);
		json_add_integer(object, "generation", target->generation);
		json_add_string(object, "rendered_from", target->rendered_from);
		json_add_string(object, "snippet_stamp", target->snippet_stamp);
		if (target->keystore_stamp)
			json_add_string(object, "keystore_stamp", target->keystore_stamp);
		json_add_bool(object, "reload_pending", target->reload_pending);
		if (target->restart_pending)
			json_add_bool(object, "restart_pending", true);
		json_add_integer(object, "verified_generation", target->verified_generation);
		json_add_integer(object, "verified_at", target->verified_at);
		json_add_integer(object, "refused_generation", target->refused_generation);
		if (target->awaited_generation) {
			json_add_integer(object, "awaited_generation", target->awaited_generation);
			json_add_integer(object, "awaited_since", target->awaited_since);
			json_add_integer(object, "awaited_next", target->awaited_next);
		}
		state_write_attempt(object, "attempt", &target->attempt);
	}
}

static void write_history(cJSON *array, const struct state *state)
{
	for (size_t i = 0; i < state->history_count; i++) {
		cJSON *object = json_append_object(array);
		json_add_integer(object, "at", state->history[i].at);
		json_add_string(object, "event", state->history[i].event);
		json_add_string(object, "message", state->history[i].message);
		json_add_string(object, "target", state->history[i].target);
		if (state->history[i].generation)
			json_add_integer(object, "generation", state->history[i].generation);
		if (state->history[i].count > 1) {
			json_add_integer(object, "count", state->history[i].count);
			json_add_integer(object, "last", state->history[i].last);
		}
		if (state->history[i].untold)
			json_add_bool(object, "untold", true);
	}
}

static char *state_print(const struct state *state)
{
	CLEANUP(cJSON_Deletep) cJSON *object = json_object();
	json_add_integer(object, "version", STATE_VERSION);
	json_add_integer(object, "active", state->active);
	json_add_integer(object, "newest", state->newest);
	json_add_string(object, "fingerprint", state->fingerprint);
	json_add_integer(object, "checked_at", state->checked_at);
	json_add_integer(object, "validity_days", state->validity_days);
	json_add_string(object, "id", state->id);
	facts_write_json(json_add_object(object, "leaf"), &state->facts);
	json_add_integer(object, "renew_at", state->renew_at);
	state_write_attempt(object, "issue", &state->issue);
	write_targets(json_add_array(object, "targets"), state);
	cJSON *issues = json_add_array(object, "issues");
	for (size_t i = 0; i < state->issue_count; i++)
		json_append(issues, cJSON_CreateNumber((double)state->issues[i]));
	write_history(json_add_array(object, "history"), state);
	state_alarms_write(object, state);
	state_counts_write(object, &state->counts);
	state_cloud_write(object, state);
	return json_print(object, false);
}

int state_save(int certificate, const char *where, const struct state *state, struct error *error)
{
	CLEANUP(freep) char *text = state_print(state);
	size_t length = strlen(text);
	/* Compared with the file, not with what was read of it: it may be gone since. */
	CLEANUP(buffer_free) struct buffer present = BUFFER(STATE_FILE_LIMIT);
	if (file_read_at(certificate, where, STATE_FILE, &present, NULL) == 0 &&
	    present.length == length && memcmp(buffer_text(&present), text, length) == 0)
		return 0;
	/* Not synced: a hint that a power loss takes back is made again from the files, which were
	 * synced, and two flushes a certificate are what a pass over a thousand would feel. */
	return file_write_at(certificate, where, STATE_FILE, text, length, &FILE_ACCESS(0600),
			     FILE_NO_SYNC, error);
}

const struct state_target *state_target_find(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->target_count; i++)
		if (strcmp(state->targets[i].name, name) == 0)
			return &state->targets[i];
	return NULL;
}

struct state_target *state_target_get(struct state *state, const char *name)
{
	for (size_t i = 0; i < state->target_count; i++)
		if (strcmp(state->targets[i].name, name) == 0)
			return &state->targets[i];
	state->targets =
		memory_resize(state->targets, state->target_count + 1, sizeof(*state->targets));
	struct state_target *target = &state->targets[state->target_count++];
	*target = (struct state_target){.name = string_copy(name)};
	return target;
}

void state_target_drop(struct state *state, const char *name)
{
	for (size_t i = 0; i < state->target_count; i++)
		if (strcmp(state->targets[i].name, name) == 0) {
			target_free(&state->targets[i]);
			state->target_count--;
			memmove(&state->targets[i], &state->targets[i + 1],
				(state->target_count - i) * sizeof(*state->targets));
			return;
		}
}

void state_attempt_fail(struct state_attempt *attempt, const struct error *error, int64_t now,
			int64_t next, const char *fingerprint)
{
	const char *advice = error_advice(error);
	struct state_attempt failed = {
		.count = attempt->count < STATE_COUNT ? attempt->count + 1 : STATE_COUNT,
		.last = now,
		.next = next,
		/* One ahead of us was noted by a clock that was wrong. */
		.since = attempt->count > 0 && attempt->since <= now ? attempt->since : now,
		.class = error->class,
		.message = string_copy(error->message),
		.remedy = advice[0] ? string_copy(advice) : NULL,
		/* Copied first: it may be the old one. */
		.fingerprint = string_copy(fingerprint),
	};
	state_attempt_free(attempt);
	*attempt = failed;
}

void state_attempt_clear(struct state_attempt *attempt)
{
	state_attempt_free(attempt);
}

void state_issue_add(struct state *state, int64_t at)
{
	if (state->issue_count == STATE_ISSUES) {
		state->issue_count--;
		memmove(&state->issues[0], &state->issues[1],
			state->issue_count * sizeof(state->issues[0]));
	}
	state->issues[state->issue_count++] = at;
}

size_t state_issues_after(const struct state *state, int64_t since)
{
	size_t count = 0;
	for (size_t i = 0; i < state->issue_count; i++)
		count += state->issues[i] > since;
	return count;
}
