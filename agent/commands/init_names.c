/* init_names.c - which names, and what the certificate is called. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands/ask.h"
#include "commands/init.h"
#include "config/hostname.h"

/* Appends the items of `text`, separated by blanks and commas. */
static void split(const char *text, struct string_list *list)
{
	while (text[0]) {
		size_t length = strcspn(text, " \t\n,");
		if (length) {
			CLEANUP(freep) char *item = string_copy_n(text, length);
			if (!string_list_has(list, item))
				string_list_add(list, item);
		}
		text += length + strspn(text + length, " \t\n,");
	}
}

static int names_check(const struct string_list *names, struct error *error)
{
	if (names->count > CONFIG_HOSTNAME_LIMIT)
		return error_set(error, ERROR_CONFIGURATION, -E2BIG,
				 "%zu hostnames; a certificate may have %d", names->count,
				 CONFIG_HOSTNAME_LIMIT);
	for (size_t i = 0; i < names->count; i++) {
		char *ascii = NULL;
		int result = hostname_normalise(names->items[i], &ascii, error);
		if (result < 0)
			return result;
		free(ascii);
	}
	return 0;
}

static int names_ask(struct init *init, struct error *error)
{
	for (;;) {
		char *answer = NULL;
		int result = ask("Hostnames, separated by blanks (example.com *.example.com)", NULL,
				 false, &answer, error);
		if (result < 0)
			return result;
		split(answer, &init->hostnames);
		secret_free(answer);
		if (init->hostnames.count && names_check(&init->hostnames, error) == 0)
			return 0;
		if (init->hostnames.count)
			printf("%s%s%s\n", error->message, error_advice(error)[0] ? "; " : "",
			       error_advice(error));
		string_list_free(&init->hostnames);
		error_clear(error);
	}
}

/* The first name without its wildcard, in the form that a section's name may have. */
static int name_derive(struct init *init, struct error *error)
{
	CLEANUP(freep) char *ascii = NULL;
	int result = hostname_normalise(init->hostnames.items[0], &ascii, error);
	if (result < 0)
		return result;
	const char *name = string_starts(ascii, "*.") ? ascii + 2 : ascii;
	if (strlen(name) > CONFIG_NAME_LIMIT) {
		error_set(error, ERROR_CONFIGURATION, -ENAMETOOLONG,
			  "%s is too long for the name of a certificate, which may have %d "
			  "characters",
			  name, CONFIG_NAME_LIMIT);
		return error_remedy(error, "choose one with --name");
	}
	init->name = string_copy(name);
	return 0;
}

int init_names(struct init *init, struct error *error)
{
	const struct init_options *given = &init->options->init;
	int result = 0;
	for (size_t i = 0; i < given->hostnames.count; i++)
		split(given->hostnames.items[i], &init->hostnames);
	if (init->hostnames.count)
		result = names_check(&init->hostnames, error);
	else if (init->interactive)
		result = names_ask(init, error);
	else {
		error_set(error, ERROR_CONFIGURATION, -EINVAL, "no hostnames were given");
		result = error_remedy(error, "write --hostnames \"example.com *.example.com\"");
	}
	if (result < 0)
		return result;
	if (!init->options->name)
		return name_derive(init, error);
	init->name = string_copy(init->options->name);
	return 0;
}
