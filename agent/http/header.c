#include "http/header.h"

#include <string.h>
#include <strings.h>

bool http_header_value(const char *line, size_t length, const char *name, char *value, size_t size)
{
	size_t name_length = strlen(name);
	if (length <= name_length || line[name_length] != ':' ||
	    strncasecmp(line, name, name_length) != 0)
		return false;
	const char *start = line + name_length + 1;
	const char *end = line + length;
	while (start < end && (*start == ' ' || *start == '\t'))
		start++;
	while (end > start && (unsigned char)end[-1] <= ' ')
		end--;
	if ((size_t)(end - start) >= size || memchr(start, '\0', (size_t)(end - start)))
		return false;
	memcpy(value, start, (size_t)(end - start));
	value[end - start] = '\0';
	return true;
}
