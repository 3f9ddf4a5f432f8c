/* agent.h - the [agent] section of the main file. */
#ifndef ORIGIN_CA_CONFIG_AGENT_H
#define ORIGIN_CA_CONFIG_AGENT_H

#include "config/definitions.h"
#include "config/ini.h"

/*
 * Takes [agent] from the sections of the main file at `path` (absolute), which are all that
 * `sections` holds; defaults when there is none. Text of which it cannot be said that it was not
 * meant for [agent] (a second [agent], "[agnet]", a state_dir outside any section) is an error
 * like one in [agent] itself: another state directory than the administrator meant would issue
 * every certificate anew. The error does not say where: `ret_place` does. `ret_conf_dir_line` is 0
 * when conf_dir is not written.
 */
int agent_read(const char *path, const struct ini_sections *sections, struct problem_list *problems,
	       struct config_agent *ret_agent, unsigned *ret_conf_dir_line,
	       struct config_place *ret_place, struct error *error);

/* What was read of the main file. */
struct agent_found {
	struct config_agent agent;
	unsigned conf_dir_line; /* as above */
	int64_t kept_from;	/* 0: it is right as it stands; else when [agent] last was */
	struct definitions definitions; /* with kept_from: where that is from, and all others */
	struct config_place wrong;	/* with kept_from: what is wrong now, and where */
	struct error error;
};

/*
 * [agent] of the text of the main file at `path`, or, when that is wrong or `text` is NULL (it
 * cannot be read: `unread` tells why), as it last was right: that is in the state directory that
 * the text names, else in the default one, and counts where it says itself that this is its state
 * directory. Free the result with agent_found_free(), also after an error.
 */
int agent_find(const char *path, const char *text, size_t length, const struct error *unread,
	       struct agent_found *ret_found, struct error *error);
void agent_found_free(struct agent_found *found);

/* `path` made absolute by the working directory; free() it. */
int agent_path(const char *path, char **ret_path, struct error *error);

/* Reads the main file, with errors of class configuration where they are not this host's fault. */
int agent_file_read(const char *path, struct buffer *text, mode_t *ret_mode, struct error *error);

/* The directory of the (absolute) main file; free() it. */
char *agent_directory(const char *path);

#endif
