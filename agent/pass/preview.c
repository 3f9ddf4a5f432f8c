#include "pass/preview.h"

#include <errno.h>
#include <string.h>

#include "pass/commit.h"
#include "pass/job.h"
#include "target/diff.h"
#include "target/template.h"

static const char hidden[] = "********";
static const char hidden_former[] = "(the former password)";

/* Puts `to` in the place of every `from`. */
static void replace_all(struct buffer *text, const char *from, const char *to)
{
	size_t length = strlen(from);
	if (length == 0 || !text->data)
		return;
	struct buffer result = BUFFER((size_t)2 * TEMPLATE_OUTPUT_LIMIT);
	const char *rest = buffer_text(text);
	for (const char *at; (at = strstr(rest, from)); rest = at + length) {
		buffer_add(&result, rest, (size_t)(at - rest));
		buffer_add_text(&result, to);
	}
	buffer_add_text(&result, rest);
	buffer_wipe(text);
	*text = result;
}

/* The next value of an XML attribute that is named after a password ("keystorePass=", "...Password
 * ="), as it is spelt there; NULL when there is none. free() it with secret_free(). */
static char *password_next(const char **ret_rest)
{
	for (const char *at = *ret_rest; (at = strcasestr(at, "pass")); at++) {
		const char *behind = at + strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
						     "abcdefghijklmnopqrstuvwxyz");
		behind += strspn(behind, " \t\r\n");
		if (*behind++ != '=')
			continue;
		behind += strspn(behind, " \t\r\n");
		const char *end =
			*behind == '"' || *behind == '\'' ? strchr(behind + 1, *behind) : NULL;
		if (!end)
			continue;
		*ret_rest = end;
		return string_copy_n(behind + 1, (size_t)(end - behind - 1));
	}
	return NULL;
}

static bool has_password(const struct buffer *text, const char *password)
{
	const char *rest = buffer_text(text);
	bool found = false;
	for (char *value; !found && (value = password_next(&rest)); secret_free(value))
		found = strcmp(value, password) == 0;
	return found;
}

/*
 * Takes the passwords out of the snippet in place: of the one that it will have, which `after` has
 * in the same spelling, and of one that was another and that only the snippet still knows.
 */
static void conceal(struct buffer *before, const struct buffer *after)
{
	CLEANUP(buffer_wipe) struct buffer copy = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	buffer_add(&copy, buffer_text(before), before->length);
	const char *rest = buffer_text(&copy);
	for (char *value; (value = password_next(&rest)); secret_free(value))
		replace_all(before, value, has_password(after, value) ? hidden : hidden_former);
}

static unsigned number_next(const struct pass *pass, const struct pass_job *job)
{
	unsigned named = commit_number_named(pass, job);
	unsigned newest = job->state.newest > named ? job->state.newest : named;
	return job->derive || (job->reissue && !job->waiting) ? newest + 1 : job->state.newest;
}

int preview_snippet(struct pass *pass, struct pass_job *job,
		    const struct pass_target_job *target_job, struct buffer *text,
		    struct error *error)
{
	const struct pass_target *target = &pass->targets[target_job->index];
	CLEANUP(freep) char *file = snippet_file_name(target->target, job->certificate);
	CLEANUP(freep) char *path = commit_path(job, target_job);
	CLEANUP(buffer_wipe) struct buffer before = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	CLEANUP(buffer_wipe) struct buffer after = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct snippet_input input;

	int result =
		job_snippet_input(pass, job, target->target, number_next(pass, job), &input, error);
	if (result == 0)
		result = snippet_render(&target->template, &input, &after, error);
	if (result < 0)
		return result;
	bool there = target->directory >= 0 &&
		     snippet_read(target->directory, target->target, file, &before, NULL) == 0;
	if (input.keystore_password) {
		conceal(&before, &after);
		replace_all(&before, input.keystore_password, hidden);
		input.keystore_password = hidden;
		buffer_wipe(&after);
		after = BUFFER(TEMPLATE_OUTPUT_LIMIT);
		result = snippet_render(&target->template, &input, &after, error);
	}
	if (result < 0)
		return result;
	return diff_unified(path, there ? &before : NULL, &after, text, error);
}
