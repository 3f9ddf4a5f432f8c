#include "config/hostnames.h"

#include <errno.h>
#include <string.h>

#include "config/hostname.h"

static int hostname_add(struct config_certificate *certificate, const char *text,
			struct config_place place, struct problem_list *problems)
{
	struct error error = {0};
	char *ascii = NULL;
	if (hostname_normalise(text, &ascii, &error) < 0)
		return problem_from_error(problems, place, &error);
	string_list_take(&certificate->hostnames, ascii);
	string_list_add(&certificate->hostnames_unicode, text);
	return 0;
}

/* NAME and *.NAME, as Cloudflare's dashboard proposes. */
static int hostnames_default(const struct ini_section *section,
			     struct config_certificate *certificate, struct problem_list *problems)
{
	if (hostname_add(certificate, section->name, section->place, problems) < 0)
		return problem_remedy(problems, "write \"hostnames = ...\" in [certificate %s]",
				      section->name);
	CLEANUP(freep) char *wildcard = string_format("*.%s", section->name);
	return hostname_add(certificate, wildcard, section->place, problems);
}

struct numbered {
	const char *ascii;
	size_t index;
};

static int compare(const void *one, const void *other)
{
	const struct numbered *a = one;
	const struct numbered *b = other;
	int order = strcmp(a->ascii, b->ascii);
	return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

/* Only when every item was added: then items and hostnames have the same numbers. */
static int duplicates_refuse(const char *file, const struct value_items *items,
			     const struct config_certificate *certificate,
			     struct problem_list *problems)
{
	struct numbered sorted[CONFIG_HOSTNAME_LIMIT] = {0};
	size_t count = certificate->hostnames.count;
	if (count < 2)
		return 0;
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct numbered){certificate->hostnames.items[i], i};
	qsort(sorted, count, sizeof(sorted[0]), compare);

	int result = 0;
	for (size_t i = 1; i < count; i++) {
		if (strcmp(sorted[i - 1].ascii, sorted[i].ascii) != 0)
			continue;
		const struct value_item *first = &items->items[sorted[i - 1].index];
		const struct value_item *second = &items->items[sorted[i].index];
		result = problem_error(problems, (struct config_place){file, second->line},
				       "hostname \"%s\" (%s) stands twice (lines %u and %u)",
				       second->text, sorted[i].ascii, first->line, second->line);
		problem_remedy(problems, "remove one of them");
	}
	return result;
}

int hostnames_read(const struct ini_section *section, const struct value_items *items,
		   struct config_certificate *certificate, struct problem_list *problems)
{
	const char *file = section->place.file;
	if (items->count == 0)
		return hostnames_default(section, certificate, problems);
	if (items->count > CONFIG_HOSTNAME_LIMIT) {
		problem_error(problems,
			      (struct config_place){file, items->items[CONFIG_HOSTNAME_LIMIT].line},
			      "%zu hostnames, and Cloudflare takes at most %d a certificate",
			      items->count, CONFIG_HOSTNAME_LIMIT);
		return problem_remedy(problems,
				      "use a wildcard, or divide them among several certificates");
	}

	int result = 0;
	for (size_t i = 0; i < items->count; i++)
		if (hostname_add(certificate, items->items[i].text,
				 (struct config_place){file, items->items[i].line}, problems) < 0)
			result = -EINVAL;
	return result < 0 ? result : duplicates_refuse(file, items, certificate, problems);
}
