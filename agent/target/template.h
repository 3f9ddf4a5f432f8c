/*
 * template.h - Mustache, the core specification (https://mustache.github.io, spec 1.x: comments,
 * delimiters, interpolation, inverted sections, partials, sections), over cJSON values.
 */
#ifndef ORIGIN_CA_TARGET_TEMPLATE_H
#define ORIGIN_CA_TARGET_TEMPLATE_H

#include <cjson/cJSON.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"

/* What {{name}} is escaped for; {{{name}}} and {{&name}} never are. */
enum template_escape {
	TEMPLATE_ESCAPE_HTML,	/* & < > " as the specification's tests want */
	TEMPLATE_ESCAPE_XML,	/* and ' (server.xml) */
	TEMPLATE_ESCAPE_NGINX,	/* inside or outside double quotes: \ " $ ; { } # ' white space */
	TEMPLATE_ESCAPE_APACHE, /* \ and " (a quoted directive argument); % and $ of ${VAR} */
	TEMPLATE_ESCAPE_NONE,	/* HAProxy, custom: refuses white space and control characters */
};

/* Finds partials: appends the text of partial NAME to `text`; -ENOENT is an empty partial. */
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
	TEMPLATE_NESTING = 32, /* of sections and partials, together */
};

/*
 * Renders into `output` (appended; its own limit is the output's bound). Errors are of class
 * configuration and say source, line and column (from 1): a tag that does not close, a section
 * closed by another name, bad delimiters, a value that cannot be written safely for the server
 * (control characters), too much nesting or output. Numbers print without exponent or needless
 * fraction.
 */
int template_render(const char *text, size_t length, const cJSON *values,
		    const struct template_options *options, struct buffer *output,
		    struct error *error);

/*
 * Reads NAME.mustache from the first of `directories` that has it (a user's own before the
 * packaged), or NAME itself when it is an absolute path. -ENOENT (class configuration) names where
 * was looked.
 */
int template_load(const char *name, const struct string_list *directories, struct buffer *text,
		  struct error *error);

#endif
