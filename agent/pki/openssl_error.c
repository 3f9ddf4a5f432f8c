#include "pki/openssl_error.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>

int openssl_error(struct error *error, enum error_class class, int code, const char *format, ...)
{
	char what[ERROR_MESSAGE_SIZE / 2];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);

	char words[256] = "OpenSSL gives no reason";
	const char *data = "";
	int flags = 0;
	unsigned long newest = ERR_peek_last_error_data(&data, &flags);
	if (newest != 0)
		ERR_error_string_n(newest, words, sizeof(words));
	if (!data || !(flags & ERR_TXT_STRING))
		data = "";
	int result = error_set(error, class, code, "%s: %s%s%.200s", what, words,
			       data[0] ? ": " : "", data);
	ERR_clear_error();
	return result;
}
