#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

DEFINE_CLEANUP(FILE *, fclose)

/* Visits each whole line; gives the length of what is whole. */
static off_t read_lines(FILE *file, journal_visit *visit, void *context)
{
	CLEANUP(freep) char *line = NULL;
	size_t allocated = 0;
	off_t whole = 0;
	ssize_t length = 0;
	while ((length = getline(&line, &allocated, file)) > 0 && line[length - 1] == '\n') {
		whole += length;
		CLEANUP(cJSON_Deletep) cJSON *value = json_parse(line, (size_t)length);
		if (cJSON_IsObject(value))
			visit(value, context);
	}
	return whole;
}

int journal_open(int directory, const char *where, const char *name, journal_visit *visit,
		 void *context, int *ret_fd, struct error *error)
{
	CLEANUP(closep)
	int fd =
		openat(directory, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(error, -errno, "cannot open %s/%s", where, name);
	if (visit) {
		int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		CLEANUP(fclosep) FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
		if (!file) {
			int result = -errno;
			if (copy >= 0)
				close(copy);
			return error_errno(error, result, "cannot read %s/%s", where, name);
		}
		if (ftruncate(fd, read_lines(file, visit, context)) < 0)
			return error_errno(error, -errno, "cannot repair %s/%s", where, name);
	}
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int journal_append(int fd, const cJSON *line)
{
	CLEANUP(freep) char *text = json_print(line, false);
	size_t length = strlen(text);
	off_t before = lseek(fd, 0, SEEK_END);
	ssize_t written = write(fd, text, length);
	if (written == (ssize_t)length)
		return 0;
	int result = written < 0 ? -errno : -ENOSPC;
	/* Half a line would spoil the next one. */
	if (written > 0 && before >= 0 && ftruncate(fd, before) < 0)
		return -errno;
	return result;
}
