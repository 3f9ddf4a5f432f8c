/*
 * What a value may look like where it lands. The writer reads along as the server's lexer will
 * (nginx: ngx_conf_read_token(); httpd: ap_getword_conf() and its lines), so it knows what a byte
 * will mean to it.
 */
#include <errno.h>
#include <string.h>

#include "target/template_tree.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The quotation mark that begins a word, or 0. */
static char quote_of(char c)
{
	return (char)(c == '"' || c == '\'' ? c : 0);
}

/*
 * nginx: a word starts with a quotation mark or goes on to white space, ";" or "{"; a backslash
 * takes the meaning of the next byte away anywhere but in a comment; "${" opens no block.
 */
static void nginx_read(struct template_writer *writer, char c)
{
	if (writer->comment) {
		writer->comment = c != '\n';
	} else if (writer->escaped) {
		writer->escaped = false;
	} else if (!writer->word) {
		if (is_space(c) || c == ';' || c == '{' || c == '}')
			return;
		writer->comment = c == '#';
		writer->word = !writer->comment;
		writer->quote = quote_of(c);
		writer->escaped = c == '\\';
		writer->variable = c == '$';
	} else if (c != '{' || !writer->variable) {
		writer->variable = c == '$';
		writer->escaped = c == '\\';
		if (writer->quote) {
			writer->word = c != writer->quote;
			if (!writer->word)
				writer->quote = '\0';
		} else {
			writer->word = !is_space(c) && c != ';' && c != '{';
		}
	}
}

/*
 * httpd: a line is a directive, unless a backslash ends it; a word may start with a quotation mark,
 * and then ends at the next; a backslash means something only before itself and that mark.
 */
static void apache_read(struct template_writer *writer, char c)
{
	if (c == '\n') {
		if (writer->last != '\\') {
			writer->comment = writer->word = writer->line = false;
			writer->quote = '\0';
		}
		writer->escaped = false;
	} else if (writer->comment) {
		return;
	} else if (writer->quote) {
		bool ends = !writer->escaped && c == writer->quote;
		writer->escaped = !writer->escaped && c == '\\';
		if (ends) {
			writer->quote = '\0';
			writer->word = false;
		}
	} else if (is_space(c)) {
		writer->word = false;
	} else if (!writer->word) {
		writer->comment = c == '#' && !writer->line;
		writer->quote = quote_of(c);
		writer->word = writer->line = true;
	}
}

int template_write_text(struct template_writer *writer, const char *text, size_t length)
{
	if (buffer_add(writer->output, text, length) < 0)
		return -EMSGSIZE;
	for (size_t i = 0; i < length; i++) {
		if (writer->escape == TEMPLATE_ESCAPE_NGINX)
			nginx_read(writer, text[i]);
		else if (writer->escape == TEMPLATE_ESCAPE_APACHE)
			apache_read(writer, text[i]);
		writer->last = text[i];
	}
	return 0;
}

/* Finds U+0000 to U+001F and U+007F to U+009F; `allowed` are none of them. */
static bool has_control(const char *value, const char *allowed)
{
	for (const unsigned char *at = (const unsigned char *)value; *at; at++)
		if ((*at < 0x20 && !strchr(allowed, *at)) || *at == 0x7f ||
		    (*at == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f))
			return true;
	return false;
}

/* The bytes of the UTF-8 character at `at`; 0 when it is none that XML 1.0 (2.2) allows. */
static size_t xml_character(const unsigned char *at)
{
	size_t length = *at < 0x80 ? 1 : *at < 0xc2 ? 0 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;
	if (length == 0 || *at > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	bool overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
	bool beyond = at[0] == 0xf4 && at[1] > 0x8f;
	bool surrogate = at[0] == 0xed && at[1] > 0x9f;
	bool no_character = at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe;
	return overlong || beyond || surrogate || no_character ? 0 : length;
}

static const char *xml_refuse(const struct template_writer *writer, const char *value)
{
	size_t length = strlen(value);
	if (strstr(value, "${") || (length > 0 && value[length - 1] == '$') ||
	    (writer->last == '$' && value[0] == '{'))
		return "holds \"${\" or ends in \"$\", which Tomcat takes for a property";
	for (const char *at = value; *at;) {
		size_t step = xml_character((const unsigned char *)at);
		if (step == 0)
			return "is not UTF-8 text that XML can hold";
		at += step;
	}
	return NULL;
}

static const char *nginx_refuse(const struct template_writer *writer, const char *value)
{
	if (writer->comment)
		return NULL;
	if (writer->escaped)
		return "stands directly after a backslash";
	if (strchr(value, '$'))
		return "holds \"$\", which nginx takes for a variable and has no escape for";
	if (!writer->quote && strpbrk(value, " ;{}#"))
		return "holds white space or one of ; { } # and is not in quotation marks";
	return NULL;
}

static const char *apache_refuse(const struct template_writer *writer, const char *value)
{
	size_t length = strlen(value);
	bool dangling = length > 0 && (value[length - 1] == '$' || value[length - 1] == '%');
	if (strstr(value, "${") || strstr(value, "%{") || dangling ||
	    ((writer->last == '$' || writer->last == '%') && value[0] == '{'))
		return "holds \"${\" or \"%{\" or ends in \"$\" or \"%\", which httpd replaces";
	if (writer->comment)
		return strchr(value, '\\') ? "holds a backslash in a comment" : NULL;
	if (writer->escaped || (!writer->quote && writer->last == '\\'))
		return "stands directly after a backslash";
	if (!writer->quote && strpbrk(value, " \"'\\<>#"))
		return "holds white space or one of \" ' \\ < > # and is not in quotation marks";
	return NULL;
}

static const char *refuse(const struct template_writer *writer, const char *value, bool raw)
{
	if (has_control(value, writer->escape == TEMPLATE_ESCAPE_HTML ? "\t\n\r" : ""))
		return "holds a control character";
	if (raw)
		return NULL;
	switch (writer->escape) {
	case TEMPLATE_ESCAPE_HTML:
		return NULL;
	case TEMPLATE_ESCAPE_XML:
		return xml_refuse(writer, value);
	case TEMPLATE_ESCAPE_NGINX:
		return nginx_refuse(writer, value);
	case TEMPLATE_ESCAPE_APACHE:
		return apache_refuse(writer, value);
	case TEMPLATE_ESCAPE_NONE:
		break;
	}
	return strchr(value, ' ') ? "holds white space" : NULL;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	default:
		return NULL;
	}
}

/* What stands for the byte `at`, which `before` precedes; NULL for itself. */
static const char *replacement(const struct template_writer *writer, char before, const char *at)
{
	switch (writer->escape) {
	case TEMPLATE_ESCAPE_HTML:
		return entity(*at);
	case TEMPLATE_ESCAPE_XML:
		if (*at == '\'')
			return "&#39;";
		/* "--" must not be in a comment, nor "-" at its end (XML 1.0, 2.5). */
		if (*at == '-' && (before == '-' || at[1] == '\0'))
			return "&#45;";
		return entity(*at);
	case TEMPLATE_ESCAPE_NGINX:
		if (writer->comment)
			return NULL;
		return *at == '\\' ? "\\\\" : *at == '"' ? "\\\"" : *at == '\'' ? "\\'" : NULL;
	case TEMPLATE_ESCAPE_APACHE:
		if (*at == '\\')
			return "\\\\";
		if (*at != writer->quote)
			return NULL;
		return *at == '"' ? "\\\"" : "\\'";
	case TEMPLATE_ESCAPE_NONE:
		break;
	}
	return NULL;
}

int template_write_value(struct template_writer *writer, const char *value, bool raw,
			 const char **ret_why)
{
	const char *why = refuse(writer, value, raw);
	if (why) {
		*ret_why = why;
		return -EILSEQ;
	}
	if (raw)
		return template_write_text(writer, value, strlen(value));

	int result = 0;
	const char *plain = value; /* begin of the bytes that are still to be written as they are */
	const char *at = value;
	for (; *at && result == 0; at++) {
		const char *before = at > value ? at - 1 : &writer->last;
		const char *text = replacement(writer, *before, at);
		if (!text)
			continue;
		result = template_write_text(writer, plain, (size_t)(at - plain));
		if (result == 0)
			result = template_write_text(writer, text, strlen(text));
		plain = at + 1;
	}
	return result < 0 ? result : template_write_text(writer, plain, (size_t)(at - plain));
}
