#include "pass/note.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

enum {
	NOTE_LIMIT = 256 << 10 /* bytes: pass/named.h bounds the files in it */
};

int note_save(int state_directory, const char *where, const struct note *note, struct error *error)
{
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	json_add_integer(json, "version", 1);
	json_add_integer(json, "finished_at", note->finished_at);
	json_add_integer(json, "next_at", note->next_at);
	json_add_string(json, "next_reason", note->next_reason);
	json_add_integer(json, "full_check_at", note->full_check_at);
	json_add_integer(json, "certificates", note->certificates);
	json_add_integer(json, "current", note->current);
	json_add_integer(json, "failing", note->failing);
	json_add_integer(json, "exit_status", note->exit_status);
	json_add_bool(json, "credential", note->credential);
	json_add_list(json, "files", &note->files);
	if (note->clock_heard_at) {
		json_add_integer(json, "clock_offset", note->clock_offset);
		json_add_integer(json, "clock_heard_at", note->clock_heard_at);
		json_add_string(json, "clock_source", note->clock_source);
	}

	CLEANUP(freep) char *text = json_print(json, false);
	/* Not synced: after a power loss the supervisor starts with a pass anyway. */
	return file_write_at(state_directory, where, NOTE_FILE, text, strlen(text),
			     &FILE_ACCESS(0644), FILE_NO_SYNC, error);
}

int note_load(int state_directory, const char *where, struct note *ret_note, struct error *error)
{
	struct buffer text = BUFFER(NOTE_LIMIT);
	*ret_note = (struct note){0};
	int result = file_read_at(state_directory, where, NOTE_FILE, &text, error);
	if (result < 0) {
		buffer_free(&text);
		return result;
	}

	CLEANUP(cJSON_Deletep) cJSON *json = json_parse(buffer_text(&text), text.length);
	buffer_free(&text);
	if (json_integer(json, "version", 0) != 1)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "%s/%s is not a note of this version", where, NOTE_FILE);
	*ret_note = (struct note){
		.finished_at = json_integer(json, "finished_at", 0),
		.next_at = json_integer(json, "next_at", 0),
		.full_check_at = json_integer(json, "full_check_at", 0),
		.certificates = json_integer(json, "certificates", 0),
		.current = json_integer(json, "current", 0),
		.failing = json_integer(json, "failing", 0),
		.exit_status = (int)json_integer(json, "exit_status", 0),
		.clock_offset = json_integer(json, "clock_offset", 0),
		.clock_heard_at = json_integer(json, "clock_heard_at", 0),
	};
	const char *source = json_string(json, "clock_source");
	snprintf(ret_note->clock_source, sizeof(ret_note->clock_source), "%s",
		 source ? source : "");
	const char *reason = json_string(json, "next_reason");
	snprintf(ret_note->next_reason, sizeof(ret_note->next_reason), "%s", reason ? reason : "");
	ret_note->credential = json_true(json, "credential");
	json_string_list(json, "files", &ret_note->files);
	return 0;
}

void note_free(struct note *note)
{
	string_list_free(&note->files);
}
