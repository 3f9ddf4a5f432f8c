/* Where templates come from: the user's directory before the packaged one. */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "target/template.h"

static int load_path(const char *path, struct buffer *text, char **ret_path, struct error *error)
{
	struct buffer read = BUFFER(TEMPLATE_LIMIT);
	int result = file_read(path, &read, error);
	if (result == -EFBIG) {
		error_set(error, ERROR_CONFIGURATION, result,
			  "cannot use template %s: larger than %d bytes", path, TEMPLATE_LIMIT);
		error_remedy(error, "this is something else: put the template there");
		return result;
	}
	if (result == -EACCES && error) {
		error->class = ERROR_CONFIGURATION;
		return error_remedy(error,
				    "let the agent's user read it, and enter its directories");
	}
	if (result == -EISDIR && error) {
		error->class = ERROR_CONFIGURATION;
		return error_remedy(error, "put the template there, a file");
	}
	if (result < 0)
		return result;
	buffer_free(text);
	int added = buffer_add(text, buffer_text(&read), read.length);
	buffer_free(&read);
	if (added < 0) {
		text->failed = false;
		return error_set(error, ERROR_CONFIGURATION, -EFBIG,
				 "cannot use template %s: larger than %zu bytes", path,
				 text->limit);
	}
	if (ret_path)
		*ret_path = string_copy(path);
	return 0;
}

int template_load(const char *name, const struct string_list *directories, struct buffer *text,
		  char **ret_path, struct error *error)
{
	if (name[0] == '/') {
		int result = load_path(name, text, ret_path, error);
		if (result == -ENOENT)
			return error_set(error, ERROR_CONFIGURATION, result,
					 "there is no template %s", name);
		return result;
	}
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/'))
		return error_set(error, ERROR_CONFIGURATION, -EINVAL,
				 "\"%s\" is no name of a template: it is an absolute path, or a "
				 "file's name without directory and without .mustache",
				 name);
	for (size_t i = 0; i < directories->count; i++) {
		CLEANUP(freep)
		char *path = string_format("%s/%s.mustache", directories->items[i], name);
		int result = load_path(path, text, ret_path, error);
		if (result != -ENOENT && result != -ENOTDIR)
			return result;
		error_clear(error);
	}
	CLEANUP(freep) char *looked = string_list_join(directories, " or ");
	error_set(error, ERROR_CONFIGURATION, -ENOENT, "there is no template %s.mustache in %s",
		  name, looked);
	return error_remedy(error, "put it there, or name another one with `template =`");
}
