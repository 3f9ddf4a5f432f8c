/* nearest.h - "did you mean ...?" */
#ifndef ORIGIN_CA_CONFIG_NEAREST_H
#define ORIGIN_CA_CONFIG_NEAREST_H

#include <stddef.h>

/* A search for the name that `text` was probably meant to be. Start with {.text = text}. */
struct nearest {
	const char *text;
	const char *name; /* the best so far, or NULL: nothing is near enough */
	size_t distance;
};

/* Considers one more name. Case does not count; neighbours that changed places count once. */
void nearest_consider(struct nearest *nearest, const char *name);

#endif
