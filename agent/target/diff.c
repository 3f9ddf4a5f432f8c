#include "target/diff.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/words.h"
#include "target/process.h"

enum {
	TIMEOUT_MS = 10 * 1000,
	OUTPUT_LIMIT = 4 << 20, /* of diff(1): two snippets of the largest size, and more */
	LINE_LIMIT = 4000,	/* bytes that are shown of one line */
};

/* The second is where systems without a merged /usr have it. */
static const char *const programs[] = {"/usr/bin/diff", "/bin/diff"};

static void collect(const char *data, size_t length, void *context)
{
	buffer_add(context, data, length);
}

/* A file without a name that holds these bytes. */
static int memory_file(const struct buffer *text, int *ret_fd, struct error *error)
{
	CLEANUP(closep) int fd = memfd_create("snippet", MFD_CLOEXEC);
	if (fd < 0)
		return error_errno(error, -errno, "cannot compare: memfd_create");
	for (size_t done = 0; text && done < text->length;) {
		ssize_t written = write(fd, text->data + done, text->length - done);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return error_errno(error, -errno, "cannot compare: write to memory");
		done += (size_t)written;
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Line by line without control characters: it goes to a terminal. All or nothing of a line. */
static int lines_add(struct buffer *text, const struct buffer *output, struct error *error)
{
	struct buffer clean = BUFFER(OUTPUT_LIMIT + (OUTPUT_LIMIT >> 1));
	const char *at = buffer_text(output);
	const char *end = at + output->length;

	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((stop ? stop : end) - at);
		CLEANUP(freep) char *line = words_clean(at, length, LINE_LIMIT);
		buffer_add_text(&clean, line);
		buffer_add(&clean, "\n", 1);
		at += length + 1;
	}
	int result = clean.failed ? -EMSGSIZE : buffer_add(text, clean.data, clean.length);
	buffer_wipe(&clean);
	if (result == 0)
		return 0;
	text->failed = false;
	return error_set(error, ERROR_LOCAL, -EMSGSIZE,
			 "cannot show the difference: it is larger than %zu bytes", text->limit);
}

static int diff_run(const char *before_label, const char *after_label, const int *files,
		    struct buffer *output, int *ret_status)
{
	/* Options that GNU's and busybox's diff both know. Tabs are expanded as they would be taken
	 * for control characters, and the columns would move. */
	const char *arguments[] = {NULL,
				   "-u",
				   "-a",
				   "-t",
				   "-L",
				   before_label,
				   "-L",
				   after_label,
				   "/proc/self/fd/3",
				   "/proc/self/fd/4",
				   NULL};
	static const char *const environment[] = {"LC_ALL=C", NULL};
	struct process process = {
		.arguments = arguments,
		.environment = environment,
		.descriptors = files,
		.descriptor_count = 2,
		.timeout_ms = TIMEOUT_MS,
		.output = collect,
		.context = output,
	};
	int result = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(programs) && result == -ENOENT; i++) {
		arguments[0] = programs[i];
		result = process_run(&process, ret_status);
	}
	return result;
}

static int run_error(const char *path, int result, struct error *error)
{
	if (result == -ETIMEDOUT)
		return error_set(error, ERROR_LOCAL, result,
				 "cannot compare %s: diff did not end within %d s", path,
				 TIMEOUT_MS / 1000);
	error_errno(error, result, "cannot compare %s: %s", path, programs[0]);
	return result == -ENOENT ? error_remedy(error, "install diffutils") : result;
}

static int trouble(const char *path, int status, const struct buffer *output, struct error *error)
{
	CLEANUP(freep)
	char *said = words_clean(buffer_text(output), output->length, 300);
	return error_set(error, ERROR_LOCAL, -EIO, "cannot compare %s: diff ended with %s %d: %s",
			 path, WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), said);
}

int diff_unified(const char *path, const struct buffer *before, const struct buffer *after,
		 struct buffer *text, struct error *error)
{
	if (before && before->length == after->length &&
	    memcmp(buffer_text(before), buffer_text(after), after->length) == 0)
		return 0;

	CLEANUP(closep) int before_file = -1;
	CLEANUP(closep) int after_file = -1;
	int result = memory_file(before, &before_file, error);
	if (result == 0)
		result = memory_file(after, &after_file, error);
	if (result < 0)
		return result;

	CLEANUP(freep)
	char *before_label =
		before ? string_format("%s (in place)", path) : string_copy("/dev/null");
	CLEANUP(freep) char *after_label = string_format("%s (new)", path);
	const int files[] = {before_file, after_file};
	struct buffer output = BUFFER(OUTPUT_LIMIT);
	int status = 0;
	result = diff_run(before_label, after_label, files, &output, &status);
	if (result < 0)
		result = run_error(path, result, error);
	else if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		result = trouble(path, status, &output, error);
	else if (output.failed)
		result = error_set(error, ERROR_LOCAL, -EMSGSIZE,
				   "cannot compare %s: the difference is larger than %d bytes",
				   path, OUTPUT_LIMIT);
	else
		result = lines_add(text, &output, error);
	buffer_wipe(&output);
	return result;
}
