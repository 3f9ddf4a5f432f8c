/*
 * buffer.h - bytes that grow up to a bound that must be said when the buffer is made.
 *
 * A function that would pass the bound adds nothing, returns -EMSGSIZE, and the buffer stays
 * `failed`: a caller can append many times and ask once. There is always a 0 byte after the data.
 */
#ifndef ORIGIN_CA_BASE_BUFFER_H
#define ORIGIN_CA_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

struct buffer {
	char *data; /* NULL while nothing was ever added; use buffer_text() for a string */
	size_t length;
	size_t allocated;
	size_t limit; /* most bytes of data, not counting the final 0 */
	bool failed;
};

/* An empty buffer of at most `limit` bytes; allocates nothing yet. */
#define BUFFER(bytes) ((struct buffer){.limit = (bytes)})

/* Room for `length` more bytes at once, as far as the limit lets it: spares copying while it grows.
 */
void buffer_reserve(struct buffer *buffer, size_t length);

int buffer_add(struct buffer *buffer, const void *data, size_t length);
int buffer_add_text(struct buffer *buffer, const char *text);
int buffer_add_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* The data as a string; "" when empty. Stays the buffer's. */
const char *buffer_text(const struct buffer *buffer);

/* Gives the data to the caller (free() it; never NULL) and leaves the buffer empty. */
char *buffer_take(struct buffer *buffer);

/* Frees and empties, keeping the limit; buffer_wipe() overwrites the bytes first. */
void buffer_free(struct buffer *buffer);
void buffer_wipe(struct buffer *buffer);

#endif
