#include "pass/preview.h"

#include <errno.h>
#include <string.h>

#include "pass/commit.h"
#include "pass/job.h"
#include "target/diff.h"
#include "target/template.h"

/* Overwrites every occurrence in place. */
static void conceal(struct buffer *text, const char *secret)
{
	size_t length = secret ? strlen(secret) : 0;
	if (length == 0 || !text->data)
		return;
	for (char *at = strstr(text->data, secret); at; at = strstr(at + length, secret))
		memset(at, '*', length);
}

/* A password that was in place before is not known any more: whatever stands in quotation marks
 * behind "...password=". */
static void conceal_attributes(struct buffer *text)
{
	static const char word[] = "assword";
	for (char *at = text->data; at && (at = strstr(at, word));) {
		at += strlen(word);
		at += strspn(at, " \t=");
		if (*at != '"' && *at != '\'')
			continue;
		char quote = *at++;
		for (; *at && *at != quote && *at != '\n'; at++)
			*at = '*';
	}
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
		conceal(&before, input.keystore_password);
		conceal(&after, input.keystore_password);
		conceal_attributes(&before);
		conceal_attributes(&after);
	}
	return diff_unified(path, there ? &before : NULL, &after, text, error);
}
