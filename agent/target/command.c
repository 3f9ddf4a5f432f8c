#include "target/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/paths.h"
#include "base/stop.h"
#include "base/words.h"
#include "target/process.h"

enum {
	LINE_LIMIT = 2000,  /* bytes; a longer one becomes several */
	QUOTE_LENGTH = 300, /* bytes of the last line in an error */
};

/* Where PATH is not set: what systemd gives its services. */
static const char path_default[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";

/* Output on its way to lines. */
struct listener {
	reload_command_line *line;
	void *context;
	struct buffer pending; /* of a line whose end has not come */
	size_t left;	       /* bytes that are still taken */
	char *last;	       /* the last line that said something, or NULL */
};

static void line_end(struct listener *listener)
{
	char *text =
		words_clean(buffer_text(&listener->pending), listener->pending.length, LINE_LIMIT);
	buffer_free(&listener->pending);
	if (text[0] == '\0') {
		free(text);
		return;
	}
	if (listener->line)
		listener->line(text, listener->context);
	free(listener->last);
	listener->last = text;
}

static void listen_to(const char *data, size_t length, void *context)
{
	struct listener *listener = context;

	if (length > listener->left)
		length = listener->left;
	listener->left -= length;
	for (size_t i = 0; i < length; i++) {
		if (data[i] == '\n') {
			line_end(listener);
			continue;
		}
		if (listener->pending.length == LINE_LIMIT)
			line_end(listener);
		buffer_add(&listener->pending, data + i, 1);
	}
}

static bool environment_has(const struct string_list *environment, const char *start)
{
	for (size_t i = 0; environment && i < environment->count; i++)
		if (string_starts(environment->items[i], start))
			return true;
	return false;
}

/* "NAME=" and our own value, unless one was given. */
static void environment_inherit(struct string_list *list, const struct string_list *given,
				const char *start, const char *fallback)
{
	if (environment_has(given, start))
		return;
	CLEANUP(freep) char *name = string_copy_n(start, strlen(start) - 1);
	const char *value = getenv(name);
	if (value)
		string_list_take(list, string_format("%s%s", start, value));
	else if (fallback)
		string_list_add(list, fallback);
}

static const char **terminated(const struct string_list *list)
{
	const char **items = memory_alloc(list->count + 1, sizeof(*items));
	for (size_t i = 0; i < list->count; i++)
		items[i] = list->items[i];
	return items;
}

/* It did not start: what execve() said of it. */
static int start_error(const char *key, const char *program, int result, struct error *error)
{
	bool known = result == -ENOENT || result == -EACCES || result == -ENOEXEC ||
		     result == -ENOTDIR || result == -ELOOP || result == -EPERM ||
		     result == -EISDIR;
	int code = result == -ENOTDIR || result == -ELOOP  ? -ENOENT
		   : result == -EPERM || result == -EISDIR ? -EACCES
							   : result;
	if (!known)
		return error_errno(error, result, "cannot run %s %s", key, program);
	error_set(error, ERROR_CONFIGURATION, code, "cannot run %s %s: %s", key, program,
		  strerrordesc_np(-result));
	if (code == -ENOENT && access(program, F_OK) == 0)
		return error_remedy(error, "the program that its first line names (\"#!\") does "
					   "not exist");
	if (code == -ENOENT)
		return error_remedy(error, "write the program's whole path");
	if (code == -ENOEXEC)
		return error_remedy(error, "it is no program for this machine; a script needs a "
					   "first line like #!/bin/sh");
	return error_remedy(error,
			    "let the agent's user execute it (chmod, and its directories); a file "
			    "system that is mounted noexec does not");
}

/* ": LAST LINE", or nothing. */
static void last_words(const struct listener *listener, char text[static QUOTE_LENGTH + 8])
{
	CLEANUP(freep)
	char *cut = listener->last
			    ? words_clean(listener->last, strlen(listener->last), QUOTE_LENGTH)
			    : NULL;
	snprintf(text, QUOTE_LENGTH + 8, "%s%s", cut ? ": " : "", cut ? cut : "");
}

static int end_error(const char *key, const char *program, int status,
		     const struct listener *listener, struct error *error)
{
	char words[QUOTE_LENGTH + 8];
	last_words(listener, words);
	if (WIFSIGNALED(status)) {
		int number = WTERMSIG(status);
		const char *name = sigabbrev_np(number);
		error_set(error, ERROR_DEPLOY, -ECANCELED, "%s %s was ended by signal %d (%s%s)%s",
			  key, program, number, name ? "SIG" : "", name ? name : "unknown", words);
	} else if (WEXITSTATUS(status) != 0) {
		error_set(error, ERROR_DEPLOY, -ECANCELED, "%s %s exited with status %d%s", key,
			  program, WEXITSTATUS(status), words);
	} else {
		return 0;
	}
	error_remedy(error,
		     "`journalctl --unit origin-ca-agent` has what it printed; it runs as user %s "
		     "in the sandbox of that unit, which may forbid what a shell of yours may do",
		     path_user);
	return -ECANCELED;
}

static int timeout_error(const char *key, const char *program, int64_t timeout_ms,
			 const struct listener *listener, struct error *error)
{
	char words[QUOTE_LENGTH + 8];
	last_words(listener, words);
	error_set(error, ERROR_DEPLOY, -ETIMEDOUT,
		  "%s %s did not end within %lld ms and was stopped%s", key, program,
		  (long long)timeout_ms, words);
	error_remedy(error, "see what it waits for: `journalctl --unit origin-ca-agent` has what "
			    "it printed");
	return -ETIMEDOUT;
}

int program_run(const char *key, const struct string_list *argv,
		const struct string_list *environment, int64_t timeout_ms,
		reload_command_line *line, void *context, struct error *error)
{
	if (argv->count == 0 || argv->items[0][0] != '/')
		return error_set(error, ERROR_BUG, -EINVAL, "%s is no absolute path", key);

	struct string_list variables = {0};
	environment_inherit(&variables, environment, "PATH=", path_default);
	environment_inherit(&variables, environment, "LANG=", NULL);
	for (size_t i = 0; environment && i < environment->count; i++)
		string_list_add(&variables, environment->items[i]);
	const char **arguments = terminated(argv);
	const char **variable_items = terminated(&variables);
	struct listener listener = {
		.line = line,
		.context = context,
		.pending = BUFFER(LINE_LIMIT),
		.left = COMMAND_OUTPUT_LIMIT,
	};
	struct process process = {
		.arguments = arguments,
		.environment = variable_items,
		.timeout_ms = timeout_ms,
		.output = listen_to,
		.context = &listener,
	};
	int status = 0;
	int result = process_run(&process, &status);
	if (listener.pending.length > 0)
		line_end(&listener);
	if (result == -ECANCELED) {
		CLEANUP(freep)
		char *what = string_format("%s %s was stopped", key, argv->items[0]);
		stop_error(error, what);
	} else if (result == -ETIMEDOUT) {
		timeout_error(key, argv->items[0], timeout_ms, &listener, error);
	} else if (result < 0) {
		result = start_error(key, argv->items[0], result, error);
	} else {
		result = end_error(key, argv->items[0], status, &listener, error);
	}
	free(listener.last);
	free(arguments);
	free(variable_items);
	string_list_free(&variables);
	return result;
}

int reload_command_run(const struct string_list *argv, const struct string_list *environment,
		       int64_t timeout_ms, reload_command_line *line, void *context,
		       struct error *error)
{
	int result =
		program_run("reload_command", argv, environment, timeout_ms, line, context, error);
	if (result == -ETIMEDOUT)
		error_remedy(error, "see what it waits for, or give it more time with "
				    "`reload_timeout =`");
	return result;
}
