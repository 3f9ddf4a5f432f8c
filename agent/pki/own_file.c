#include "pki/own_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"

/* Who could not read it: "origin-ca (user 998)". */
static const char *user_describe(char *text, size_t size)
{
	char strings[4096];
	struct passwd entry;
	struct passwd *found = NULL;
	uid_t user = geteuid();
	if (getpwuid_r(user, &entry, strings, sizeof(strings), &found) == 0 && found)
		snprintf(text, size, "%.100s (user %lu)", found->pw_name, (unsigned long)user);
	else
		snprintf(text, size, "user %lu", (unsigned long)user);
	return text;
}

static void explain(int result, const char *path, const char *what, size_t limit,
		    struct error *error)
{
	char user[160];
	switch (result) {
	case -ENOENT:
	case -ENOTDIR:
		error_remedy(error, "put %s there, or correct the path", what);
		break;
	case -EACCES:
	case -EPERM:
		error_remedy(error, "let %s read it and pass its directories (namei -l %s)",
			     user_describe(user, sizeof(user)), path);
		break;
	case -EISDIR:
	case -EINVAL:
	case -ELOOP:
	case -ENXIO:
		error_remedy(error, "name a regular file that holds %s", what);
		break;
	default:
		error_remedy(error, "name a file of at most %zu bytes that holds %s", limit, what);
	}
}

int own_file_read(const char *path, const char *what, struct buffer *contents, mode_t *ret_mode,
		  struct error *error)
{
	static const int cured[] = {-ENOENT, -ENOTDIR, -EACCES, -EPERM, -EISDIR,
				    -EINVAL, -ELOOP,   -ENXIO,	-EFBIG};
	mode_t mode = 0;
	if (path[0] != '/') {
		error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s: not an absolute path", path);
		return error_remedy(error, "write the path of %s from / on", what);
	}
	int result = file_read_linked_at(AT_FDCWD, path, path, contents, &mode, error);
	for (size_t i = 0; i < ARRAY_SIZE(cured); i++)
		if (result == cured[i]) {
			if (error)
				error->class = ERROR_CONFIGURATION;
			explain(result, path, what, contents->limit, error);
		}
	if (result == 0 && ret_mode)
		*ret_mode = mode;
	return result;
}
