#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void __attribute__((noreturn)) out_of_memory(void)
{
	static const char message[] = "out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, message, sizeof(message) - 1);
	(void)ignored;
	_exit(1);
}

void *memory_alloc(size_t count, size_t size)
{
	void *block = calloc(count ? count : 1, size ? size : 1);
	if (!block)
		out_of_memory();
	return block;
}

void *memory_resize(void *block, size_t count, size_t size)
{
	void *resized = reallocarray(block, count ? count : 1, size ? size : 1);
	if (!resized)
		out_of_memory();
	return resized;
}

void *memory_grow(void *block, size_t count, size_t size)
{
	if (count == 0)
		return memory_resize(block, 4, size);
	if (count < 4 || (count & (count - 1)) != 0)
		return block;
	return memory_resize(block, count * 2, size);
}

char *string_copy(const char *text)
{
	return text ? string_copy_n(text, strlen(text)) : NULL;
}

char *string_copy_n(const char *text, size_t length)
{
	length = strnlen(text, length);
	char *copy = memory_alloc(length + 1, 1);
	memcpy(copy, text, length);
	return copy;
}

char *string_format(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	va_start(arguments, format);
	int length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0 || !text)
		out_of_memory();
	return text;
}

int string_starts(const char *text, const char *part)
{
	return strncmp(text, part, strlen(part)) == 0;
}

int string_ends(const char *text, const char *part)
{
	size_t length = strlen(text);
	size_t tail = strlen(part);
	return length >= tail && strcmp(text + length - tail, part) == 0;
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
