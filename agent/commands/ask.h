/* ask.h - a question on the terminal, and its answer. */
#ifndef ORIGIN_CA_COMMANDS_ASK_H
#define ORIGIN_CA_COMMANDS_ASK_H

#include <stdbool.h>

#include "base/error.h"

enum {
	ANSWER_LIMIT = 8192 /* bytes of an answer */
};

/* True when there is somebody to ask: standard input and output are a terminal. */
bool ask_possible(void);

/*
 * Prints "QUESTION [PRESET]: " and reads a line from standard input; an empty one gives `preset`,
 * which may be NULL. Blanks at both ends are cut off. With `secret` the terminal does not show what
 * is typed, and shows again afterwards whatever signal ends us. Free it with secret_free().
 * -ECANCELED at the end of the input, -EFBIG for a longer answer.
 */
int ask(const char *question, const char *preset, bool secret, char **ret_answer,
	struct error *error);

/* "QUESTION [Y/n]: "; asks again until it is one of them. */
int ask_yes(const char *question, bool preset, bool *ret_yes, struct error *error);

#endif
