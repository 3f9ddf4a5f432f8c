/* A template's text to its tree, in one walk over the text. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "target/template_tree.h"

struct delimiter {
	char text[TEMPLATE_DELIMITER];
	size_t length;
};

struct parser {
	struct template_tree *tree;
	struct error *error;
	size_t position; /* of what no node covers yet */
	bool line_start; /* nothing of the line before `position` was kept */
	struct delimiter open, close;
	uint32_t sections[TEMPLATE_NESTING]; /* indexes of those that are open */
	size_t depth;
};

struct tag {
	char sigil; /* one of "!#^/>=&{", or 0 */
	size_t start, end;
	struct template_span content; /* without white space around it */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
	return is_blank(c) || c == '\n' || c == '\r';
}

int template_error(const struct template_tree *tree, size_t offset, struct error *error, int code,
		   const char *format, ...)
{
	size_t line = 1;
	size_t column = 1;
	for (size_t i = 0; i < offset && i < tree->length; i++) {
		if (tree->text[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)tree->text[i] & 0xc0) != 0x80) {
			column++; /* a character, not each of its bytes */
		}
	}

	char message[ERROR_MESSAGE_SIZE / 2];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	error_set(error, ERROR_CONFIGURATION, code, "%s:%zu:%zu: %s", tree->source, line, column,
		  message);
	error_remedy(error, "correct the template; `origin-ca-agent render` with the names "
			    "of a certificate and a target shows what it gives");
	return code;
}

static struct template_node *node_add(struct template_tree *tree, enum template_node_type type,
				      size_t from, size_t length)
{
	tree->nodes = memory_grow(tree->nodes, tree->count, sizeof(*tree->nodes));
	struct template_node *node = &tree->nodes[tree->count++];
	*node = (struct template_node){
		.type = type,
		.content = {(uint32_t)from, (uint32_t)length},
		.tag = (uint32_t)from,
	};
	return node;
}

/* Covers the text up to `to`. */
static void text_add(struct parser *parser, size_t to)
{
	if (to == parser->position)
		return;
	struct template_node *node =
		node_add(parser->tree, TEMPLATE_TEXT, parser->position, to - parser->position);
	node->line_start = parser->line_start;
	parser->line_start = parser->tree->text[to - 1] == '\n';
	parser->position = to;
}

/* The end of a tag's line when only white space stands after the tag; 0 otherwise. */
static size_t line_end_after(const struct template_tree *tree, size_t position)
{
	while (position < tree->length && is_blank(tree->text[position]))
		position++;
	if (position < tree->length && tree->text[position] == '\r' &&
	    position + 1 < tree->length && tree->text[position + 1] == '\n')
		position++;
	if (position == tree->length)
		return position;
	return tree->text[position] == '\n' ? position + 1 : 0;
}

/*
 * Adds the text before the tag and goes behind it. A tag that writes nothing itself takes its
 * whole line away when it stands there alone; what stood before it then is the indentation.
 */
static struct template_span text_before(struct parser *parser, const struct tag *tag)
{
	const char *text = parser->tree->text;
	if (tag->sigil && strchr("!#^/>=", tag->sigil)) {
		size_t blank = tag->start;
		while (blank > parser->position && is_blank(text[blank - 1]))
			blank--;
		bool first =
			blank == parser->position ? parser->line_start : text[blank - 1] == '\n';
		size_t line_end = first ? line_end_after(parser->tree, tag->end) : 0;
		if (line_end) {
			text_add(parser, blank);
			parser->position = line_end;
			parser->line_start = true;
			return (struct template_span){(uint32_t)blank,
						      (uint32_t)(tag->start - blank)};
		}
	}
	text_add(parser, tag->start);
	if (parser->line_start) /* a place for the indentation when a tag begins the line */
		node_add(parser->tree, TEMPLATE_TEXT, tag->start, 0)->line_start = true;
	parser->line_start = false;
	parser->position = tag->end;
	return (struct template_span){0};
}

/* Finds what the tag at `start` is and where it ends. */
static int tag_read(struct parser *parser, size_t start, struct tag *ret_tag)
{
	const struct template_tree *tree = parser->tree;
	size_t from = start + parser->open.length;
	while (from < tree->length && is_space(tree->text[from]))
		from++;
	char sigil = '\0';
	if (from < tree->length)
		sigil = tree->text[from];
	/* A closing delimiter may begin with what would be a sigil. */
	bool empty = tree->length - from >= parser->close.length &&
		     memcmp(tree->text + from, parser->close.text, parser->close.length) == 0;
	if (empty || !sigil || !strchr("!#^/>=&{", sigil))
		sigil = '\0';
	else
		from++;

	char end[TEMPLATE_DELIMITER + 1];
	size_t length = 0;
	if (sigil == '{')
		end[length++] = '}';
	else if (sigil == '=')
		end[length++] = '=';
	memcpy(end + length, parser->close.text, parser->close.length);
	length += parser->close.length;

	const char *found = memmem(tree->text + from, tree->length - from, end, length);
	if (!found)
		return template_error(tree, start, parser->error, -EINVAL,
				      "this tag does not close: there is no \"%.*s\" after it",
				      (int)length, end);
	size_t to = (size_t)(found - tree->text);
	*ret_tag = (struct tag){.sigil = sigil, .start = start, .end = to + length};
	while (from < to && is_space(tree->text[from]))
		from++;
	while (to > from && is_space(tree->text[to - 1]))
		to--;
	ret_tag->content = (struct template_span){(uint32_t)from, (uint32_t)(to - from)};
	return 0;
}

/* A name has no white space; the parts of a dotted one are not empty. */
static int name_check(struct parser *parser, const struct tag *tag)
{
	const char *name = parser->tree->text + tag->content.from;
	size_t length = tag->content.length;
	const char *wrong = NULL;
	if (length == 0)
		wrong = "has no name";
	else if (length > TEMPLATE_NAME)
		wrong = "has a name of more than 256 bytes";

	bool dotted = tag->sigil != '>' && !(length == 1 && name[0] == '.');
	for (size_t i = 0; i < length && !wrong; i++) {
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
			wrong = "has a name with white space or a control character in it";
		else if (dotted && name[i] == '.' &&
			 (i == 0 || i + 1 == length || name[i - 1] == '.'))
			wrong = "has a dotted name with an empty part";
	}
	return wrong ? template_error(parser->tree, tag->start, parser->error, -EINVAL,
				      "this tag %s", wrong)
		     : 0;
}

static int delimiters_set(struct parser *parser, const struct tag *tag)
{
	const char *text = parser->tree->text + tag->content.from;
	size_t length = tag->content.length;
	size_t first = 0;
	while (first < length && !is_space(text[first]))
		first++;
	size_t second = first;
	while (second < length && is_space(text[second]))
		second++;

	bool bad = first == 0 || second == length || memchr(text, '=', length) != NULL ||
		   memchr(text, '\0', length) != NULL;
	for (size_t i = second; i < length; i++)
		bad = bad || is_space(text[i]);
	if (bad)
		return template_error(parser->tree, tag->start, parser->error, -EINVAL,
				      "delimiters are set by two words without \"=\", "
				      "as in {{=<%% %%>=}}");
	if (first > TEMPLATE_DELIMITER || length - second > TEMPLATE_DELIMITER)
		return template_error(parser->tree, tag->start, parser->error, -EINVAL,
				      "a delimiter has at most %d bytes", TEMPLATE_DELIMITER);
	parser->open.length = first;
	memcpy(parser->open.text, text, first);
	parser->close.length = length - second;
	memcpy(parser->close.text, text + second, length - second);
	return 0;
}

static int section_open(struct parser *parser, const struct tag *tag)
{
	if (parser->depth == TEMPLATE_NESTING)
		return template_error(parser->tree, tag->start, parser->error, -ELOOP,
				      "more than %d sections inside each other", TEMPLATE_NESTING);
	struct template_node *node =
		node_add(parser->tree, tag->sigil == '#' ? TEMPLATE_SECTION : TEMPLATE_INVERTED,
			 tag->content.from, tag->content.length);
	node->tag = (uint32_t)tag->start;
	parser->sections[parser->depth++] = (uint32_t)(parser->tree->count - 1);
	return 0;
}

static int section_close(struct parser *parser, const struct tag *tag)
{
	struct template_tree *tree = parser->tree;
	const char *name = tree->text + tag->content.from;
	int length = (int)tag->content.length;
	if (parser->depth == 0)
		return template_error(tree, tag->start, parser->error, -EINVAL,
				      "section \"%.*s\" is closed but was not opened", length,
				      name);
	struct template_node *node = &tree->nodes[parser->sections[parser->depth - 1]];
	if (node->content.length != tag->content.length ||
	    memcmp(tree->text + node->content.from, name, tag->content.length) != 0)
		return template_error(tree, tag->start, parser->error, -EINVAL,
				      "section \"%.*s\" is closed, but the one that is open is "
				      "\"%.*s\"",
				      length, name, TEMPLATE_NAME_ARGUMENTS(tree, node));
	node->end = (uint32_t)tree->count;
	parser->depth--;
	return 0;
}

static int tag_parse(struct parser *parser, size_t start)
{
	struct tag tag = {0};
	int result = tag_read(parser, start, &tag);
	if (result == 0 && tag.sigil != '!' && tag.sigil != '=')
		result = name_check(parser, &tag);
	if (result < 0)
		return result;

	struct template_span indent = text_before(parser, &tag);
	struct template_node *node;
	switch (tag.sigil) {
	case '!':
		return 0;
	case '=':
		return delimiters_set(parser, &tag);
	case '#':
	case '^':
		return section_open(parser, &tag);
	case '/':
		return section_close(parser, &tag);
	case '>':
		node = node_add(parser->tree, TEMPLATE_PARTIAL, tag.content.from,
				tag.content.length);
		node->indent = indent;
		node->line_start = parser->line_start; /* its line was taken away */
		break;
	default:
		node = node_add(parser->tree, TEMPLATE_VALUE, tag.content.from, tag.content.length);
		node->raw = tag.sigil != '\0';
		break;
	}
	node->tag = (uint32_t)tag.start;
	return 0;
}

int template_tree_parse(const char *source, const char *text, size_t length,
			struct template_tree *ret_tree, struct error *error)
{
	*ret_tree = (struct template_tree){
		.source = source ? source : "template",
		.text = text,
		.length = length,
	};
	if (length > TEMPLATE_LIMIT)
		return error_set(error, ERROR_CONFIGURATION, -EFBIG,
				 "%s: a template has at most %d bytes, not %zu", ret_tree->source,
				 TEMPLATE_LIMIT, length);
	struct parser parser = {
		.tree = ret_tree,
		.error = error,
		.line_start = true,
		.open = {"{{", 2},
		.close = {"}}", 2},
	};
	while (parser.position < length) {
		const char *found = memmem(text + parser.position, length - parser.position,
					   parser.open.text, parser.open.length);
		if (!found)
			break;
		int result = tag_parse(&parser, (size_t)(found - text));
		if (result < 0)
			return result;
	}
	text_add(&parser, length);
	if (parser.depth > 0) {
		const struct template_node *node =
			&ret_tree->nodes[parser.sections[parser.depth - 1]];
		return template_error(ret_tree, node->tag, error, -EINVAL,
				      "section \"%.*s\" is not closed",
				      TEMPLATE_NAME_ARGUMENTS(ret_tree, node));
	}
	return 0;
}

void template_tree_free(struct template_tree *tree)
{
	free(tree->nodes);
	*tree = (struct template_tree){0};
}
