/* nginx_run.h - asks the real nginx what it reads. For tests only. */
#ifndef ORIGIN_CA_TEST_NGINX_RUN_H
#define ORIGIN_CA_TEST_NGINX_RUN_H

#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"

/* The executable, or NULL: the test is skipped then. */
static inline const char *nginx_find(void)
{
	static const char *const paths[] = {
		"/usr/sbin/nginx",
		"/usr/bin/nginx",
		"/usr/local/sbin/nginx",
		"/usr/local/nginx/sbin/nginx",
	};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (access(paths[i], X_OK) == 0)
			return paths[i];
	return NULL;
}

/*
 * Writes DIRECTORY/nginx.conf and lets `nginx -t` read it; what nginx says is appended to `said`.
 * True when nginx takes the configuration. Nothing is listened on.
 */
static inline bool nginx_test(const char *nginx, const char *directory, const char *configuration,
			      struct buffer *said)
{
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *file = string_format("%s/nginx.conf", directory);
	struct error error = {0};
	int out[2];
	if (directory_make_path(directory, &FILE_ACCESS(0755), &fd, &error) < 0 ||
	    file_write_at(fd, directory, "nginx.conf", configuration, strlen(configuration),
			  &FILE_ACCESS(0644), FILE_NO_SYNC, &error) < 0 ||
	    pipe2(out, O_CLOEXEC) < 0)
		return false;

	char *arguments[] = {(char[]){"nginx"},
			     (char[]){"-t"},
			     (char[]){"-e"},
			     (char[]){"stderr"},
			     (char[]){"-c"},
			     file,
			     (char[]){"-p"},
			     (char *)(uintptr_t)directory,
			     NULL};
	char *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDERR_FILENO);
	pid_t child = 0;
	int result = posix_spawn(&child, nginx, &actions, NULL, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);

	char chunk[1024];
	ssize_t got;
	while (result == 0 && (got = read(out[0], chunk, sizeof(chunk))) > 0)
		buffer_add(said, chunk, (size_t)got);
	close(out[0]);
	int status = -1;
	if (result == 0 && waitpid(child, &status, 0) != child)
		status = -1;
	return result == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#endif
