#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/memory.h"

enum {
	LINE_SIZE = 2048
};

static struct {
	enum log_level most;
	bool journal;
	bool terminal;
	bool progress_shown;
	pthread_mutex_t lock;
} output = {.most = LOG_LEVEL_INFO, .lock = PTHREAD_MUTEX_INITIALIZER};

void log_open(enum log_level most)
{
	output.most = most;
	output.terminal = isatty(STDERR_FILENO) == 1;

	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	unsigned long long device = 0;
	unsigned long long inode = 0;
	output.journal = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
			 fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device &&
			 status.st_ino == inode;
}

static void put(const char *line, size_t length)
{
	ssize_t ignored = write(STDERR_FILENO, line, length);
	(void)ignored; /* there is nowhere else to complain */
}

static void clear_progress(void)
{
	static const char clear[] = "\r\033[K";
	if (output.progress_shown)
		put(clear, sizeof(clear) - 1);
	output.progress_shown = false;
}

static void emit(enum log_level level, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

static void emit(enum log_level level, const char *format, va_list arguments)
{
	if (level > output.most)
		return;

	char line[LINE_SIZE];
	int start = 0;
	if (output.journal)
		start = snprintf(line, sizeof(line), "<%d>", (int)level);
	else if (level <= LOG_LEVEL_WARNING)
		start = snprintf(line, sizeof(line),
				 "%s: ", level <= LOG_LEVEL_ERROR ? "error" : "warning");

	size_t room = sizeof(line) - (size_t)start - 1;
	int length = vsnprintf(line + start, room, format, arguments);
	size_t end = (size_t)start + (length < 0	      ? 0
				      : (size_t)length < room ? (size_t)length
							      : room - 1);
	/* One event is one line, whatever an API or a server put into it. */
	for (size_t i = (size_t)start; i < end; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = ' ';
	line[end++] = '\n';

	pthread_mutex_lock(&output.lock);
	clear_progress();
	put(line, end);
	pthread_mutex_unlock(&output.lock);
}

#define DEFINE_LOG(name, level)                                                                    \
	void name(const char *format, ...)                                                         \
	{                                                                                          \
		va_list arguments;                                                                 \
		va_start(arguments, format);                                                       \
		emit(level, format, arguments);                                                    \
		va_end(arguments);                                                                 \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warning, LOG_LEVEL_WARNING)
DEFINE_LOG(log_notice, LOG_LEVEL_NOTICE)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)

static void emit_plain(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

static void emit_plain(enum log_level level, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	emit(level, format, arguments);
	va_end(arguments);
}

/* False when journald did not take it. */
static bool journal_send(enum log_level level, const char *text, const struct string_list *fields)
{
	static const char identifier[] = "SYSLOG_IDENTIFIER=origin-ca-agent";
	CLEANUP(freep) char *message = string_format("MESSAGE=%s", text);
	for (char *letter = message; *letter; letter++)
		if ((unsigned char)*letter < 0x20)
			*letter = ' ';
	CLEANUP(freep) char *priority = string_format("PRIORITY=%d", (int)level);
	CLEANUP(freep) struct iovec *parts = memory_alloc(fields->count + 3, sizeof(*parts));
	size_t count = 0;
	parts[count++] = (struct iovec){message, strlen(message)};
	parts[count++] = (struct iovec){priority, strlen(priority)};
	parts[count++] = (struct iovec){(void *)(uintptr_t)identifier, sizeof(identifier) - 1};
	for (size_t i = 0; i < fields->count; i++)
		parts[count++] = (struct iovec){fields->items[i], strlen(fields->items[i])};
	return sd_journal_sendv(parts, (int)count) == 0;
}

void log_entry(enum log_level level, const char *text, const struct string_list *fields)
{
	if (level > output.most)
		return;
	if (!output.journal || !fields || !journal_send(level, text, fields))
		emit_plain(level, "%s", text);
}

void log_failure(enum log_level level, const struct error *error)
{
	const char *advice = error_advice(error);

	emit_plain(level, "%s%s%s", error->message, advice[0] ? "; " : "", advice);
}

void log_progress(const char *format, ...)
{
	if (!output.terminal)
		return;

	char line[200];
	int start = snprintf(line, sizeof(line), "\r\033[K");
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(line + start, sizeof(line) - (size_t)start, format, arguments);
	va_end(arguments);

	pthread_mutex_lock(&output.lock);
	put(line, strlen(line));
	output.progress_shown = line[start] != '\0';
	pthread_mutex_unlock(&output.lock);
}
