/*
 * server_log.h - what a server wrote to its own error log while we made it do something: some say
 * there, and not in the journal, what they died of (Apache httpd).
 */
#ifndef ORIGIN_CA_TARGET_SERVER_LOG_H
#define ORIGIN_CA_TARGET_SERVER_LOG_H

#include "base/buffer.h"
#include "config/model.h"

/* A place in a log. */
struct server_log {
	const char *path; /* the first of the kind's that is there; NULL: none, or not known */
	int fd;		  /* -1: it may not be read */
	int64_t offset;	  /* what is before was said before */
};

/* Remembers where the log of this kind of server ends now. */
void server_log_mark(enum target_type type, struct server_log *ret_log);

/* The first lines since the mark that tell of an error, at most three, cut to a bound, with " | "
 * between them, appended to `text`. Nothing when there are none, or it may not be read. */
void server_log_explain(const struct server_log *log, struct buffer *text);

void server_log_close(struct server_log *log);

#endif
