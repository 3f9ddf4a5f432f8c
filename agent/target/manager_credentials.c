#include "target/manager_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

enum {
	CREDENTIALS_LIMIT = 4096
};

static const char line_remedy[] =
	"its first line must be USER:PASSWORD, of a user with the role manager-script in "
	"tomcat-users.xml";

void manager_credentials_free(struct manager_credentials *credentials)
{
	free(credentials->user);
	secret_free(credentials->password);
	*credentials = (struct manager_credentials){0};
}

static int refuse(const char *path, int code, const char *what, struct error *error)
{
	error_set(error, ERROR_CONFIGURATION, code, "credentials of Tomcat's manager %s: %s", path,
		  what);
	return error_remedy(error, "%s", line_remedy);
}

static int access_check(const char *path, const struct stat *status, struct error *error)
{
	if (!S_ISREG(status->st_mode))
		return refuse(path, -EINVAL, "not a regular file", error);
	/* A group may read what root lets it read; nobody else may, and nobody may write. */
	mode_t forbidden = status->st_uid == 0 ? 037 : 077;
	if (!(status->st_mode & forbidden))
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EPERM,
		  "credentials of Tomcat's manager %s: mode %04o lets others read or change it",
		  path, (unsigned)(status->st_mode & 07777));
	return error_remedy(error,
			    "chmod 0600 %s (or root-owned, 0640 with the agent's group); and "
			    "choose another password, as others could read this one",
			    path);
}

static int file_open(const char *path, int *ret_fd, struct error *error)
{
	/* O_NONBLOCK: a FIFO must not hang the pass before it is refused. */
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		int code = -errno;
		error_set(error, ERROR_CONFIGURATION, code,
			  "cannot open credentials of Tomcat's manager %s: %s", path,
			  strerrordesc_np(-code));
		if (code == -EACCES)
			return error_remedy(error, "make it readable to the user that the agent "
						   "runs as");
		return error_remedy(error, "write it, with mode 0600; %s", line_remedy);
	}
	int result = access_check(path, &status, error);
	if (result == 0)
		*ret_fd = TAKE_FD(fd);
	return result;
}

static int contents_read(const char *path, struct buffer *contents, struct error *error)
{
	CLEANUP(closep) int fd = -1;
	int result = file_open(path, &fd, error);
	if (result < 0)
		return result;

	char bytes[CREDENTIALS_LIMIT + 1];
	ssize_t got;
	do {
		got = read(fd, bytes, sizeof(bytes) - contents->length);
		if (got > 0)
			buffer_add(contents, bytes, (size_t)got);
		else if (got < 0 && errno != EINTR)
			result = -errno;
	} while (result == 0 && got != 0 && contents->length < sizeof(bytes));
	explicit_bzero(bytes, sizeof(bytes));
	if (result < 0)
		return error_errno(error, result, "cannot read credentials of Tomcat's manager %s",
				   path);
	return contents->length > CREDENTIALS_LIMIT
		       ? refuse(path, -EFBIG, "larger than 4096 bytes", error)
		       : 0;
}

static int line_split(const char *path, const char *text, size_t length,
		      struct manager_credentials *ret_credentials, struct error *error)
{
	if (length == 0)
		return refuse(path, -EINVAL, "its first line is empty", error);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return refuse(path, -EINVAL, "its first line holds a control character",
				      error);
	/* A password may have colons, a user's name cannot (RFC 7617, 2). */
	const char *colon = memchr(text, ':', length);
	if (!colon || colon == text)
		return refuse(path, -EINVAL, "its first line is not USER:PASSWORD", error);
	ret_credentials->user = string_copy_n(text, (size_t)(colon - text));
	ret_credentials->password = string_copy_n(colon + 1, length - (size_t)(colon + 1 - text));
	return 0;
}

int manager_credentials_read(const struct config_target *target,
			     struct manager_credentials *ret_credentials, struct error *error)
{
	const char *path = target->manager_credentials_file;
	struct buffer contents = BUFFER(CREDENTIALS_LIMIT + 1);
	if (!path)
		return error_set(error, ERROR_BUG, -EINVAL,
				 "target %s has no manager_credentials_file", target->name);
	int result = contents_read(path, &contents, error);
	if (result == 0) {
		const char *text = buffer_text(&contents);
		const char *end = memchr(text, '\n', contents.length);
		size_t length = end ? (size_t)(end - text) : contents.length;
		if (length > 0 && text[length - 1] == '\r')
			length--;
		result = line_split(path, text, length, ret_credentials, error);
	}
	buffer_wipe(&contents);
	return result;
}
