#include "faults.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct fault_rule {
	char *specification;
	char *method, *path;
	struct fault fault;
	int64_t remaining; /* -1: always */
	int64_t used;
};

static const struct {
	const char *name;
	int64_t value; /* unless another is given */
	bool loses;
} kinds[FAULT_KIND_COUNT] = {
	[FAULT_NONE] = {"none", 0, false},
	[FAULT_RESET_BEFORE] = {"reset-before", 0, true},
	[FAULT_HANG] = {"hang", 3600, true},
	[FAULT_ERROR] = {"error", 1100, true},
	[FAULT_REFUSED_OK] = {"200-false", 1100, true},
	[FAULT_RATE_LIMIT] = {"429", 1, true},
	[FAULT_HTML] = {"500-html", 500, true},
	[FAULT_SLOW_WORK] = {"slow-work", 2, false},
	[FAULT_LOSE_ANSWER] = {"lose-answer", 0, true},
	[FAULT_HANG_AFTER] = {"hang-after", 3600, true},
	[FAULT_HTML_AFTER] = {"502-html-after", 502, true},
	[FAULT_SLOW_BODY] = {"slow-body", 2, false},
	[FAULT_CUT_BODY] = {"cut-body", 0, true},
	[FAULT_EMPTY_BODY] = {"empty-body", 0, true},
	[FAULT_BARE] = {"bare", 0, false},
	[FAULT_OTHER_DATE] = {"other-date", 0, false},
	[FAULT_WRONG_NAMES] = {"wrong-names", 0, false},
	[FAULT_WRONG_VALIDITY] = {"wrong-validity", 0, false},
	[FAULT_WRONG_KEY] = {"wrong-key", 0, false},
	[FAULT_NOT_SIGNED] = {"not-signed", 0, false},
	[FAULT_IGNORE_PAGE] = {"ignore-page", 0, false},
};

const char *fault_name(enum fault_kind kind)
{
	return kinds[kind].name;
}

bool fault_loses(enum fault_kind kind)
{
	return kinds[kind].loses;
}

/* A whole non-negative number that fits; -EINVAL otherwise. */
static int number_parse(const char *text, int64_t *ret_number)
{
	char *end = NULL;
	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return -EINVAL;
	*ret_number = strtoll(text, &end, 10);
	return 0;
}

static int kind_parse(char *text, struct fault *ret_fault)
{
	char *value = strchr(text, '=');
	if (value)
		*value++ = '\0';

	*ret_fault = (struct fault){0};
	for (enum fault_kind kind = FAULT_RESET_BEFORE; kind < FAULT_KIND_COUNT; kind++)
		if (strcmp(text, kinds[kind].name) == 0)
			*ret_fault = (struct fault){kind, kinds[kind].value};

	int64_t number = 0;
	if (ret_fault->kind == FAULT_NONE && number_parse(text, &number) == 0) {
		if (number >= 500 && number <= 599)
			*ret_fault = (struct fault){FAULT_HTML, number};
		else if (number >= 900)
			*ret_fault = (struct fault){FAULT_ERROR, number};
	}
	if (ret_fault->kind == FAULT_NONE)
		return -EINVAL;
	return value ? number_parse(value, &ret_fault->value) : 0;
}

static void rule_clear(struct fault_rule *rule)
{
	free(rule->specification);
	free(rule->method);
	free(rule->path);
}

static int rule_parse(const char *specification, struct fault_rule *rule)
{
	CLEANUP(freep) char *text = string_copy(specification);
	char *path = strchr(text, ' ');
	char *kind = path ? strchr(path, ':') : NULL;
	if (!kind || path == text || path[1] == ':')
		return -EINVAL;
	*path++ = '\0';
	*kind++ = '\0';
	char *count = strchr(kind, ':');
	if (count)
		*count++ = '\0';

	rule->remaining = 1;
	if (count && strcmp(count, "always") == 0)
		rule->remaining = -1;
	else if (count && number_parse(count, &rule->remaining) < 0)
		return -EINVAL;
	if (kind_parse(kind, &rule->fault) < 0)
		return -EINVAL;
	rule->specification = string_copy(specification);
	rule->method = string_copy(text);
	rule->path = string_copy(path);
	return 0;
}

void faults_init(struct faults *faults)
{
	*faults = (struct faults){0};
	pthread_mutex_init(&faults->lock, NULL);
}

void faults_free(struct faults *faults)
{
	faults_clear(faults);
	free(faults->rules);
	pthread_mutex_destroy(&faults->lock);
}

int faults_add(struct faults *faults, const char *specification, struct error *error)
{
	struct fault_rule rule = {0};
	if (rule_parse(specification, &rule) < 0)
		return error_set(error, ERROR_CONFIGURATION, -EINVAL,
				 "\"%s\" is not METHOD PATH:KIND[=VALUE][:COUNT]", specification);
	pthread_mutex_lock(&faults->lock);
	faults->rules = memory_resize(faults->rules, faults->count + 1, sizeof(rule));
	faults->rules[faults->count++] = rule;
	pthread_mutex_unlock(&faults->lock);
	return 0;
}

void faults_clear(struct faults *faults)
{
	pthread_mutex_lock(&faults->lock);
	for (size_t i = 0; i < faults->count; i++)
		rule_clear(&faults->rules[i]);
	faults->count = 0;
	pthread_mutex_unlock(&faults->lock);
}

static bool rule_matches(const struct fault_rule *rule, const char *method, const char *path)
{
	return rule->remaining != 0 &&
	       (strcmp(rule->method, "*") == 0 || strcmp(rule->method, method) == 0) &&
	       fnmatch(rule->path, path, 0) == 0;
}

struct fault faults_take(struct faults *faults, const char *method, const char *path)
{
	struct fault fault = {0};
	pthread_mutex_lock(&faults->lock);
	for (size_t i = 0; i < faults->count && fault.kind == FAULT_NONE; i++) {
		struct fault_rule *rule = &faults->rules[i];
		if (!rule_matches(rule, method, path))
			continue;
		fault = rule->fault;
		rule->used++;
		if (rule->remaining > 0)
			rule->remaining--;
	}
	pthread_mutex_unlock(&faults->lock);
	return fault;
}

cJSON *faults_json(struct faults *faults)
{
	cJSON *list = json_array();
	pthread_mutex_lock(&faults->lock);
	for (size_t i = 0; i < faults->count; i++) {
		cJSON *rule = json_append_object(list);
		json_add_string(rule, "fault", faults->rules[i].specification);
		json_add_integer(rule, "remaining", faults->rules[i].remaining);
		json_add_integer(rule, "used", faults->rules[i].used);
	}
	pthread_mutex_unlock(&faults->lock);
	return list;
}
