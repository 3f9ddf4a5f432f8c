/*
 * template_tree.h - a parsed template, and the writer of what it renders. Private to the target
 * room: template.h is what the others use.
 */
#ifndef ORIGIN_CA_TARGET_TEMPLATE_TREE_H
#define ORIGIN_CA_TARGET_TEMPLATE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "target/template.h"

enum template_node_type {
	TEMPLATE_TEXT,
	TEMPLATE_VALUE,
	TEMPLATE_SECTION,
	TEMPLATE_INVERTED,
	TEMPLATE_PARTIAL,
};

/* Bytes of the template's text: it outlives its tree. */
struct template_span {
	uint32_t from, length;
};

/* A partial's text and tree, as the renderer found it. */
struct partial;

/* All nodes of a template stand in one array in the order of the text; the children of a section
 * are those from the next one to before `end`. */
struct template_node {
	enum template_node_type type;
	bool raw;	 /* of a value: {{{name}}} or {{&name}} */
	bool line_start; /* of a text, which may be empty: the indentation goes before it;
			    of a partial: it stands alone on its line */
	struct template_span content; /* the text, or the name in the tag */
	struct template_span indent;  /* of a partial that stands alone on its line */
	uint32_t tag;		      /* offset of the tag's first byte, for messages */
	uint32_t end;		      /* of a section */
	struct partial *partial;      /* of a partial: the renderer's; NULL: not yet looked up */
};

struct template_tree {
	const char *source; /* for messages; the caller's */
	const char *text;   /* the caller's */
	size_t length;
	struct template_node *nodes;
	size_t count;
};

/* Free the tree with template_tree_free(), on failure too. */
int template_tree_parse(const char *source, const char *text, size_t length,
			struct template_tree *ret_tree, struct error *error);
void template_tree_free(struct template_tree *tree);

/* The name in a tag, for "%.*s". */
#define TEMPLATE_NAME_ARGUMENTS(tree, node)                                                        \
	(int)(node)->content.length, (tree)->text + (node)->content.from

/* An error of class configuration at a byte of the template: "SOURCE:LINE:COLUMN: MESSAGE". */
int template_error(const struct template_tree *tree, size_t offset, struct error *error, int code,
		   const char *format, ...) PRINTF_LIKE(5, 6);

/*
 * Where output goes. What a byte means to a server depends on what stands before it (a quote, a
 * comment, a backslash), so the writer reads along as the server's own lexer will.
 */
struct template_writer {
	struct buffer *output;
	enum template_escape escape;
	char quote;    /* the quotation mark that the next byte is inside of, or 0 */
	bool word;     /* inside an argument */
	bool line;     /* httpd: the line has a word, so that "#" begins no comment */
	bool comment;  /* inside a comment */
	bool escaped;  /* after a backslash that takes the next byte's meaning away */
	bool variable; /* nginx: after a "$", where "{" opens no block */
	char last;     /* the last byte written, or 0 */
};

/* Writes text of the template as it is. -EMSGSIZE: the output's bound. */
int template_write_text(struct template_writer *writer, const char *text, size_t length);

/*
 * Writes a value, escaped unless `raw`. -EILSEQ: it cannot be written safely there, and *ret_why
 * says why ("holds ..."); nothing was written. -EMSGSIZE as above.
 */
int template_write_value(struct template_writer *writer, const char *value, bool raw,
			 const char **ret_why);

#endif
