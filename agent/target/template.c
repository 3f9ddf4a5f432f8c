#include "target/template.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "target/template_tree.h"

/* A partial as it was found, for all its places in a rendering. */
struct partial {
	char *name;
	char *source; /* for messages */
	struct buffer text;
	struct template_tree tree;
};

struct renderer {
	const struct template_options *options;
	struct template_writer writer;
	struct error *error;
	const cJSON *contexts[TEMPLATE_NESTING + 1]; /* the innermost last */
	size_t context_count;
	unsigned nesting;
	size_t steps;
	struct partial *partials[TEMPLATE_PARTIALS];
	size_t partial_count;
};

/* What goes before each line of a partial; that of the partial around it goes first. */
struct indent {
	const char *text;
	size_t length;
	const struct indent *outer;
};

static int nodes_render(struct renderer *renderer, struct template_tree *tree, size_t from,
			size_t to, const struct indent *indent);

/* A bound for the work, too: sections over lists inside each other need not write anything. */
static int step(struct renderer *renderer, const struct template_tree *tree,
		const struct template_node *node, size_t count)
{
	renderer->steps += count;
	if (renderer->steps > TEMPLATE_STEPS)
		return template_error(tree, node->tag, renderer->error, -E2BIG,
				      "rendering takes more than %d steps", TEMPLATE_STEPS);
	return 0;
}

static int write_result(const struct renderer *renderer, const struct template_tree *tree,
			const struct template_node *node, int result)
{
	if (result == -EMSGSIZE)
		return template_error(tree, node->tag, renderer->error, result,
				      "more than %zu bytes of output",
				      renderer->writer.output->limit);
	return result;
}

static const cJSON *member_find(const cJSON *object, const char *name, size_t length,
				size_t *compared)
{
	const cJSON *member = cJSON_IsObject(object) ? object->child : NULL;
	for (; member; member = member->next) {
		++*compared;
		if (member->string && strncmp(member->string, name, length) == 0 &&
		    member->string[length] == '\0')
			return member;
	}
	return NULL;
}

/*
 * The first part of a dotted name is looked for from the innermost context out; the others only in
 * what was found.
 */
static const cJSON *value_find(const struct renderer *renderer, const char *name, size_t length,
			       size_t *compared)
{
	if (length == 1 && name[0] == '.')
		return renderer->contexts[renderer->context_count - 1];

	const char *dot = memchr(name, '.', length);
	size_t part = dot ? (size_t)(dot - name) : length;
	const cJSON *value = NULL;
	for (size_t i = renderer->context_count; i > 0 && !value; i--)
		value = member_find(renderer->contexts[i - 1], name, part, compared);
	while (value && part < length) {
		name += part + 1;
		length -= part + 1;
		dot = memchr(name, '.', length);
		part = dot ? (size_t)(dot - name) : length;
		value = member_find(value, name, part, compared);
	}
	return value;
}

static int node_value(struct renderer *renderer, const struct template_tree *tree,
		      const struct template_node *node, const cJSON **ret_value)
{
	size_t compared = 0;
	*ret_value = value_find(renderer, tree->text + node->content.from, node->content.length,
				&compared);
	return step(renderer, tree, node, compared);
}

/* What JSON calls a number, as people write it: the fewest digits that are still that number. */
enum {
	NUMBER_SIZE = 400
};

static const char *number_format(double number, char text[static NUMBER_SIZE])
{
	if (fabs(number) < 1e15 && number == (double)(int64_t)number) {
		snprintf(text, NUMBER_SIZE, "%" PRId64, (int64_t)number);
		return text;
	}
	char scientific[48]; /* -d.ddde-ddd */
	int precision = 0;
	do
		snprintf(scientific, sizeof(scientific), "%.*e", precision, fabs(number));
	while (strtod(scientific, NULL) != fabs(number) && ++precision < 17);

	char digits[24];
	int count = 0;
	for (const char *at = scientific; *at != 'e'; at++)
		if (*at >= '0' && *at <= '9') /* not the point, whatever the locale's is */
			digits[count++] = *at;
	int point = (int)strtol(strchr(scientific, 'e') + 1, NULL, 10) + 1;

	char *end = text;
	if (number < 0)
		*end++ = '-';
	for (int i = point < 1 ? point - 1 : 0; i < count || i < point; i++) {
		if (i == point)
			*end++ = '.';
		if (i >= 0 && i < count)
			*end++ = digits[i];
		else
			*end++ = '0';
	}
	*end = '\0';
	return text;
}

static int value_render(struct renderer *renderer, const struct template_tree *tree,
			const struct template_node *node)
{
	const cJSON *value = NULL;
	int result = node_value(renderer, tree, node, &value);
	if (result < 0 || !value || cJSON_IsNull(value))
		return result;

	char number[NUMBER_SIZE];
	const char *text = NULL;
	if (cJSON_IsString(value))
		text = value->valuestring;
	else if (cJSON_IsNumber(value) && isfinite(value->valuedouble))
		text = number_format(value->valuedouble, number);
	else if (cJSON_IsBool(value))
		text = cJSON_IsTrue(value) ? "true" : "false";
	else
		return template_error(tree, node->tag, renderer->error, -EINVAL,
				      "\"%.*s\" is %s: it cannot be written as text",
				      TEMPLATE_NAME_ARGUMENTS(tree, node),
				      cJSON_IsArray(value)    ? "a list"
				      : cJSON_IsObject(value) ? "an object"
							      : "not a finite number");
	const char *why = NULL;
	result = template_write_value(&renderer->writer, text, node->raw, &why);
	if (result == -EILSEQ) {
		CLEANUP(freep)
		char *name = string_format("%.*s", TEMPLATE_NAME_ARGUMENTS(tree, node));
		bool secret = string_ends(name, "password");
		return template_error(tree, node->tag, renderer->error, result,
				      "the value of \"%s\" %s%s%.200s", name, why,
				      secret ? "" : ": ", secret ? "" : text);
	}
	return write_result(renderer, tree, node, result);
}

static bool value_is_true(const cJSON *value)
{
	if (!value || cJSON_IsNull(value) || cJSON_IsFalse(value))
		return false;
	if (cJSON_IsNumber(value))
		return value->valuedouble != 0;
	if (cJSON_IsString(value))
		return value->valuestring[0] != '\0';
	return !cJSON_IsArray(value) || value->child;
}

static int nesting_enter(struct renderer *renderer, const struct template_tree *tree,
			 const struct template_node *node)
{
	if (renderer->nesting == TEMPLATE_NESTING)
		return template_error(tree, node->tag, renderer->error, -ELOOP,
				      "more than %d sections and partials inside each other; does "
				      "a partial include itself without an end?",
				      TEMPLATE_NESTING);
	renderer->nesting++;
	return 0;
}

static int section_render(struct renderer *renderer, struct template_tree *tree, size_t index,
			  const struct indent *indent)
{
	const struct template_node *node = &tree->nodes[index];
	const cJSON *value = NULL;
	int result = node_value(renderer, tree, node, &value);
	if (result < 0 || value_is_true(value) != (node->type == TEMPLATE_SECTION))
		return result;
	result = nesting_enter(renderer, tree, node);
	if (result < 0)
		return result;

	if (node->type == TEMPLATE_INVERTED) {
		result = nodes_render(renderer, tree, index + 1, node->end, indent);
	} else {
		bool list = cJSON_IsArray(value);
		const cJSON *item = list ? value->child : value;
		size_t context = renderer->context_count++;
		while (item && result == 0) {
			renderer->contexts[context] = item;
			result = step(renderer, tree, node, 1);
			if (result == 0)
				result = nodes_render(renderer, tree, index + 1, node->end, indent);
			item = list ? item->next : NULL;
		}
		renderer->context_count--;
	}
	renderer->nesting--;
	return result;
}

static void partial_free(struct partial *partial)
{
	template_tree_free(&partial->tree);
	buffer_free(&partial->text);
	free(partial->source);
	free(partial->name);
	free(partial);
}

DEFINE_CLEANUP(struct partial *, partial_free)

/* Reads and parses a partial that this rendering did not meet before. */
static int partial_add(struct renderer *renderer, const struct template_tree *tree,
		       struct template_node *node)
{
	if (renderer->partial_count == TEMPLATE_PARTIALS)
		return template_error(tree, node->tag, renderer->error, -E2BIG,
				      "more than %d different partials", TEMPLATE_PARTIALS);
	CLEANUP(partial_freep) struct partial *partial = memory_alloc(1, sizeof(*partial));
	partial->name = string_copy_n(tree->text + node->content.from, node->content.length);
	partial->source = string_format("partial %s", partial->name);
	partial->text = BUFFER(TEMPLATE_LIMIT);

	int result = -ENOENT;
	if (renderer->options->partial)
		result = renderer->options->partial(partial->name, &partial->text,
						    renderer->options->context, renderer->error);
	if (result == -ENOENT) {
		error_clear(renderer->error);
		buffer_free(&partial->text);
	} else if (partial->text.failed) {
		return template_error(tree, node->tag, renderer->error, -EFBIG,
				      "partial \"%s\" has more than %d bytes", partial->name,
				      TEMPLATE_LIMIT);
	} else if (result < 0) {
		return result;
	}
	result = template_tree_parse(partial->source, buffer_text(&partial->text),
				     partial->text.length, &partial->tree, renderer->error);
	if (result < 0)
		return result;
	node->partial = partial;
	renderer->partials[renderer->partial_count++] = TAKE_PTR(partial);
	return 0;
}

static int partial_find(struct renderer *renderer, const struct template_tree *tree,
			struct template_node *node)
{
	const char *name = tree->text + node->content.from;
	size_t length = node->content.length;
	for (size_t i = 0; i < renderer->partial_count && !node->partial; i++)
		if (strncmp(renderer->partials[i]->name, name, length) == 0 &&
		    renderer->partials[i]->name[length] == '\0')
			node->partial = renderer->partials[i];
	return node->partial ? 0 : partial_add(renderer, tree, node);
}

static int partial_render(struct renderer *renderer, struct template_tree *tree,
			  struct template_node *node, const struct indent *indent)
{
	int result = nesting_enter(renderer, tree, node);
	if (result == 0)
		result = partial_find(renderer, tree, node);
	if (result < 0)
		return result;

	/* A partial in the middle of a line is not indented, not even as the lines around it. */
	struct indent own = {tree->text + node->indent.from, node->indent.length, indent};
	const struct indent *lines = own.length ? &own : indent;
	struct template_tree *inner = &node->partial->tree;
	result = nodes_render(renderer, inner, 0, inner->count, node->line_start ? lines : NULL);
	renderer->nesting--;
	return result;
}

static int indent_write(struct template_writer *writer, const struct indent *indent)
{
	int result = indent->outer ? indent_write(writer, indent->outer) : 0;
	return result < 0 ? result : template_write_text(writer, indent->text, indent->length);
}

static int text_render(struct renderer *renderer, const struct template_tree *tree,
		       const struct template_node *node, const struct indent *indent)
{
	const char *text = tree->text + node->content.from;
	size_t left = node->content.length;
	if (!indent)
		return template_write_text(&renderer->writer, text, left);

	bool line_start = node->line_start;
	int result = 0;
	do {
		if (line_start)
			result = indent_write(&renderer->writer, indent);
		const char *newline = memchr(text, '\n', left);
		size_t length = newline ? (size_t)(newline - text) + 1 : left;
		if (result == 0)
			result = template_write_text(&renderer->writer, text, length);
		text += length;
		left -= length;
		line_start = true;
	} while (left > 0 && result == 0);
	return result;
}

static int nodes_render(struct renderer *renderer, struct template_tree *tree, size_t from,
			size_t to, const struct indent *indent)
{
	int result = 0;
	for (size_t i = from; i < to && result == 0;) {
		struct template_node *node = &tree->nodes[i];
		size_t next = i + 1;
		result = step(renderer, tree, node, 1);
		if (result < 0)
			return result;
		switch (node->type) {
		case TEMPLATE_TEXT:
			result = write_result(renderer, tree, node,
					      text_render(renderer, tree, node, indent));
			break;
		case TEMPLATE_VALUE:
			result = value_render(renderer, tree, node);
			break;
		case TEMPLATE_SECTION:
		case TEMPLATE_INVERTED:
			result = section_render(renderer, tree, i, indent);
			next = node->end;
			break;
		case TEMPLATE_PARTIAL:
			result = partial_render(renderer, tree, node, indent);
			break;
		}
		i = next;
	}
	return result;
}

static void tree_freep(struct template_tree *tree)
{
	template_tree_free(tree);
}

int template_render(const char *text, size_t length, const cJSON *values,
		    const struct template_options *options, struct buffer *output,
		    struct error *error)
{
	CLEANUP(tree_freep) struct template_tree tree;
	int result = template_tree_parse(options->source_name, text, length, &tree, error);
	if (result < 0)
		return result;

	size_t before = output->length;
	bool failed_before = output->failed;
	struct renderer renderer = {
		.options = options,
		.writer = {.output = output, .escape = options->escape},
		.error = error,
		.contexts = {values},
		.context_count = 1,
	};
	result = nodes_render(&renderer, &tree, 0, tree.count, NULL);
	for (size_t i = 0; i < renderer.partial_count; i++)
		partial_free(renderer.partials[i]);
	if (result < 0) {
		output->failed = failed_before;
		output->length = before;
		if (output->data)
			output->data[before] = '\0';
	}
	return result;
}
