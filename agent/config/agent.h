/* agent.h - the [agent] section of the main file. */
#ifndef ORIGIN_CA_CONFIG_AGENT_H
#define ORIGIN_CA_CONFIG_AGENT_H

#include "config/ini.h"

/*
 * Takes [agent] from the sections of the main file at `path` (absolute), which are all that
 * `sections` holds; defaults when there is none. Text of which it cannot be said that it was not
 * meant for [agent] (a second [agent], "[agnet]", a state_dir outside any section) is an error
 * like one in [agent] itself: another state directory than the administrator meant would issue
 * every certificate anew. `ret_conf_dir_line` is 0 when conf_dir is not written.
 */
int agent_read(const char *path, const struct ini_sections *sections, struct problem_list *problems,
	       struct config_agent *ret_agent, unsigned *ret_conf_dir_line, struct error *error);

/* `path` made absolute by the working directory; free() it. */
int agent_path(const char *path, char **ret_path, struct error *error);

/* Reads the main file, with errors of class configuration where they are not this host's fault. */
int agent_file_read(const char *path, struct buffer *text, mode_t *ret_mode, struct error *error);

/* The directory of the (absolute) main file; free() it. */
char *agent_directory(const char *path);

#endif
