#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

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

/* What the system said of this host is known better than its class. */
static const struct {
	int code;
	const char *words;
} local_advice[] = {
	{-ENOSPC, "free space on that file system; the next pass goes on"},
	{-EDQUOT, "free space, or raise the quota of the agent's user; the next pass goes on"},
	{-EACCES, "let the agent's user: owner and mode of what is named, and of the directories "
		  "above it; `origin-ca-agent check` looks at them"},
	{-EPERM, "let the agent's user: owner and mode of what is named, and of the directories "
		 "above it; `origin-ca-agent check` looks at them"},
	{-EROFS, "it is read-only, for the service perhaps by its unit alone: ReadWritePaths= "
		 "(systemctl edit origin-ca-agent)"},
	{-ENOENT, "put back what is named, or correct its path in the configuration"},
	{-ENOMEM, "give this host, or the unit by MemoryMax=, more memory"},
	{-EMFILE, "raise LimitNOFILE= of the unit (systemctl edit origin-ca-agent)"},
	{-ENFILE, "raise fs.file-max (sysctl)"},
	{-EIO, "`journalctl -k` tells whether this host's disk or memory is at fault"},
};

static const char *const class_advice[] = {
	[ERROR_NONE] = "",
	[ERROR_TRANSIENT] = "",
	[ERROR_CONFIGURATION] = "correct that in the configuration; `origin-ca-agent check` tells "
				"whether it is right then",
	[ERROR_AUTHORIZATION] =
		"put a token that may do this into the token file (Zone > SSL and Certificates > "
		"Edit, Zone > Zone > Read); `origin-ca-agent check` tries it",
	[ERROR_LOCAL] = "put right on this host what the message says; the agent tries again every "
			"few minutes",
	[ERROR_DEPLOY] = "see the server's own log for why; `origin-ca-agent probe` shows what it "
			 "serves now",
	[ERROR_BUG] = "this should not be possible: please report it, with the lines around it of "
		      "`journalctl -u origin-ca-agent`; the agent tries again",
};

const char *error_advice(const struct error *error)
{
	if (error->remedy[0])
		return error->remedy;
	for (size_t i = 0; error->class == ERROR_LOCAL && i < ARRAY_SIZE(local_advice); i++)
		if (local_advice[i].code == error->code)
			return local_advice[i].words;
	return class_advice[error->class];
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
