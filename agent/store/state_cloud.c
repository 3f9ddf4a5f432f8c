/* What a certificate's state says of Cloudflare's side: revocation, adoption, the zone's mode. */
#include <string.h>

#include "pki/serial.h"
#include "store/state_parts.h"

static void read_names(const cJSON *array, size_t most, struct string_list *names)
{
	const cJSON *item;
	cJSON_ArrayForEach (item, array) {
		if (cJSON_IsString(item) && names->count < most)
			string_list_add(names, item->valuestring);
	}
}

void state_cloud_read(const cJSON *object, struct state *state)
{
	state->imported = json_true(object, "imported");
	state->issued_mark = state_read_text(object, "issued_mark");
	state->revoked_serial = state_read_text(object, "revoked_serial");
	read_names(cJSON_GetObjectItemCaseSensitive(object, "revoked"), STATE_REVOKED,
		   &state->revoked);
	state->revocation_at = state_read_time(object, "revocation_at");
	state->ssl_mode_done = state_read_text(object, "ssl_mode_done");
	state_read_attempt(object, "revoke", &state->revoke);
	state_read_attempt(object, "ssl_mode", &state->ssl_mode);
	const cJSON *item = state_last_items(cJSON_GetObjectItemCaseSensitive(object, "superseded"),
					     STATE_SUPERSEDED);
	for (; item; item = item->next) {
		CLEANUP(freep) char *id = state_read_text(item, "id");
		CLEANUP(string_list_free) struct string_list hostnames = {0};
		read_names(cJSON_GetObjectItemCaseSensitive(item, "hostnames"), STATE_NAMES,
			   &hostnames);
		if (id)
			state_superseded_add(state, id, state_read_time(item, "not_after"),
					     &hostnames);
	}
}

void state_cloud_write(cJSON *object, const struct state *state)
{
	if (state->imported)
		json_add_bool(object, "imported", true);
	json_add_string(object, "issued_mark", state->issued_mark);
	json_add_string(object, "revoked_serial", state->revoked_serial);
	if (state->revoked.count)
		json_add_list(object, "revoked", &state->revoked);
	if (state->revocation_at)
		json_add_integer(object, "revocation_at", state->revocation_at);
	json_add_string(object, "ssl_mode_done", state->ssl_mode_done);
	state_write_attempt(object, "revoke", &state->revoke);
	state_write_attempt(object, "ssl_mode", &state->ssl_mode);
	if (state->superseded_count == 0)
		return;
	cJSON *array = json_add_array(object, "superseded");
	for (size_t i = 0; i < state->superseded_count; i++) {
		cJSON *item = json_append_object(array);
		json_add_string(item, "id", state->superseded[i].id);
		json_add_integer(item, "not_after", state->superseded[i].not_after);
		if (state->superseded[i].hostnames.count)
			json_add_list(item, "hostnames", &state->superseded[i].hostnames);
	}
}

void state_cloud_free(struct state *state)
{
	free(state->issued_mark);
	free(state->revoked_serial);
	string_list_free(&state->revoked);
	free(state->ssl_mode_done);
	state_attempt_free(&state->revoke);
	state_attempt_free(&state->ssl_mode);
	for (size_t i = 0; i < state->superseded_count; i++) {
		free(state->superseded[i].id);
		string_list_free(&state->superseded[i].hostnames);
	}
}

void state_superseded_add(struct state *state, const char *id, int64_t not_after,
			  const struct string_list *hostnames)
{
	for (size_t i = 0; i < state->superseded_count; i++)
		if (strcmp(state->superseded[i].id, id) == 0)
			return;
	if (state->superseded_count == STATE_SUPERSEDED)
		state_superseded_drop(state, 0);
	struct state_superseded *added = &state->superseded[state->superseded_count++];
	*added = (struct state_superseded){.id = string_copy(id), .not_after = not_after};
	string_list_copy(&added->hostnames, hostnames);
}

void state_superseded_drop(struct state *state, size_t index)
{
	free(state->superseded[index].id);
	string_list_free(&state->superseded[index].hostnames);
	state->superseded_count--;
	memmove(&state->superseded[index], &state->superseded[index + 1],
		(state->superseded_count - index) * sizeof(state->superseded[0]));
}

static bool is_in(const struct string_list *list, const char *serial)
{
	char known[SERIAL_TEXT_SIZE];
	for (size_t i = 0; i < list->count; i++)
		if (serial_read(list->items[i], known) && strcmp(known, serial) == 0)
			return true;
	return false;
}

void state_revoked_add(struct state *state, const char *id)
{
	char serial[SERIAL_TEXT_SIZE];
	struct string_list *list = &state->revoked;
	if (!serial_read(id, serial) || is_in(list, serial))
		return;
	if (list->count >= STATE_REVOKED) {
		free(list->items[0]);
		memmove(list->items, list->items + 1, --list->count * sizeof(*list->items));
	}
	string_list_add(list, serial);
}

bool state_is_revoked(const struct state *state, const char *id)
{
	char serial[SERIAL_TEXT_SIZE];
	char known[SERIAL_TEXT_SIZE];
	if (!serial_read(id, serial))
		return false;
	return is_in(&state->revoked, serial) ||
	       (state->revoked_serial && serial_read(state->revoked_serial, known) &&
		strcmp(known, serial) == 0);
}
