/*
 * memory.h - allocation that does not fail, and cleanup attributes.
 *
 * A pass is a child process that can be killed at any point without harm (DESIGN 3), so our own
 * allocations do not carry error paths: out of memory ends the process with one message and exit
 * code 1, and the next pass recovers. What a library allocates (OpenSSL, cJSON, libcurl) is
 * checked where it is called.
 */
#ifndef ORIGIN_CA_BASE_MEMORY_H
#define ORIGIN_CA_BASE_MEMORY_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

/* Zeroed memory for `count` objects of `size` bytes; never NULL (count 0 gives one object). */
void *memory_alloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Resizes to `count` objects of `size` bytes; what is new is NOT zeroed; never NULL. */
void *memory_resize(void *block, size_t count, size_t size) __attribute__((returns_nonnull));

/*
 * Room for one more at the end of an array of `count` objects that only this function ever
 * enlarged (to 4, 8, 16 ... objects: `count` alone tells when it is full). The new one is NOT
 * zeroed; never NULL.
 */
void *memory_grow(void *block, size_t count, size_t size) __attribute__((returns_nonnull));

/* A copy of `text` (NULL stays NULL). Free with free(). */
char *string_copy(const char *text);

/* A copy of at most `length` bytes of `text`. */
char *string_copy_n(const char *text, size_t length) __attribute__((returns_nonnull));

/* printf into a new string; free with free(). */
char *string_format(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((returns_nonnull));

/* True when `text` starts (ends) with `part`. */
int string_starts(const char *text, const char *part);
int string_ends(const char *text, const char *part);

/* Overwrites, then frees; for anything secret. NULL is fine. */
void secret_free(char *secret);

/* Gives the value away and leaves NULL behind. */
#define TAKE_PTR(pointer)                                                                          \
	({                                                                                         \
		__typeof__(pointer) take_ptr_value = (pointer);                                    \
		(pointer) = NULL;                                                                  \
		take_ptr_value;                                                                    \
	})

#define TAKE_FD(descriptor)                                                                        \
	({                                                                                         \
		int take_fd_value = (descriptor);                                                  \
		(descriptor) = -1;                                                                 \
		take_fd_value;                                                                     \
	})

/* `CLEANUP(freep) char *text = NULL;` frees at the end of the scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void closep(const int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}

/* Defines NAMEp(), to be used in CLEANUP(), for a destructor that takes a TYPE pointer or NULL. */
#define DEFINE_CLEANUP(type, destroy)                                                              \
	static inline void destroy##p(type *pointer)                                               \
	{                                                                                          \
		if (*pointer)                                                                      \
			destroy(*pointer);                                                         \
	}

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
