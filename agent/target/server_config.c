#include "target/server_config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

enum {
	UNREAD_LIMIT = 20
};

const char *const server_config_directories[] = {
	"/etc/nginx",
	"/etc/apache2",
	"/etc/httpd",
	"/etc/haproxy",
	"/etc/tomcat10",
	"/etc/tomcat9",
	"/etc/tomcat",
	"/etc/lighttpd",
	"/usr/local/nginx/conf",
	"/usr/local/etc",
	"/usr/local/apache2/conf",
	NULL,
};

struct walk {
	server_config_visit *visit;
	void *context;
	struct string_list *unread;
	unsigned entries;
};

static void unread_note(const struct walk *walk, const char *path)
{
	if (walk->unread && walk->unread->count < UNREAD_LIMIT)
		string_list_add(walk->unread, path);
}

static int file_walk(struct walk *walk, const char *path)
{
	CLEANUP(buffer_wipe) struct buffer contents = BUFFER(FILE_LIMIT);
	int result = file_read(path, &contents, NULL);
	if (result < 0) {
		if (result == -EACCES || result == -EPERM)
			unread_note(walk, path);
		return 0;
	}
	char *text = contents.data;
	/* Something binary is no configuration. */
	if (!text || memchr(text, '\0', contents.length))
		return 0;
	result = 0;
	for (unsigned line = 1; text && result == 0; line++) {
		char *end = strchr(text, '\n');
		if (end)
			*end = '\0';
		result = walk->visit(path, line, text, walk->context);
		text = end ? end + 1 : NULL;
	}
	return result;
}

static int directory_walk_files(struct walk *walk, const char *path, unsigned depth);

static int entry_walk(struct walk *walk, const char *directory, const char *name, unsigned depth)
{
	char path[PATH_MAX];
	struct stat status;
	if (name[0] == '.' || string_ends(name, "-available") || string_ends(name, "~"))
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path) ||
	    lstat(path, &status) < 0)
		return 0;
	if (S_ISDIR(status.st_mode))
		return depth < SERVER_CONFIG_DEPTH ? directory_walk_files(walk, path, depth + 1)
						   : 0;
	/* Enabled sites are links; a linked directory could lead in a circle. */
	if (S_ISLNK(status.st_mode) && (stat(path, &status) < 0 || !S_ISREG(status.st_mode)))
		return 0;
	return S_ISREG(status.st_mode) ? file_walk(walk, path) : 0;
}

static int directory_walk_files(struct walk *walk, const char *path, unsigned depth)
{
	DIR *listing = opendir(path);
	if (!listing) {
		if (errno == EACCES || errno == EPERM)
			unread_note(walk, path);
		return 0;
	}
	int result = 0;
	const struct dirent *entry;
	while (result == 0 && walk->entries++ < SERVER_CONFIG_FILES && (entry = readdir(listing)))
		result = entry_walk(walk, path, entry->d_name, depth);
	closedir(listing);
	return result;
}

int server_config_walk(const char *const *directories, server_config_visit *visit, void *context,
		       struct string_list *unread)
{
	struct walk walk = {.visit = visit, .context = context, .unread = unread};
	int result = 0;
	for (size_t i = 0; directories[i] && result == 0; i++)
		result = directory_walk_files(&walk, directories[i], 0);
	return result;
}

struct search {
	const char *text;
	bool read; /* some line of some file */
};

static int search_line(const char *path, unsigned line, const char *text, void *context)
{
	(void)path;
	(void)line;
	struct search *search = context;
	search->read = true;
	return text[strspn(text, " \t")] != '#' && strstr(text, search->text) ? 1 : 0;
}

int server_config_names(const char *const *directories, const char *text)
{
	struct search search = {.text = text};
	struct string_list unread = {0};
	int result = server_config_walk(directories, search_line, &search, &unread);
	if (result == 0 && unread.count)
		result = -EACCES;
	else if (result == 0 && !search.read)
		result = -ENOENT;
	string_list_free(&unread);
	return result;
}
