/* named.h - the files outside of its own directories that a configuration names. */
#ifndef ORIGIN_CA_PASS_NAMED_H
#define ORIGIN_CA_PASS_NAMED_H

#include "config/model.h"

enum {
	NAMED_FILES_LIMIT = 256,
	NAMED_BYTES_LIMIT = 64 << 10, /* of all paths together */
};

/*
 * Appends tokens, keys, requests, passwords, templates: what a failure may be about and somebody
 * may put right. What lies in the state directory is the agent's own and not among them, nor what
 * is beyond the limits. True when a token comes as a systemd credential, which itself never
 * changes.
 */
bool named_files(const struct config *config, struct string_list *files);

#endif
