#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/log.h"
#include "commands/status.h"

enum {
	LOOK_EVERY_MS = 2000,
	TEXT_LIMIT = 64 << 20,
};

/* Other screen, no cursor; and back. */
static const char SCREEN_TAKE[] = "\033[?1049h\033[?25l";
static const char SCREEN_GIVE[] = "\033[?25h\033[?1049l";

struct watch {
	const struct command_options *options;
	struct terminal terminal;
	struct termios before;
	bool keys; /* standard input is a terminal, and its keys come one by one */
	int signals;
	sigset_t mask_before;
	char *shown;
	int exit_status;
};

static void put(const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(STDOUT_FILENO, text, length);
		if (written < 0 && errno != EINTR)
			return;
		text += written > 0 ? written : 0;
		length -= written > 0 ? (size_t)written : 0;
	}
}

static int take(struct watch *watch, struct error *error)
{
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGWINCH);
	sigprocmask(SIG_BLOCK, &signals, &watch->mask_before);
	watch->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signals < 0)
		return error_errno(error, -errno, "cannot wait for signals");
	watch->keys = tcgetattr(STDIN_FILENO, &watch->before) == 0;
	if (watch->keys) {
		struct termios raw = watch->before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	if (watch->terminal.interactive)
		put(SCREEN_TAKE, strlen(SCREEN_TAKE));
	return 0;
}

static void give_back(struct watch *watch)
{
	if (watch->terminal.interactive)
		put(SCREEN_GIVE, strlen(SCREEN_GIVE));
	if (watch->keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &watch->before);
	closep(&watch->signals);
	sigprocmask(SIG_SETMASK, &watch->mask_before, NULL);
	free(watch->shown);
}

/* What is to be shown now, and the exit status for it. */
static char *look(struct watch *watch)
{
	struct buffer text = BUFFER(TEXT_LIMIT);
	struct status status;
	struct error error = {0};
	if (status_look(watch->options->config_path, &watch->options->arguments, &status, &error) <
	    0)
		buffer_add_format(&text, "%s\n%s\n", error.message, error_advice(&error));
	else
		status_table(&status, &watch->terminal, &text);
	watch->exit_status = status.exit_status;
	status_free(&status);
	return buffer_take(&text);
}

/* As many lines as the screen has, the last one for what was left out. */
static void draw(const struct watch *watch, const char *text)
{
	struct buffer screen = BUFFER(TEXT_LIMIT);
	size_t rows = watch->terminal.rows > 2 ? watch->terminal.rows - 1 : 1;
	size_t lines = 0;
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	buffer_add_text(&screen, "\033[H");
	size_t shown = lines > rows ? rows - 1 : lines;
	for (size_t i = 0; i < shown; i++) {
		size_t length = strcspn(text, "\n");
		/* Cleared before: behind a full line it would take the last letter along. */
		buffer_add_text(&screen, "\033[2K");
		buffer_add(&screen, text, length);
		buffer_add_text(&screen, "\n");
		text += length + 1;
	}
	if (shown < lines)
		buffer_add_format(&screen, "\033[2K(%zu more lines)\n", lines - shown);
	buffer_add_text(&screen, "\033[2mq: quit\033[0m\033[K\033[J");
	put(buffer_text(&screen), screen.length);
	buffer_free(&screen);
}

static void show(struct watch *watch, bool always)
{
	terminal_look(&watch->terminal);
	char *text = look(watch);
	if (!always && watch->shown && strcmp(watch->shown, text) == 0) {
		free(text);
		return;
	}
	if (watch->terminal.interactive) {
		draw(watch, text);
	} else {
		put("\n", watch->shown ? 1 : 0);
		put(text, strlen(text));
	}
	free(watch->shown);
	watch->shown = text;
}

/* True for "q", Ctrl-C, and the end of what keys come from. */
static bool key_ends(void)
{
	char keys[64];
	ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));
	if (count <= 0)
		return count == 0 || errno != EINTR;
	for (ssize_t i = 0; i < count; i++)
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == '\003')
			return true;
	return false;
}

static void loop(struct watch *watch)
{
	bool resized = true;
	for (;;) {
		show(watch, resized);
		resized = false;
		struct pollfd ready[] = {
			{.fd = watch->signals, .events = POLLIN},
			{.fd = watch->keys ? STDIN_FILENO : -1, .events = POLLIN},
		};
		if (poll(ready, ARRAY_SIZE(ready), LOOK_EVERY_MS) <= 0)
			continue;
		struct signalfd_siginfo signal;
		while (read(watch->signals, &signal, sizeof(signal)) == sizeof(signal)) {
			if (signal.ssi_signo != SIGWINCH)
				return;
			resized = true;
		}
		if (ready[1].revents && key_ends())
			return;
	}
}

int status_watch(const struct command_options *options)
{
	struct watch watch = {.options = options, .signals = -1};
	struct error error = {0};
	terminal_look(&watch.terminal);
	int result = take(&watch, &error);
	if (result == 0)
		loop(&watch);
	give_back(&watch);
	return result < 0 ? command_fail(options, PASS_EXIT_FAILED, &error) : watch.exit_status;
}
