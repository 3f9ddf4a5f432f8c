/*
 * status.h - the ways in which `status` shows one and the same look at things.
 *
 * Exit status by the worst state, whichever way is asked for (DESIGN 6).
 */
#ifndef ORIGIN_CA_COMMANDS_STATUS_H
#define ORIGIN_CA_COMMANDS_STATUS_H

#include "base/terminal.h"
#include "commands/command.h"
#include "pass/note.h"

/* What is looked at: the configuration, every state, and what the last pass left. */
struct status {
	struct config *config;
	struct pass pass; /* pass_look() */
	struct note note; /* finished_at 0: there was no pass yet */
	int exit_status;
};

/* 0, or a negative errno with what cannot be looked at. To be freed with status_free() either way.
 * `names`: only these certificates; NULL or empty: all. */
int status_look(const char *config_path, const struct string_list *names, struct status *ret_status,
		struct error *error);
void status_free(struct status *status);

/* In how good a state a certificate is. */
enum status_grade {
	STATUS_GOOD,	/* current and verified */
	STATUS_WAITING, /* something is to be done and nothing has failed, e.g. a renewal that is
			   due */
	STATUS_FAILING, /* something fails; what is served is valid */
	STATUS_LOST,	/* what is served has ended, or nothing is */
};
enum status_grade status_grade(const struct status *status, const struct pass_job *job);

/* "good", "waiting", "failing", "lost". */
const char *status_grade_name(enum status_grade grade);

/* When the certificate ends that visitors get; that of the newest one where nobody was seen
 * serving. 0: there is none. */
int64_t status_until(const struct status *status, const struct pass_job *job);

/* Since when something fails, 0: nothing does. */
int64_t status_since(const struct pass_job *job);

/* "in 61 days", "3 h ago"; free it. */
char *status_when(int64_t time, int64_t now);

/* docs/status.schema.json. */
cJSON *status_json(const struct status *status);

/* The table for people. */
void status_table(const struct status *status, const struct terminal *terminal,
		  struct buffer *text);

/* One page, HTML in UTF-8, that needs nothing else. */
void status_html(const struct status *status, struct buffer *page);

/* The table again whenever it changes, until "q" or a signal; gives the exit status. */
int status_watch(const struct command_options *options);

#endif
