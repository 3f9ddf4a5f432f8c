#include "commands/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"

bool ask_possible(void)
{
	return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

/* One read(2) of a terminal is a line; of anything else, bytes up to the line's end. */
static int line_read(int signals, struct buffer *line)
{
	for (;;) {
		struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN},
					 {.fd = signals, .events = POLLIN}};
		if (poll(waits, signals < 0 ? 1 : 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (signals >= 0 && waits[1].revents)
			return -EINTR;
		if (!waits[0].revents)
			continue;
		char byte;
		ssize_t got = read(STDIN_FILENO, &byte, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return line->length ? 0 : -ECANCELED;
		if (byte == '\n')
			return 0;
		if (buffer_add(line, &byte, 1) < 0)
			return -EFBIG;
	}
}

static void put(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

/*
 * What would end or stop us waits until the terminal shows again what is typed: the signals are
 * blocked, only looked at, and take their course when they are let through.
 */
static int line_read_secret(const char *question, struct buffer *line)
{
	struct termios before;
	if (tcgetattr(STDIN_FILENO, &before) < 0) {
		put(question);
		return line_read(-1, line);
	}

	sigset_t held;
	sigset_t former;
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGQUIT);
	sigaddset(&held, SIGTSTP);
	sigprocmask(SIG_BLOCK, &held, &former);
	CLEANUP(closep) int signals = signalfd(-1, &held, SFD_CLOEXEC | SFD_NONBLOCK);
	struct termios silent = before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	int result = signals < 0 ? -errno : 0;
	if (result == 0 && tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) < 0)
		result = -errno;
	if (result == 0) {
		/* Not before: who pastes at the sight of it must not be shown. */
		put(question);
		result = line_read(signals, line);
		tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
		put("\n");
	}
	sigprocmask(SIG_SETMASK, &former, NULL);
	/* After SIGTSTP and SIGCONT we are still here, and the answer is lost. */
	return result == -EINTR ? -ECANCELED : result;
}

static char *trimmed(const struct buffer *line)
{
	const char *text = buffer_text(line);
	size_t start = strspn(text, " \t\r");
	size_t end = strlen(text);
	while (end > start && strchr(" \t\r", text[end - 1]))
		end--;
	return string_copy_n(text + start, end - start);
}

int ask(const char *question, const char *preset, bool secret, char **ret_answer,
	struct error *error)
{
	struct buffer line = BUFFER(ANSWER_LIMIT);
	CLEANUP(freep)
	char *prompt = preset ? string_format("%s [%s]: ", question, preset)
			      : string_format("%s: ", question);
	if (!secret)
		put(prompt);
	int result = secret ? line_read_secret(prompt, &line) : line_read(-1, &line);
	char *answer = result < 0 ? NULL : trimmed(&line);
	buffer_wipe(&line);
	if (result == -ECANCELED)
		error_set(error, ERROR_CONFIGURATION, result, "there was no answer");
	else if (result == -EFBIG)
		error_set(error, ERROR_CONFIGURATION, result, "an answer of more than %d bytes",
			  ANSWER_LIMIT);
	else if (result < 0)
		error_errno(error, result, "cannot read the answer");
	if (result < 0)
		return result;
	if (answer[0] == '\0' && preset) {
		free(answer);
		answer = string_copy(preset);
	}
	*ret_answer = answer;
	return 0;
}

int ask_yes(const char *question, bool preset, bool *ret_yes, struct error *error)
{
	for (;;) {
		char *answer = NULL;
		int result = ask(question, preset ? "Y/n" : "y/N", false, &answer, error);
		if (result < 0)
			return result;
		bool none = strcmp(answer, preset ? "Y/n" : "y/N") == 0;
		bool yes = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
		bool no = strcasecmp(answer, "n") == 0 || strcasecmp(answer, "no") == 0;
		secret_free(answer);
		if (none || yes || no) {
			*ret_yes = none ? preset : yes;
			return 0;
		}
		printf("Please answer yes or no.\n");
	}
}
