#include "base/words.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"

/* How many bytes the UTF-8 character at `text` has; 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *text, size_t left)
{
	size_t length = text[0] < 0x80	 ? 1
			: text[0] < 0xc2 ? 0
			: text[0] < 0xe0 ? 2
			: text[0] < 0xf0 ? 3
			: text[0] < 0xf5 ? 4
					 : 0;
	if (length == 0 || length > left)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return length;
}

/* U+0000 to U+001F, U+007F to U+009F, line and paragraph separators, and what changes the direction
 * of what follows: U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069. */
static bool steers_terminal(const unsigned char *text, size_t length)
{
	if (length == 1)
		return text[0] < 0x20 || text[0] == 0x7f;
	if (length == 2)
		return text[0] == 0xc2 && text[1] < 0xa0;
	if (length != 3 || text[0] != 0xe2)
		return false;
	return (text[1] == 0x80 &&
		(text[2] == 0x8e || text[2] == 0x8f || (text[2] >= 0xa8 && text[2] <= 0xae))) ||
	       (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9);
}

char *words_clean(const char *text, size_t length, size_t most)
{
	const unsigned char *bytes = (const unsigned char *)text;
	char *clean = memory_alloc((length < most ? length : most) + 1, 1);
	size_t used = 0;

	for (size_t at = 0; at < length;) {
		size_t character = utf8_length(bytes + at, length - at);
		bool plain = character > 0 && !steers_terminal(bytes + at, character);
		size_t size = plain ? character : 1;
		if (used + size > most)
			break;
		if (plain)
			memcpy(clean + used, bytes + at, size);
		else
			clean[used] = (char)(character ? ' ' : '?');
		used += size;
		at += character ? character : 1;
	}
	while (used > 0 && clean[used - 1] == ' ')
		used--;
	clean[used] = '\0';
	return clean;
}
