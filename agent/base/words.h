/*
 * words.h - what another program said, made fit for our messages and logs.
 */
#ifndef ORIGIN_CA_BASE_WORDS_H
#define ORIGIN_CA_BASE_WORDS_H

#include <stddef.h>

/*
 * At most `most` bytes of a line as valid UTF-8: control characters become spaces, so do the marks
 * that turn a line's direction around; bytes that are no UTF-8 become "?". No space at the end.
 * Free it.
 */
char *words_clean(const char *text, size_t length, size_t most) __attribute__((returns_nonnull));

#endif
