/*
 * definitions.h - STATE/definitions.json: the text of each file of the configuration when nothing
 * was wrong in it. So a file that turns bad costs none of its certificates their renewal, also
 * after a restart of the agent or the host.
 *
 * As secret as the configuration itself, which holds paths and no secrets; mode 0600.
 */
#ifndef ORIGIN_CA_CONFIG_DEFINITIONS_H
#define ORIGIN_CA_CONFIG_DEFINITIONS_H

#include "base/buffer.h"
#include "base/error.h"

enum {
	DEFINITIONS_VERSION = 1,
	DEFINITIONS_LIMIT = 64 << 20, /* bytes of the file */
};

struct definition {
	char *path;
	char *text;
	int64_t at; /* when it was first seen like this */
};

struct definitions {
	struct definition *items;
	size_t count;
};

/*
 * Empty when there are none (0), or when they cannot be used: -EACCES for somebody who may not read
 * them, -EPROTO with a remedy for those of a newer version, which are left as they are.
 */
int definitions_load(int state_directory, const char *where, struct definitions *ret_definitions,
		     struct error *error);

/* Written whole or not at all, and synced. */
int definitions_save(int state_directory, const char *where, const struct definitions *definitions,
		     struct error *error);

/* NULL when there is none of that path. */
const struct definition *definitions_find(const struct definitions *definitions, const char *path);

/* Appends copies. */
void definitions_add(struct definitions *definitions, const char *path, const char *text,
		     int64_t at);

void definitions_free(struct definitions *definitions);

#endif
