#include "cloudflare/envelope.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "cloudflare/codes.h"

enum {
	CODES_LIMIT = 16,	  /* of one answer that are looked at */
	DEPTH_LIMIT = 8,	  /* error_chain in error_chain */
	WORDS_LIMIT = 200,	  /* bytes of one error's message */
	LIST_LIMIT = 600,	  /* bytes of all of them */
	PATH_LIMIT = 160,	  /* bytes of the path */
	TITLE_LIMIT = 100,	  /* bytes of an HTML page's title */
	TITLE_SEARCH = 64 * 1024, /* bytes of an HTML page that are looked through */
};

bool method_repeatable(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0;
}

/* The errors of an answer: their codes, and one text for people. */
struct findings {
	int codes[CODES_LIMIT];
	size_t code_count;
	size_t count; /* errors seen, with a code or not */
	struct buffer words;
	const char *secret;
};

/* A code is a number, or its digits in a string; 0 for anything else. */
static int code_read(const cJSON *item)
{
	if (cJSON_IsNumber(item)) {
		double value = item->valuedouble;
		bool whole = value >= 1 && value < 1e9 && (double)(int)value == value;
		return whole ? (int)value : 0;
	}
	const char *digits = cJSON_GetStringValue(item);
	size_t length = digits ? strlen(digits) : 0;
	if (length < 1 || length > 9 || strspn(digits, "0123456789") != length)
		return 0;
	return (int)strtol(digits, NULL, 10);
}

static void findings_add(struct findings *findings, int code, const char *message)
{
	findings->count++;
	if (code && code != CODE_DUPLICATES_REMOVED)
		findings->codes[findings->code_count++] = code;
	if (!code && !message)
		return;
	if (findings->words.length > 0)
		buffer_add_text(&findings->words, "; ");
	if (code)
		buffer_add_format(&findings->words, message ? "%d " : "%d", code);
	if (message)
		text_add_clean(&findings->words, message, WORDS_LIMIT, findings->secret);
}

/* `errors` as it comes: a list of {code, message, error_chain}, but also bare strings, one object
 * alone, or a message that is an object itself. */
static void findings_collect(struct findings *findings, const cJSON *item, int depth)
{
	if (depth > DEPTH_LIMIT || findings->count >= CODES_LIMIT)
		return;
	if (cJSON_IsArray(item)) {
		const cJSON *member;
		cJSON_ArrayForEach (member, item) {
			findings_collect(findings, member, depth + 1);
		}
	} else if (cJSON_IsString(item)) {
		findings_add(findings, 0, item->valuestring);
	} else if (cJSON_IsObject(item)) {
		const cJSON *message = cJSON_GetObjectItemCaseSensitive(item, "message");
		int code = code_read(cJSON_GetObjectItemCaseSensitive(item, "code"));
		if (code || cJSON_IsString(message))
			findings_add(findings, code, cJSON_GetStringValue(message));
		if (!cJSON_IsString(message))
			findings_collect(findings, message, depth + 1);
		findings_collect(findings, cJSON_GetObjectItemCaseSensitive(item, "error_chain"),
				 depth + 1);
	}
}

/* The rule that decides: a refusal before a passing trouble, else the first known. */
static const struct code_rule *findings_decide(const struct findings *findings)
{
	const struct code_rule *decided = NULL;
	for (size_t i = 0; i < findings->code_count; i++) {
		const struct code_rule *rule = code_rule_find(findings->codes[i]);
		if (rule && (!decided ||
			     (decided->class == ERROR_TRANSIENT && rule->class != ERROR_TRANSIENT)))
			decided = rule;
	}
	return decided;
}

static bool findings_have_unknown_outcome(const struct findings *findings)
{
	for (size_t i = 0; i < findings->code_count; i++) {
		const struct code_rule *rule = code_rule_find(findings->codes[i]);
		if (rule && rule->outcome_unknown)
			return true;
	}
	return false;
}

/* "METHOD PATH: WORDS (HTTP STATUS, CF-Ray RAY)" */
static int answer_error(const struct envelope_answer *answer, const struct code_rule *rule,
			const char *words, struct error *error)
{
	struct buffer path = BUFFER(ERROR_MESSAGE_SIZE);
	struct buffer ray = BUFFER(ERROR_MESSAGE_SIZE);
	struct buffer list = BUFFER(ERROR_MESSAGE_SIZE);
	bool with_ray = answer->cf_ray && answer->cf_ray[0];

	text_add_clean(&path, answer->path, PATH_LIMIT, answer->secret);
	text_add_clean(&list, words, LIST_LIMIT, answer->secret);
	if (with_ray) {
		buffer_add_text(&ray, ", CF-Ray ");
		text_add_clean(&ray, answer->cf_ray, 40, answer->secret);
	}
	int result = error_set(error, rule->class, rule->result, "%s %s: %s (HTTP %d%s)",
			       answer->method, buffer_text(&path), buffer_text(&list),
			       answer->http_status, buffer_text(&ray));
	buffer_free(&path);
	buffer_free(&ray);
	buffer_free(&list);
	if (error && rule->class == ERROR_TRANSIENT && answer->retry_after > 0)
		error->retry_after = answer->retry_after;
	return result;
}

/* The text of <title>, white space collapsed; nothing when there is none. */
static void title_add(struct buffer *words, const char *body, size_t length, const char *secret)
{
	CLEANUP(freep)
	char *page = string_copy_n(body, length < TITLE_SEARCH ? length : TITLE_SEARCH);
	const char *start = strcasestr(page, "<title");
	start = start ? strchr(start, '>') : NULL;
	const char *end = start ? strcasestr(start, "</title") : NULL;
	if (!end)
		return;

	struct buffer title = BUFFER(TITLE_SEARCH);
	for (const char *at = start + 1; at < end; at++) {
		bool space = isspace((unsigned char)*at);
		if (!space)
			buffer_add(&title, at, 1);
		else if (title.length > 0 && title.data[title.length - 1] != ' ')
			buffer_add(&title, " ", 1);
	}
	if (title.length > 0) {
		buffer_add_text(words, ": \"");
		text_add_clean(words, buffer_text(&title), TITLE_LIMIT, secret);
		buffer_add_text(words, "\"");
	}
	buffer_free(&title);
}

/* An answer that is not an envelope: the status is all that is known. */
static int not_an_envelope(const struct envelope_answer *answer, const char *what,
			   struct error *error)
{
	struct buffer words = BUFFER(ERROR_MESSAGE_SIZE);
	const char *body = answer->body;
	size_t blank = 0;
	while (blank < answer->length && isspace((unsigned char)body[blank]))
		blank++;

	if (what) {
		buffer_add_text(&words, what);
	} else if (blank == answer->length) {
		buffer_add_text(&words, "an empty answer instead of JSON");
	} else if (body[blank] == '<') {
		buffer_add_text(&words, "an HTML page instead of JSON");
		title_add(&words, body, answer->length, answer->secret);
	} else {
		buffer_add_text(&words, "an answer that is not JSON");
	}
	struct code_rule rule = code_rule_of_status(answer->http_status);
	int result = answer_error(answer, &rule, buffer_text(&words), error);
	buffer_free(&words);
	if (error)
		error->outcome_unknown = rule.outcome_unknown && !method_repeatable(answer->method);
	/* A page comes from a firewall or a proxy, which knows nothing of the token. */
	if (answer->http_status == 403 && answer->length > blank && body[blank] == '<')
		error_remedy(error, "something before the API refused (a firewall, a proxy, a "
				    "block of this host's address), not the API itself");
	else
		code_remedy(error, 0, answer);
	return result;
}

static int envelope_error(const struct envelope_answer *answer, const cJSON *envelope,
			  int *ret_code, struct error *error)
{
	struct findings findings = {.words = BUFFER((size_t)CODES_LIMIT * (WORDS_LIMIT + 32)),
				    .secret = answer->secret};
	findings_collect(&findings, cJSON_GetObjectItemCaseSensitive(envelope, "errors"), 0);

	const struct code_rule *known = findings_decide(&findings);
	struct code_rule rule = known ? *known : code_rule_of_status(answer->http_status);
	/* 429 says "not carried out, come again" whatever the codes are. */
	if (answer->http_status == 429 && rule.class != ERROR_TRANSIENT)
		rule = code_rule_of_status(429);
	/* These two judge the token: for one that it does not know, `verify` says 1000. */
	if ((answer->http_status == 401 || answer->http_status == 403) &&
	    rule.class == ERROR_TRANSIENT)
		rule = code_rule_of_status(answer->http_status);
	if (findings.code_count > 0) {
		*ret_code = known ? known->code : findings.codes[0];
		/*
		 * A code that we do not know is an answer all the same. With 5xx it may come from
		 * the gateway, which does not know whether the service behind it finished; with 2xx
		 * it is a refusal that did not mind its status.
		 */
		if (!known && answer->http_status < 300)
			rule = (struct code_rule){0, ERROR_CONFIGURATION, -EINVAL, false};
	}
	bool outcome_unknown = rule.outcome_unknown || findings_have_unknown_outcome(&findings);

	if (findings.words.length == 0)
		buffer_add_text(&findings.words, "failed without naming an error");
	int result = answer_error(answer, &rule, buffer_text(&findings.words), error);
	buffer_free(&findings.words);
	if (error)
		error->outcome_unknown = outcome_unknown && !method_repeatable(answer->method);
	code_remedy(error, rule.code, answer);
	return result;
}

int envelope_parse(const struct envelope_answer *answer, cJSON **ret_envelope, int *ret_code,
		   struct error *error)
{
	*ret_code = 0;
	CLEANUP(cJSON_Deletep) cJSON *envelope = json_parse(answer->body, answer->length);
	if (!envelope)
		return not_an_envelope(answer, NULL, error);

	const cJSON *success = cJSON_GetObjectItemCaseSensitive(envelope, "success");
	bool good_status = answer->http_status >= 200 && answer->http_status < 300;
	if (cJSON_IsTrue(success) && good_status) {
		*ret_envelope = TAKE_PTR(envelope);
		return 0;
	}
	/* Without `success` or `errors` it is somebody else's JSON. */
	if (!cJSON_IsBool(success) && !cJSON_HasObjectItem(envelope, "errors"))
		return not_an_envelope(answer, "JSON that is not an answer of Cloudflare's API",
				       error);
	return envelope_error(answer, envelope, ret_code, error);
}
