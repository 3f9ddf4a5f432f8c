/*
 * header.h - a line of an answer's headers, as CURLOPT_HEADERFUNCTION brings them.
 */
#ifndef ORIGIN_CA_HTTP_HEADER_H
#define ORIGIN_CA_HTTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * True when `line` is the header `name` (in any case) and its value, without white space around,
 * fits into the `size` bytes at `value`; a value with a NUL is none.
 */
bool http_header_value(const char *line, size_t length, const char *name, char *value, size_t size);

#endif
