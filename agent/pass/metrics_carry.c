#include "pass/metrics_carry.h"

#include <string.h>

#include "pass/metrics.h"

struct line {
	const char *text;
	size_t length; /* with its end */
};

struct lines {
	struct line *items;
	size_t count;
};

struct carry {
	const struct pass *pass;
	struct lines *lines; /* by metric */
	bool *has;	     /* by job */
	size_t next;	     /* the certificate that the next line is probably about */
};

static const char LABEL[] = "{certificate=\"";
static const char API_LABEL[] = "{api=\"";

/* The metric whose name the line begins with; metric_count for none. */
static size_t metric_of(const char *text, size_t length, size_t guess)
{
	for (size_t i = 0; i < metric_count; i++) {
		size_t metric = (guess + i) % metric_count;
		size_t name = strlen(metrics[metric].name);
		if (name < length && strncmp(text, metrics[metric].name, name) == 0 &&
		    (text[name] == '{' || text[name] == ' '))
			return metric;
	}
	return metric_count;
}

static int compare(const char *name, size_t length, const char *other)
{
	int order = strncmp(name, other, length);
	return order ? order : other[length] ? -1 : 0;
}

/* The place of a certificate among those configured, which are sorted; their count for none. Lines
 * come in the same order, so the one after the last is looked at first. */
static size_t certificate_of(struct carry *carry, const char *name, size_t length)
{
	const struct config *config = carry->pass->config;
	size_t low = 0;
	size_t high = config->certificate_count;
	for (size_t i = carry->next; i < high && i < carry->next + 2; i++)
		if (compare(name, length, config->certificates[i]->name) == 0)
			return carry->next = i;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(name, length, config->certificates[middle]->name);
		if (order == 0)
			return carry->next = middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return config->certificate_count;
}

/* The job of a certificate that is configured; job_count when it is in none of this pass. */
static size_t job_of(const struct carry *carry, size_t certificate)
{
	const struct pass *pass = carry->pass;
	const struct config_certificate *one = pass->config->certificates[certificate];
	if (certificate < pass->job_count && pass->jobs[certificate].certificate == one)
		return certificate;
	for (size_t i = 0; pass->job_count < pass->config->certificate_count && i < pass->job_count;
	     i++)
		if (pass->jobs[i].certificate == one)
			return i;
	return pass->job_count;
}

static void take_line(struct carry *carry, const char *text, size_t length, size_t *guess)
{
	size_t metric = metric_of(text, length, *guess);
	if (metric == metric_count)
		return;
	*guess = metric;
	const char *label = text + strlen(metrics[metric].name);
	if (metrics[metric].scope == METRIC_OF_CERTIFICATE ||
	    metrics[metric].scope == METRIC_OF_TARGET) {
		const char *name = label + strlen(LABEL);
		if (strncmp(label, LABEL, strlen(LABEL)) != 0)
			return;
		size_t certificate = certificate_of(carry, name, strcspn(name, "\"\n"));
		if (certificate == carry->pass->config->certificate_count)
			return;
		size_t job = job_of(carry, certificate);
		if (job < carry->pass->job_count) {
			if (!carry->pass->jobs[job].settled)
				return;
			carry->has[job] = true;
		}
	} else if (metrics[metric].scope != METRIC_OF_API) {
		return;
	}
	struct lines *lines = &carry->lines[metric];
	lines->items = memory_grow(lines->items, lines->count, sizeof(*lines->items));
	lines->items[lines->count++] = (struct line){text, length};
}

struct carry *carry_new(const struct pass *pass, const char *before, size_t length)
{
	struct carry *carry = memory_alloc(1, sizeof(*carry));
	size_t guess = 0;
	carry->pass = pass;
	carry->lines = memory_alloc(metric_count, sizeof(*carry->lines));
	carry->has = memory_alloc(pass->job_count, sizeof(*carry->has));
	while (length) {
		const char *end = memchr(before, '\n', length);
		if (!end)
			break;
		size_t line = (size_t)(end - before) + 1;
		if (before[0] != '#')
			take_line(carry, before, line, &guess);
		before += line;
		length -= line;
	}
	return carry;
}

void carry_free(struct carry *carry)
{
	for (size_t i = 0; i < metric_count; i++)
		free(carry->lines[i].items);
	free(carry->lines);
	free(carry->has);
	free(carry);
}

bool carry_has(const struct carry *carry, size_t job)
{
	return carry->has[job];
}

void carry_lines(const struct carry *carry, size_t metric, struct buffer *text)
{
	const struct lines *lines = &carry->lines[metric];
	for (size_t i = 0; i < lines->count; i++)
		buffer_add(text, lines->items[i].text, lines->items[i].length);
}

void carry_api(const struct carry *carry, size_t metric, const char *name, struct buffer *text)
{
	const struct lines *lines = &carry->lines[metric];
	size_t before = strlen(metrics[metric].name) + strlen(API_LABEL);
	size_t length = strlen(name);
	for (size_t i = 0; i < lines->count; i++) {
		const struct line *line = &lines->items[i];
		if (line->length > before + length && line->text[before + length] == '"' &&
		    strncmp(line->text + before, name, length) == 0) {
			buffer_add(text, line->text, line->length);
			return;
		}
	}
}
