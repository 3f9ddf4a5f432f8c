/*
 * template.h - Mustache, the core specification (https://mustache.github.io, spec 1.x: comments,
 * delimiters, interpolation, inverted sections, partials, sections), over cJSON values.
 *
 * Where the specification leaves a choice: missing, null, false, 0, "" and an empty list are
 * false, an empty object is true. The indentation of a partial goes before every line of it, empty
 * ones too. White space may stand before a tag's sigil ({{ # name }}), never inside a name. Lambdas
 * are not part of it. A list or an object cannot be interpolated: that is an error.
 */
#ifndef ORIGIN_CA_TARGET_TEMPLATE_H
#define ORIGIN_CA_TARGET_TEMPLATE_H

#include <cjson/cJSON.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"

/*
 * What {{name}} is escaped for. A value can be one argument of a directive, or part of one, and
 * never more: what would end the argument is escaped, and refused with an error where the server
 * knows no escape. Control characters (U+0000 to U+001F, U+007F to U+009F) are refused always, in
 * {{{name}}} and {{&name}} as well, which otherwise write the value as it is. A value after a
 * backslash that the template wrote is refused: the escape would lose its own backslash.
 *
 * HTML    & < > " become entities. Tab, line feed and carriage return are allowed.
 * XML     & < > " ' become entities, and so does every "-" that could end a comment. Refused:
 *         "${" (Tomcat puts in a system property), bytes that are not UTF-8, U+FFFE, U+FFFF.
 * NGINX   \ " ' get a backslash, which nginx takes away in quoted and in bare arguments alike.
 *         Refused: "$" (a variable; nginx has no escape for it), and outside of quotation marks
 *         white space ; { } # (there a backslash would stay in the value). In a comment a value
 *         stands as it is.
 * APACHE  In a quoted argument, \ and that quotation mark get a backslash. Refused: "${" (a
 *         variable, replaced everywhere in a line), "%{" (a format or an expression); in a bare
 *         argument white space " ' \ < > #; in a comment \ (the next line would belong to it).
 * NONE    Nothing is escaped; white space is refused. For HAProxy and custom targets.
 *
 * Whether a place is quoted, bare or a comment is read from the output as the server will read it,
 * so it does not matter which section or partial wrote the quotation mark.
 */
enum template_escape {
	TEMPLATE_ESCAPE_HTML,
	TEMPLATE_ESCAPE_XML,
	TEMPLATE_ESCAPE_NGINX,
	TEMPLATE_ESCAPE_APACHE,
	TEMPLATE_ESCAPE_NONE,
};

/* Finds partials: appends the text of partial NAME to `text`; -ENOENT is an empty partial, any
 * other error ends the rendering. Asked once for each name in a rendering. */
typedef int template_partial(const char *name, struct buffer *text, void *context,
			     struct error *error);

struct template_options {
	enum template_escape escape;
	template_partial *partial; /* NULL: every partial is empty */
	void *context;
	const char *source_name; /* for messages: "nginx.mustache" */
};

enum {
	TEMPLATE_LIMIT = 256 << 10, /* bytes of a template or partial */
	TEMPLATE_OUTPUT_LIMIT = 1 << 20,
	TEMPLATE_NESTING = 32,	/* of sections and partials, together */
	TEMPLATE_PARTIALS = 64, /* different ones in a rendering */
	TEMPLATE_NAME = 256,	/* bytes of a name in a tag */
	TEMPLATE_DELIMITER = 16,
	TEMPLATE_STEPS = 4 << 20, /* tags visited and names compared in a rendering */
};

/*
 * Renders into `output` (appended; its own limit is the output's bound); on failure `output` is as
 * it was before. Errors are of class configuration and say source, line and column (from 1; in
 * characters): -EINVAL for a tag that does not close, a section closed by another name, bad names
 * or delimiters, a value that is a list or an object; -EILSEQ for a value that cannot be written
 * safely for the server; -ELOOP for too much nesting, also of partials that call themselves without
 * an end; -EFBIG for a template and -EMSGSIZE for output that is too large; -E2BIG for too many
 * partials or steps. Numbers print without exponent or needless fraction.
 */
int template_render(const char *text, size_t length, const cJSON *values,
		    const struct template_options *options, struct buffer *output,
		    struct error *error);

/*
 * Reads NAME.mustache from the first of `directories` that has it (a user's own before the
 * packaged), or NAME itself when it is an absolute path, into `text` (emptied first). -ENOENT
 * (class configuration) names where was looked. `ret_path` may be NULL; otherwise it gets the
 * path that was read; free() it.
 */
int template_load(const char *name, const struct string_list *directories, struct buffer *text,
		  char **ret_path, struct error *error);

#endif
