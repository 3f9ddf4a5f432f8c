/*
 * note.h - STATE/schedule.json: what a pass tells the supervisor. Apart from the rest of the pass,
 * so that the supervisor links nothing else of it.
 */
#ifndef ORIGIN_CA_PASS_NOTE_H
#define ORIGIN_CA_PASS_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"

#define NOTE_FILE "schedule.json"

struct note {
	int64_t finished_at;
	int64_t next_at;       /* when the next pass is due */
	char next_reason[128]; /* "renewal of shop", "full check" */
	int64_t full_check_at; /* when the last full check ended, 0 never */
	int64_t certificates, current, failing;
	int exit_status;
	/* Files outside of the configuration's directories that it names: a change of one is a
	 * reason for a pass (pass/named.h). */
	struct string_list files;
	bool credential; /* a token came as a systemd credential, whose source may change */
	/* An API's clock minus this host's, seconds, as it was last heard; heard_at 0: never. */
	int64_t clock_offset, clock_heard_at;
	char clock_source[64];
};

int note_save(int state_directory, const char *where, const struct note *note, struct error *error);

/* An unusable note is an empty one (all 0) and -ENOENT or -EBADMSG. */
int note_load(int state_directory, const char *where, struct note *ret_note, struct error *error);

void note_free(struct note *note);

#endif
