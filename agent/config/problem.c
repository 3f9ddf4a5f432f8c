#include "config/problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"

/* A message is one line, whatever a file name or an error from elsewhere holds. */
static char *flatten(char *text)
{
	for (char *at = text; at && *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	return text;
}

static char *PRINTF_LIKE(1, 0) format_text(const char *format, va_list arguments)
{
	char text[ERROR_MESSAGE_SIZE];
	vsnprintf(text, sizeof(text), format, arguments);
	return flatten(string_copy(text));
}

static struct config_problem *append(struct problem_list *problems)
{
	problems->items = memory_grow(problems->items, problems->count, sizeof(*problems->items));
	return &problems->items[problems->count++];
}

static void PRINTF_LIKE(4, 0) add(struct problem_list *problems, struct config_place place,
				  bool warning, const char *format, va_list arguments)
{
	if (problems->file != place.file) {
		problems->file = place.file;
		problems->in_row = 0;
	}
	problems->in_row++;
	if (problems->in_row <= PROBLEM_FILE_LIMIT)
		*append(problems) = (struct config_problem){
			.place = place,
			.message = format_text(format, arguments),
			.warning = warning,
		};
	else if (problems->in_row == PROBLEM_FILE_LIMIT + 1)
		*append(problems) = (struct config_problem){
			.place = {.file = place.file},
			.message = string_format("more than %d problems; the others are not listed",
						 PROBLEM_FILE_LIMIT),
			.warning = warning,
		};
	else if (!warning)
		/* That one stands for all the others, so one error makes it an error. */
		problems->items[problems->count - 1].warning = false;
}

int problem_error(struct problem_list *problems, struct config_place place, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(problems, place, false, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int problem_warning(struct problem_list *problems, struct config_place place, const char *format,
		    ...)
{
	va_list arguments;
	va_start(arguments, format);
	add(problems, place, true, format, arguments);
	va_end(arguments);
	return 0;
}

int problem_remedy(struct problem_list *problems, const char *format, ...)
{
	/* The problem itself may be one of those that are not listed. */
	if (problems->count == 0 || problems->in_row > PROBLEM_FILE_LIMIT)
		return -EINVAL;
	struct config_problem *last = &problems->items[problems->count - 1];
	va_list arguments;
	va_start(arguments, format);
	free(last->remedy);
	last->remedy = format_text(format, arguments);
	va_end(arguments);
	return -EINVAL;
}

int problem_from_error(struct problem_list *problems, struct config_place place,
		       const struct error *error)
{
	problem_error(problems, place, "%s", error->message);
	if (error->remedy[0] != '\0')
		problem_remedy(problems, "%s", error->remedy);
	return -EINVAL;
}

const struct config_problem *problem_find(const struct problem_list *problems, const char *file,
					  unsigned first, unsigned last)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct config_problem *problem = &problems->items[i];
		if (!problem->warning && strcmp(problem->place.file, file) == 0 &&
		    problem->place.line >= first && problem->place.line <= last)
			return problem;
	}
	return NULL;
}

static int compare(const void *one, const void *other)
{
	const struct config_problem *a = one;
	const struct config_problem *b = other;
	int order = strcmp(a->place.file, b->place.file);
	if (order == 0 && a->place.line != b->place.line)
		order = a->place.line < b->place.line ? -1 : 1;
	return order != 0 ? order : strcmp(a->message, b->message);
}

void problem_sort(struct problem_list *problems)
{
	if (problems->count > 1)
		qsort(problems->items, problems->count, sizeof(*problems->items), compare);
}

void problem_list_free(struct problem_list *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		free(problems->items[i].message);
		free(problems->items[i].remedy);
	}
	free(problems->items);
	*problems = (struct problem_list){0};
}

const char *config_problem_advice(const struct config_problem *problem)
{
	if (problem->remedy || problem->warning)
		return problem->remedy;
	return problem->place.line ? "correct that line; `origin-ca-agent check` tells whether it "
				     "is right then"
				   : error_advice(&(struct error){.class = ERROR_CONFIGURATION});
}

char *config_problem_text(const struct config_problem *problem)
{
	CLEANUP(freep) char *file = flatten(string_copy(problem->place.file));
	char line[16] = "";
	if (problem->place.line > 0)
		snprintf(line, sizeof(line), ":%u", problem->place.line);
	return string_format("%s%s: %s%s%s", file, line, problem->message,
			     problem->remedy ? "; " : "", problem->remedy ? problem->remedy : "");
}
