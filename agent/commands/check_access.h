/* check_access.h - whether this process, which is the agent's user, may do what will be needed. */
#ifndef ORIGIN_CA_COMMANDS_CHECK_ACCESS_H
#define ORIGIN_CA_COMMANDS_CHECK_ACCESS_H

#include "commands/check.h"

/* Files are to be given to the owner and group of `access`. */
void check_giving(const char *subject, const struct file_access *access, struct findings *findings);

/* A directory that files are written to, or that is to be made. True when it can be. */
bool check_directory(const char *subject, const char *path, struct findings *findings);

/* What servers say can be quoted from the journal. */
void check_journal(struct findings *findings);

#endif
