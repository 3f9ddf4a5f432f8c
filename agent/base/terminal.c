#include "base/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
	SIZE_LEAST = 20,
	SIZE_MOST = 1000,
};

/* A variable that is a size; 0 when it is not. */
static size_t size_of(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	unsigned long size = text && text[0] ? strtoul(text, &end, 10) : 0;
	return end && !*end && size <= SIZE_MOST ? size : 0;
}

void terminal_look(struct terminal *ret_terminal)
{
	const char *term = getenv("TERM");
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size = {0};
	struct terminal terminal = {.interactive = isatty(STDOUT_FILENO) == 1};

	setlocale(LC_CTYPE, "");
	terminal.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	terminal.colour = terminal.interactive && !(no_colour && no_colour[0]) && term &&
			  strcmp(term, "dumb") != 0;
	if (terminal.interactive)
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	terminal.columns = size_of("COLUMNS");
	if (!terminal.columns)
		terminal.columns = size.ws_col ? size.ws_col : 80;
	if (terminal.columns < SIZE_LEAST)
		terminal.columns = SIZE_LEAST;
	terminal.rows = size_of("LINES");
	if (!terminal.rows)
		terminal.rows = size.ws_row ? size.ws_row : 24;
	*ret_terminal = terminal;
}

static bool continues(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t terminal_width(const char *text)
{
	size_t width = 0;
	for (; *text; text++)
		width += !continues(*text);
	return width;
}

/* Bytes of the first `columns` characters. */
static size_t bytes_of(const char *text, size_t columns)
{
	size_t length = 0;
	while (text[length]) {
		if (!continues(text[length]) && columns-- == 0)
			break;
		length++;
	}
	return length;
}

void terminal_cell(const struct terminal *terminal, const char *text, size_t columns, bool pad,
		   struct buffer *out)
{
	const char *ellipsis = terminal->utf8 ? "\u2026" : "~";
	size_t width = terminal_width(text);
	if (columns == 0)
		return;
	if (width <= columns) {
		buffer_add_text(out, text);
		for (; pad && width < columns; width++)
			buffer_add_text(out, " ");
		return;
	}
	buffer_add(out, text, bytes_of(text, columns - 1));
	buffer_add_text(out, ellipsis);
}

/* Bytes of the longest start of `text` that ends before a blank and fits; at least one word. */
static size_t line_length(const char *text, size_t columns)
{
	size_t most = bytes_of(text, columns);
	if (!text[most])
		return most;
	size_t length = most;
	while (length > 0 && text[length] != ' ')
		length--;
	return length ? length : most ? most : strlen(text);
}

void terminal_paragraph(const struct terminal *terminal, const char *first, size_t indent,
			const char *text, struct buffer *out)
{
	size_t left = terminal->columns;
	size_t used = terminal_width(first);
	buffer_add_text(out, first);
	while (terminal->interactive && left > indent + 8 && used < left &&
	       terminal_width(text) > left - used) {
		size_t length = line_length(text, left - used);
		buffer_add(out, text, length);
		buffer_add_text(out, "\n");
		for (size_t i = 0; i < indent; i++)
			buffer_add_text(out, " ");
		text += length + strspn(text + length, " ");
		used = indent;
	}
	buffer_add_text(out, text);
	buffer_add_text(out, "\n");
}
