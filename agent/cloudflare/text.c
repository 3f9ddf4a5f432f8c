/* Foreign words in our messages: clean, short, and without the token. */
#include <string.h>

#include "cloudflare/envelope.h"

/* Length of the UTF-8 sequence at `text`, and its code point; 0 when it is none (RFC 3629). */
static size_t sequence_length(const unsigned char *text, size_t left, uint32_t *ret_point)
{
	size_t length = text[0] < 0x80		   ? 1
			: (text[0] & 0xe0) == 0xc0 ? 2
			: (text[0] & 0xf0) == 0xe0 ? 3
			: (text[0] & 0xf8) == 0xf0 ? 4
						   : 0;
	if (length == 0 || length > left)
		return 0;
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t point = text[0] & first_bits[length];
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (text[i] & 0x3f);
	}
	if (point < lowest[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return 0;
	*ret_point = point;
	return length;
}

/* C1 controls, and the marks that turn the direction of a line around. */
static bool steers_terminal(uint32_t point)
{
	return (point >= 0x7f && point < 0xa0) || (point >= 0x200e && point <= 0x200f) ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

void text_add_clean(struct buffer *out, const char *text, size_t most, const char *secret)
{
	static const char hidden[] = "[token]";
	static const char cut[] = "...";
	size_t secret_length = secret ? strlen(secret) : 0;
	size_t left = strlen(text);
	size_t added = 0;

	while (left > 0) {
		const char *piece = text;
		size_t used = 1;
		size_t length = 1;
		uint32_t point = 0;
		/* The whole text is looked through before anything is cut, so that no part of a
		 * token is left at the cut. */
		if (secret_length > 0 && left >= secret_length &&
		    memcmp(text, secret, secret_length) == 0) {
			piece = hidden;
			length = sizeof(hidden) - 1;
			used = secret_length;
		} else {
			used = sequence_length((const unsigned char *)text, left, &point);
			length = used;
			if (used == 0 || steers_terminal(point)) {
				piece = "?";
				used = used ? used : 1;
				length = 1;
			} else if (point < 0x20) {
				piece = " ";
			}
		}
		if (added + length > most) {
			buffer_add_text(out, cut);
			return;
		}
		buffer_add(out, piece, length);
		added += length;
		text += used;
		left -= used;
	}
}
