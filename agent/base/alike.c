#include "base/alike.h"

#include <stddef.h>
#include <string.h>

static bool is_digit(char letter)
{
	return letter >= '0' && letter <= '9';
}

static bool is_word(char letter)
{
	return is_digit(letter) || (letter >= 'a' && letter <= 'z') ||
	       (letter >= 'A' && letter <= 'Z') || letter == '-';
}

/* The length of the word at `text`, and whether it has a digit. */
static size_t word_length(const char *text, bool *ret_digit)
{
	size_t length = 0;
	*ret_digit = false;
	for (; is_word(text[length]); length++)
		*ret_digit |= is_digit(text[length]);
	return length;
}

bool words_alike(const char *one, const char *other)
{
	if (!one || !other)
		return one == other;
	while (*one && *other) {
		bool one_digit;
		bool other_digit;
		size_t one_length = word_length(one, &one_digit);
		size_t other_length = word_length(other, &other_digit);
		if (one_digit != other_digit)
			return false;
		if (!one_digit) {
			/* What is no word is compared letter by letter. */
			size_t length = one_length ? one_length : 1;
			if (one_length != other_length || strncmp(one, other, length) != 0)
				return false;
			one_length = other_length = length;
		}
		one += one_length;
		other += other_length;
	}
	return *one == *other;
}
