/* terminal.h - what standard output can show. */
#ifndef ORIGIN_CA_BASE_TERMINAL_H
#define ORIGIN_CA_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct terminal {
	bool interactive; /* it is a terminal */
	bool colour;	  /* and takes escape sequences; NO_COLOR and TERM=dumb say no */
	bool utf8;	  /* by the locale (LC_ALL, LC_CTYPE, LANG) */
	size_t columns;	  /* COLUMNS, else the terminal's, else 80 */
	size_t rows;	  /* LINES, else the terminal's, else 24 */
};

void terminal_look(struct terminal *ret_terminal);

/* Columns that UTF-8 text takes, every character counted as one. */
size_t terminal_width(const char *text);

/* Appends `text`, cut to `columns` with an ellipsis and, with `pad`, filled up with blanks. */
void terminal_cell(const struct terminal *terminal, const char *text, size_t columns, bool pad,
		   struct buffer *out);

/*
 * Appends `text` behind `first`, broken at blanks so that no line is longer than the terminal;
 * further lines begin with `indent` blanks. Where there is no terminal it stays one line, for grep.
 */
void terminal_paragraph(const struct terminal *terminal, const char *first, size_t indent,
			const char *text, struct buffer *out);

#endif
