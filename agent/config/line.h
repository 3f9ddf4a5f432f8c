/* line.h - one raw line of an INI file, looked at before inih sees it. */
#ifndef ORIGIN_CA_CONFIG_LINE_H
#define ORIGIN_CA_CONFIG_LINE_H

#include <stdbool.h>
#include <stddef.h>

/* Without white space (and so without CR) at its end; not terminated. */
struct line {
	const char *text;
	size_t length;
	size_t indent; /* bytes of white space at the start */
};

void line_trim(struct line *line, const char *text, size_t length);

/* Nothing but white space, or a comment, whatever that holds. */
bool line_is_comment(const struct line *line);

/* Takes away what follows " ;". inih 55 does so in a key's line, but not in the lines that continue
 * its value; later versions do in both. */
void line_cut_comment(struct line *line);

/* Why no key or value may hold what is in this line, or NULL. */
const char *line_fault(const struct line *line);

/* Of an indented line: "[word ...]" without the colon that an IPv6 address would have; "word =",
 * or "word: ". */
bool line_looks_like_header(const struct line *line);
bool line_looks_like_key(const struct line *line);

/* "[KIND NAME]"; kind and name are the best guess when there is a `fault`, and may be "". */
struct line_header {
	char *kind;
	char *name;
	const char *fault; /* static, or NULL */
};

/* Of a line that starts with "[" (after its indent) and whose comment was cut off. */
void line_header_parse(const struct line *line, struct line_header *ret_header);
void line_header_free(struct line_header *header);

#endif
