/*
 * error.h - one error: what failed, what class it is of, and what to do.
 *
 * An error is made where it happens, with the operation, the object and the system's or API's own
 * words. Functions return 0 or a negative errno and fill the error that the caller handed in; they
 * do not log. The class alone decides schedule, exit code, metric label and MESSAGE_ID (DESIGN 9).
 */
#ifndef ORIGIN_CA_BASE_ERROR_H
#define ORIGIN_CA_BASE_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))

enum error_class {
	ERROR_NONE = 0,
	ERROR_TRANSIENT, /* network, rate limit, internal error of the API: goes away by itself */
	ERROR_CONFIGURATION, /* what the administrator wrote: until the configuration changes */
	ERROR_AUTHORIZATION, /* the token: until the token or its permissions change */
	ERROR_LOCAL,	     /* disk, permissions, memory: until this host is repaired */
	ERROR_DEPLOY,	     /* a server refused the new generation; the old one serves */
	ERROR_BUG,	     /* we or the API broke the contract */
};

enum {
	ERROR_MESSAGE_SIZE = 1024,
	ERROR_REMEDY_SIZE = 512
};

struct error {
	enum error_class class;
	int code;	      /* negative errno, 0 while unset */
	int64_t retry_after;  /* seconds that the other side asked us to wait, 0 unknown */
	bool outcome_unknown; /* the request may have been carried out (a lost answer) */
	char message[ERROR_MESSAGE_SIZE]; /* UTF-8, one line, no final full stop */
	char remedy[ERROR_REMEDY_SIZE];	  /* what to do, or empty */
};

/* Nothing wrong so far. `struct error error = {0};` does the same. */
void error_clear(struct error *error);

/*
 * Fills in class, code and message, and clears the rest. `code` is a negative errno; a positive
 * one is negated, 0 becomes -EIO. `error` may be NULL. Returns the (negative) code, so that a
 * function can end in `return error_set(...)`.
 */
int error_set(struct error *error, enum error_class class, int code, const char *format, ...)
	PRINTF_LIKE(4, 5);

/* As error_set() with class ERROR_LOCAL, and ": " and strerror(code) after the message. */
int error_errno(struct error *error, int code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Sets what the administrator can do. Returns the error's code. */
int error_remedy(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * What to tell with the error: its own remedy, else what holds for every error of its class and
 * code. Never NULL; empty for a transient one, which goes away by itself, and for none.
 */
const char *error_advice(const struct error *error);

/* Puts "PREFIX: " before the message that is there. Returns the error's code. */
int error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* "transient", "configuration", "authorization", "local", "deploy", "bug" or "none": the stable
 * words of JSON, state files and metrics. */
const char *error_class_name(enum error_class class);

/* The reverse; ERROR_NONE for NULL or an unknown word. */
enum error_class error_class_parse(const char *name);

#endif
