/*
 * server_config.h - the configuration files of the web servers of this host, as they lie in their
 * usual directories: who names a file of ours, and which certificates were there before.
 *
 * What this user may not read is left out. Bounded in files, bytes and depth. What is only
 * available and not enabled (Debian's *-available) is not looked at.
 */
#ifndef ORIGIN_CA_TARGET_SERVER_CONFIG_H
#define ORIGIN_CA_TARGET_SERVER_CONFIG_H

#include "base/list.h"

enum {
	SERVER_CONFIG_FILES = 20000, /* entries of directories that are looked at */
	SERVER_CONFIG_DEPTH = 6,
};

/* One line without its end. Return 0 to go on, anything else to stop. */
typedef int server_config_visit(const char *path, unsigned line, const char *text, void *context);

/* The directories where NGINX, Apache, HAProxy, Tomcat and lighttpd keep their configuration. */
extern const char *const server_config_directories[];

/*
 * Visits every line of every file below `directories` (ended by NULL). Returns what stopped it, or
 * 0. `unread` (may be NULL) gets the paths that could not be read, at most 20.
 */
int server_config_walk(const char *const *directories, server_config_visit *visit, void *context,
		       struct string_list *unread);

/*
 * Whether a line that is no comment has `text` in it: 1, or 0 when there is none. -EACCES when none
 * was found but not all could be read, -ENOENT when there is no file at all: then nobody knows.
 */
int server_config_names(const char *const *directories, const char *text);

#endif
