#include "cloudflare/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/paths.h"

static const char token_name[] = "api-token";

static char *default_path(void)
{
	const char *slash = strrchr(path_config_file, '/');
	return string_format("%.*s/%s", slash ? (int)(slash - path_config_file) : 0,
			     path_config_file, token_name);
}

char *token_path(const struct config_api *api)
{
	if (api->token_file)
		return string_copy(api->token_file);

	const char *credentials = secure_getenv("CREDENTIALS_DIRECTORY");
	if (credentials && credentials[0] == '/') {
		char *path = string_format("%s/%s", credentials, token_name);
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return default_path();
}

/* systemd shows a credential with group bits (they are the mask of its access list). */
bool token_is_credential(const char *path)
{
	const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
	size_t length = directory ? strlen(directory) : 0;
	return length > 1 && strncmp(path, directory, length) == 0 && path[length] == '/' &&
	       !strstr(path, "/../");
}

static int access_check(const char *path, const struct stat *status, struct error *error)
{
	if (!S_ISREG(status->st_mode)) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL, "API token %s: not a regular file",
			  path);
		error_remedy(error, "put the token, and nothing else, into a file and name "
				    "it with token_file");
		return -EINVAL;
	}
	if (token_is_credential(path))
		return 0;
	mode_t forbidden = status->st_uid == 0 ? 037 : 077;
	if (!(status->st_mode & forbidden))
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EPERM,
		  "API token %s: mode %04o lets others read or change it", path,
		  (unsigned)(status->st_mode & 07777));
	error_remedy(error,
		     "chmod 0600 %s (or root-owned, 0640 with the agent's group); who could read "
		     "it should not keep a valid token: roll it",
		     path);
	return -EPERM;
}

/* Reads at most one byte more than allowed, so that a too large file shows. */
static int contents_read(const char *path, struct buffer *contents, struct error *error)
{
	/* O_NONBLOCK: a FIFO must not hang the pass before it is refused. */
	CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT) {
		error_set(error, ERROR_CONFIGURATION, -ENOENT, "API token %s: %s", path,
			  strerrordesc_np(ENOENT));
		error_remedy(error,
			     "make a token with the permission Zone > SSL and Certificates > Edit "
			     "at dash.cloudflare.com/profile/api-tokens, write it to %s with mode "
			     "0600, or name its file with token_file in [api]",
			     path);
		return -ENOENT;
	}
	if (fd < 0) {
		int result = error_errno(error, -errno, "cannot open API token %s", path);
		CLEANUP(freep) char *root_only = default_path();
		if (result == -EACCES && strcmp(path, root_only) == 0)
			error_remedy(error, "run this as root: only root and the service are given "
					    "the token of that file");
		else if (result == -EACCES)
			error_remedy(error, "make it readable to the user that the agent runs as "
					    "(chown, or root-owned with the agent's group and mode "
					    "0640)");
		return result;
	}
	struct stat status;
	if (fstat(fd, &status) < 0)
		return error_errno(error, -errno, "cannot stat API token %s", path);
	int result = access_check(path, &status, error);
	if (result < 0)
		return result;

	char bytes[TOKEN_SIZE_LIMIT + 1];
	ssize_t length = 0;
	do {
		length = read(fd, bytes, sizeof(bytes) - contents->length);
		if (length < 0 && errno == EINTR)
			continue;
		if (length > 0)
			buffer_add(contents, bytes, (size_t)length);
	} while (length > 0 || (length < 0 && errno == EINTR));
	int saved = errno;
	explicit_bzero(bytes, sizeof(bytes));
	return length < 0 ? error_errno(error, -saved, "cannot read API token %s", path) : 0;
}

static int refuse(struct error *error, const char *path, const char *what, const char *remedy)
{
	error_set(error, ERROR_AUTHORIZATION, -EINVAL, "API token %s: %s", path, what);
	error_remedy(error, "%s", remedy);
	return -EINVAL;
}

/* Our units hand over an empty line when there is no file, so that the service starts. */
static int credential_missing(struct error *error, const char *make)
{
	CLEANUP(freep) char *path = default_path();
	error_set(error, ERROR_CONFIGURATION, -ENOENT,
		  "there is no API token: %s was missing or empty when the service started", path);
	error_remedy(error, "%s, write it to %s with mode 0600, and restart the service", make,
		     path);
	return -ENOENT;
}

static int token_check(const char *token, size_t length, const char *path, struct error *error)
{
	static const char whole[] = "the file must hold the token alone, on one line, as the "
				    "dashboard showed it: no quotes, no \"Bearer\", no comment";
	static const char make[] = "make an API token with the permission Zone > SSL and "
				   "Certificates > Edit at dash.cloudflare.com/profile/api-tokens";

	if (length == 0 && token_is_credential(path))
		return credential_missing(error, make);
	if (length == 0)
		return refuse(error, path, "is empty", make);
	if (length > TOKEN_SIZE_LIMIT)
		return refuse(error, path, "is larger than 4096 bytes", whole);
	if (memchr(token, '\n', length) || memchr(token, '\r', length))
		return refuse(error, path, "holds more than one line", whole);
	/* A header's value: anything else would be refused, or would end the header. */
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)token[i] <= 0x20 || (unsigned char)token[i] >= 0x7f)
			return refuse(error, path, "holds a space or a character that no token has",
				      whole);
	if (token[0] == '"' || token[0] == '\'')
		return refuse(error, path, "starts with a quote", whole);
	if (string_starts(token, "v1.0-"))
		return refuse(error, path,
			      "is an Origin CA key; Cloudflare ended these on 2026-09-30", make);
	if (string_starts(token, "cfk_"))
		return refuse(error, path, "is a Global API key, which this API does not take",
			      make);
	return 0;
}

/* Read beforehand by root. */
static int token_given(const struct config_token *given, char **ret_token, struct error *error)
{
	if (given->text) {
		*ret_token = string_copy(given->text);
		return 0;
	}
	if (error)
		*error = given->error;
	return given->error.code;
}

int token_take(const char *text, size_t length, const char *path, char **ret_token,
	       struct error *error)
{
	while (length > 0 && length <= TOKEN_SIZE_LIMIT && strchr(" \t\r\n", text[length - 1]) &&
	       text[length - 1])
		length--;
	int result = token_check(text, length, path, error);
	if (result == 0)
		*ret_token = string_copy_n(text, length);
	return result;
}

int token_read(const struct config_api *api, char **ret_token, struct error *error)
{
	if (api->token)
		return token_given(api->token, ret_token, error);
	CLEANUP(freep) char *path = token_path(api);
	struct buffer contents = BUFFER(TOKEN_SIZE_LIMIT + 1);

	int result = contents_read(path, &contents, error);
	if (result == 0)
		result =
			token_take(buffer_text(&contents), contents.length, path, ret_token, error);
	buffer_wipe(&contents);
	return result;
}
