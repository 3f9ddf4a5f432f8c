#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void error_clear(struct error *error)
{
	if (error)
		*error = (struct error){0};
}

static int normalise(int code)
{
	if (code == 0)
		return -EIO;
	return code > 0 ? -code : code;
}

/* A message is one line: what came from outside may hold anything. */
static void flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

int error_set(struct error *error, enum error_class class, int code, const char *format, ...)
{
	code = normalise(code);
	if (!error)
		return code;

	/* Formatted aside first: an argument may be the message that is being replaced. */
	struct error fresh = {.class = class, .code = code};
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(fresh.message, sizeof(fresh.message), format, arguments);
	va_end(arguments);
	flatten(fresh.message);
	*error = fresh;
	return code;
}

int error_errno(struct error *error, int code, const char *format, ...)
{
	char what[ERROR_MESSAGE_SIZE];

	code = normalise(code);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	return error_set(error, ERROR_LOCAL, code, "%s: %s", what, strerrordesc_np(-code));
}

int error_remedy(struct error *error, const char *format, ...)
{
	if (!error)
		return -EIO;

	char remedy[ERROR_REMEDY_SIZE];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(remedy, sizeof(remedy), format, arguments);
	va_end(arguments);
	flatten(remedy);
	memcpy(error->remedy, remedy, sizeof(remedy));
	return error->code;
}

int error_prefix(struct error *error, const char *format, ...)
{
	if (!error)
		return -EIO;

	char prefix[ERROR_MESSAGE_SIZE / 2];
	char message[sizeof(error->message)];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(prefix, sizeof(prefix), format, arguments);
	va_end(arguments);
	memcpy(message, error->message, sizeof(message));
	flatten(prefix);
	snprintf(error->message, sizeof(error->message), "%s: %.*s", prefix,
		 (int)(sizeof(message) - strlen(prefix) - 3), message);
	return error->code;
}

static const char *const class_names[] = {
	[ERROR_NONE] = "none",
	[ERROR_TRANSIENT] = "transient",
	[ERROR_CONFIGURATION] = "configuration",
	[ERROR_AUTHORIZATION] = "authorization",
	[ERROR_LOCAL] = "local",
	[ERROR_DEPLOY] = "deploy",
	[ERROR_BUG] = "bug",
};

const char *error_class_name(enum error_class class)
{
	return class_names[class];
}

enum error_class error_class_parse(const char *name)
{
	for (size_t i = 0; name && i < sizeof(class_names) / sizeof(class_names[0]); i++)
		if (strcmp(name, class_names[i]) == 0)
			return (enum error_class)i;
	return ERROR_NONE;
}
