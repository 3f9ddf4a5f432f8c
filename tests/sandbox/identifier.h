/* identifier.h - the 32 hex digits that Cloudflare names everything by. */
#ifndef ORIGIN_CA_SANDBOX_IDENTIFIER_H
#define ORIGIN_CA_SANDBOX_IDENTIFIER_H

#include <stdbool.h>

enum {
	IDENTIFIER_SIZE = 33
};

/* The same for the same kind and name, in every sandbox: configurations can carry it. */
void identifier_of(const char *kind, const char *name, char identifier[static IDENTIFIER_SIZE]);

void identifier_random(char identifier[static IDENTIFIER_SIZE]);

bool identifier_valid(const char *text);

#endif
