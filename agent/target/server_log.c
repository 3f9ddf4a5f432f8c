#include "target/server_log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/words.h"
#include "target/kind.h"

enum {
	READ_LIMIT = 32 << 10, /* bytes behind the mark */
	LINES = 3,
	LINE_LENGTH = 300, /* bytes of each */
};

void server_log_mark(enum target_type type, struct server_log *ret_log)
{
	const struct target_kind *kind = target_kind(type);
	struct stat status;
	*ret_log = (struct server_log){.fd = -1};
	for (size_t i = 0; i < kind->log_count; i++) {
		/* A directory that we may not enter may have it; a FIFO must not hang us. */
		ret_log->path = kind->logs[i];
		ret_log->fd = open(kind->logs[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (ret_log->fd < 0)
			continue;
		if (fstat(ret_log->fd, &status) == 0 && S_ISREG(status.st_mode)) {
			ret_log->offset = status.st_size;
			return;
		}
		closep(&ret_log->fd);
	}
}

/* "[Sun Nov 22 23:57:25 2026] [ssl:emerg] [pid 7:tid 7] AH02565: ..." */
static bool tells_error(const char *line)
{
	static const char *const ranks[] = {":emerg]", ":alert]", ":crit]", ":error]"};
	for (size_t i = 0; i < ARRAY_SIZE(ranks); i++)
		if (strstr(line, ranks[i]))
			return true;
	return false;
}

void server_log_explain(const struct server_log *log, struct buffer *text)
{
	char bytes[READ_LIMIT];
	if (log->fd < 0)
		return;
	ssize_t length = pread(log->fd, bytes, sizeof(bytes), log->offset);
	size_t told = 0;
	for (ssize_t at = 0; at < length && told < LINES;) {
		const char *end = memchr(bytes + at, '\n', (size_t)(length - at));
		size_t size = end ? (size_t)(end - bytes - at) : (size_t)(length - at);
		CLEANUP(freep) char *line = words_clean(bytes + at, size, LINE_LENGTH);
		at += (ssize_t)size + 1;
		if (!tells_error(line))
			continue;
		buffer_add_format(text, "%s%s", told++ ? " | " : "", line);
	}
}

void server_log_close(struct server_log *log)
{
	closep(&log->fd);
}
