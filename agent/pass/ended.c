#include "pass/ended.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

static const char ENDED_FILE[] = "last-pass.json";

enum {
	ENDED_VERSION = 1
};

int ended_save(int state_directory, const char *where, const struct ended *ended,
	       struct error *error)
{
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	json_add_integer(json, "version", ENDED_VERSION);
	json_add_integer(json, "at", ended->at);
	json_add_integer(json, "since", ended->since);
	json_add_integer(json, "next_at", ended->next_at);
	json_add_integer(json, "count", ended->count);
	json_add_integer(json, "signal", ended->signal);
	json_add_integer(json, "exit_status", ended->exit_status);
	json_add_bool(json, "out_of_time", ended->out_of_time);
	json_add_bool(json, "configuration", ended->configuration);
	CLEANUP(freep) char *text = json_print(json, false);
	return file_write_at(state_directory, where, ENDED_FILE, text, strlen(text),
			     &FILE_ACCESS(0644), FILE_NO_SYNC, error);
}

int ended_load(int state_directory, const char *where, struct ended *ret_ended, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(4096);
	*ret_ended = (struct ended){0};
	int result = file_read_at(state_directory, where, ENDED_FILE, &text, error);
	if (result < 0)
		return result;
	CLEANUP(cJSON_Deletep) cJSON *json = json_parse(buffer_text(&text), text.length);
	if (json_integer(json, "version", 0) != ENDED_VERSION)
		return error_set(error, ERROR_LOCAL, -ENOENT, "%s/%s is not of this version", where,
				 ENDED_FILE);
	*ret_ended = (struct ended){
		.at = json_integer(json, "at", 0),
		.since = json_integer(json, "since", 0),
		.next_at = json_integer(json, "next_at", 0),
		.count = json_integer(json, "count", 0),
		.signal = (int)json_integer(json, "signal", 0),
		.exit_status = (int)json_integer(json, "exit_status", 0),
		.out_of_time = json_true(json, "out_of_time"),
		.configuration = json_true(json, "configuration"),
	};
	return 0;
}

int ended_remove(int state_directory, const char *where, struct error *error)
{
	return file_remove_at(state_directory, where, ENDED_FILE, error);
}

void ended_words(const struct ended *ended, struct buffer *text)
{
	if (ended->configuration)
		buffer_add_text(text, "could not begin, as the main file cannot be used");
	else if (ended->out_of_time)
		buffer_add_format(text,
				  "did not end at pass_timeout and was ended by signal %d (%s)",
				  ended->signal, strsignal(ended->signal));
	else if (ended->signal)
		buffer_add_format(text, "was ended by signal %d (%s)", ended->signal,
				  strsignal(ended->signal));
	else
		buffer_add_format(text, "ended with status %d and left no result",
				  ended->exit_status);
}
