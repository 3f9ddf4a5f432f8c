#include "config/line.h"

#include <string.h>

#include "base/memory.h"

/* isspace(3) of the C locale: what inih strips. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

void line_trim(struct line *line, const char *text, size_t length)
{
	while (length > 0 && is_space(text[length - 1]))
		length--;
	size_t indent = 0;
	while (indent < length && is_space(text[indent]))
		indent++;
	*line = (struct line){.text = text, .length = length, .indent = indent};
}

bool line_is_comment(const struct line *line)
{
	if (line->indent == line->length)
		return true;
	char first = line->text[line->indent];
	return first == ';' || first == '#';
}

void line_cut_comment(struct line *line)
{
	for (size_t i = line->indent + 1; i < line->length; i++)
		if (line->text[i] == ';' && is_space(line->text[i - 1])) {
			line_trim(line, line->text, i);
			return;
		}
}

/* Length of the UTF-8 character at `text` (RFC 3629: shortest form, no surrogates); 0 if none. */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	unsigned char first = text[0];
	size_t length = 0;
	if (first < 0x80)
		length = 1;
	else if (first >= 0xc2 && first < 0xf5)
		length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
	    (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

const char *line_fault(const struct line *line)
{
	for (size_t i = 0; i < line->length;) {
		unsigned char c = (unsigned char)line->text[i];
		if (c == 0)
			return "the line holds a NUL byte";
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return "the line holds a control character";
		size_t length =
			utf8_length((const unsigned char *)line->text + i, line->length - i);
		if (length == 0)
			return "the line is not UTF-8";
		i += length;
	}
	return NULL;
}

bool line_looks_like_header(const struct line *line)
{
	const char *start = line->text + line->indent;
	size_t length = line->length - line->indent;
	const char *close = memchr(start, ']', length);
	return start[0] == '[' && close && !memchr(start, ':', (size_t)(close - start));
}

bool line_looks_like_key(const struct line *line)
{
	size_t at = line->indent;
	while (at < line->length && is_word(line->text[at]))
		at++;
	if (at == line->indent)
		return false;
	while (at < line->length && is_space(line->text[at]))
		at++;
	if (at == line->length)
		return false;
	/* "localhost:443" is a value. */
	return line->text[at] == '=' ||
	       (line->text[at] == ':' && at + 1 < line->length && is_space(line->text[at + 1]));
}

void line_header_parse(const struct line *line, struct line_header *ret_header)
{
	const char *fault = line_fault(line);
	if (fault) {
		*ret_header = (struct line_header){string_copy(""), string_copy(""), fault};
		return;
	}

	size_t start = line->indent + 1;
	const char *close = memchr(line->text + start, ']', line->length - start);
	size_t end = close ? (size_t)(close - line->text) : line->length;
	struct line title;
	line_trim(&title, line->text + start, end - start);

	const char *kind = title.text + title.indent;
	size_t left = title.length - title.indent;
	size_t kind_length = 0;
	while (kind_length < left && !is_space(kind[kind_length]))
		kind_length++;
	struct line name;
	line_trim(&name, kind + kind_length, left - kind_length);

	if (!close)
		fault = "the section header has no \"]\"";
	else if (kind_length == 0)
		fault = "the section header is empty";
	else {
		struct line rest;
		line_trim(&rest, line->text + end + 1, line->length - end - 1);
		if (!line_is_comment(&rest))
			fault = "there is text after the section header";
	}
	*ret_header = (struct line_header){
		.kind = string_copy_n(kind, kind_length),
		.name = string_copy_n(name.text + name.indent, name.length - name.indent),
		.fault = fault,
	};
}

void line_header_free(struct line_header *header)
{
	free(header->kind);
	free(header->name);
}
