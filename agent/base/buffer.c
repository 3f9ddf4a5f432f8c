#include "base/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Not realloc(): what it leaves behind could hold a key. */
static void resize(struct buffer *buffer, size_t wanted)
{
	if (wanted > buffer->limit + 1)
		wanted = buffer->limit + 1;
	char *grown = memory_alloc(wanted, 1);
	if (buffer->data) {
		memcpy(grown, buffer->data, buffer->length);
		explicit_bzero(buffer->data, buffer->length);
		free(buffer->data);
	}
	buffer->data = grown;
	buffer->allocated = wanted;
}

void buffer_reserve(struct buffer *buffer, size_t length)
{
	size_t left = buffer->limit - buffer->length;
	size_t wanted = buffer->length + (length < left ? length : left) + 1;
	if (!buffer->failed && wanted > buffer->allocated)
		resize(buffer, wanted);
}

int buffer_add(struct buffer *buffer, const void *data, size_t length)
{
	if (buffer->failed || length > buffer->limit - buffer->length) {
		buffer->failed = true;
		return -EMSGSIZE;
	}
	if (buffer->length + length + 1 > buffer->allocated) {
		size_t wanted = buffer->allocated ? buffer->allocated * 2 : 256;
		while (wanted < buffer->length + length + 1)
			wanted *= 2;
		resize(buffer, wanted);
	}
	if (length)
		memcpy(buffer->data + buffer->length, data, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
	return 0;
}

int buffer_add_text(struct buffer *buffer, const char *text)
{
	return buffer_add(buffer, text, strlen(text));
}

int buffer_add_format(struct buffer *buffer, const char *format, ...)
{
	char small[512];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(small, sizeof(small), format, arguments);
	va_end(arguments);
	if (length < 0) {
		buffer->failed = true;
		return -EINVAL;
	}
	if ((size_t)length < sizeof(small))
		return buffer_add(buffer, small, (size_t)length);

	char *large = memory_alloc((size_t)length + 1, 1);
	va_start(arguments, format);
	vsnprintf(large, (size_t)length + 1, format, arguments);
	va_end(arguments);
	int result = buffer_add(buffer, large, (size_t)length);
	free(large);
	return result;
}

const char *buffer_text(const struct buffer *buffer)
{
	return buffer->data ? buffer->data : "";
}

char *buffer_take(struct buffer *buffer)
{
	char *data = buffer->data ? buffer->data : memory_alloc(1, 1);
	*buffer = (struct buffer){.limit = buffer->limit};
	return data;
}

void buffer_free(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){.limit = buffer->limit};
}

void buffer_wipe(struct buffer *buffer)
{
	if (buffer->data)
		explicit_bzero(buffer->data, buffer->allocated);
	buffer_free(buffer);
}
