#include "target/aws_call.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/words.h"
#include "http/exchange.h"

enum {
	WORDS_LENGTH = 400,
	TRIES = 4,
	PAUSE_FIRST_MS = 500, /* after throttling, doubling */
};

/* https://docs.aws.amazon.com/acm/latest/APIReference/CommonErrors.html and those of the calls. */
static const struct {
	const char *type;
	enum error_class class;
	int code;
	const char *remedy;
} meanings[] = {
	{"ThrottlingException", ERROR_TRANSIENT, -EAGAIN, ""},
	{"Throttling", ERROR_TRANSIENT, -EAGAIN, ""},
	{"TooManyRequestsException", ERROR_TRANSIENT, -EAGAIN, ""},
	{"RequestLimitExceeded", ERROR_TRANSIENT, -EAGAIN, ""},
	{"ServiceUnavailable", ERROR_TRANSIENT, -EBUSY, ""},
	{"ServiceUnavailableException", ERROR_TRANSIENT, -EBUSY, ""},
	{"InternalFailure", ERROR_TRANSIENT, -EBUSY, ""},
	{"InternalServerException", ERROR_TRANSIENT, -EBUSY, ""},
	{"RequestInProgressException", ERROR_TRANSIENT, -EBUSY, ""},
	{"ConflictException", ERROR_TRANSIENT, -EBUSY, ""},
	{"RequestExpired", ERROR_TRANSIENT, -ETIME, "check the clock of this host"},
	{"InvalidSignatureException", ERROR_AUTHORIZATION, -EACCES,
	 "the secret key does not belong to the access key, or the clock of this host is wrong"},
	{"SignatureDoesNotMatch", ERROR_AUTHORIZATION, -EACCES,
	 "the secret key does not belong to the access key, or the clock of this host is wrong"},
	{"AccessDeniedException", ERROR_AUTHORIZATION, -EACCES,
	 "give the user or role the IAM policy of docs/remote.md (acm:ImportCertificate, "
	 "acm:DescribeCertificate, acm:ListCertificates, acm:ListTagsForCertificate, "
	 "acm:AddTagsToCertificate)"},
	{"AccessDenied", ERROR_AUTHORIZATION, -EACCES,
	 "give the user or role the IAM policy of docs/remote.md"},
	{"ExpiredTokenException", ERROR_AUTHORIZATION, -EACCES,
	 "the temporary credentials have run out; a role's are renewed by themselves"},
	{"UnrecognizedClientException", ERROR_AUTHORIZATION, -EACCES,
	 "the access key is not known: deleted, or of another partition than the region"},
	{"InvalidClientTokenId", ERROR_AUTHORIZATION, -EACCES,
	 "the access key is not known: deleted, or of another partition than the region"},
	{"IncompleteSignature", ERROR_AUTHORIZATION, -EACCES,
	 "something on the way changes the request's headers: look for a proxy in front of "
	 "`endpoint`"},
	{"MissingAuthenticationToken", ERROR_AUTHORIZATION, -EACCES,
	 "something on the way takes the Authorization header away, or `endpoint` is not ACM's: "
	 "leave it out to use the region's own"},
	{"OptInRequired", ERROR_AUTHORIZATION, -EACCES, "switch the region on for the account"},
	{"NotAuthorized", ERROR_AUTHORIZATION, -EACCES,
	 "give the user or role the IAM policy of docs/remote.md; a policy of the organization "
	 "(SCP) may forbid it besides"},
	{"LimitExceededException", ERROR_CONFIGURATION, -EDQUOT,
	 "remove imported certificates that nobody uses, or have the quota of ACM (certificates, "
	 "or "
	 "imports in 365 days) raised in Service Quotas"},
	{"TooManyTagsException", ERROR_CONFIGURATION, -EDQUOT,
	 "a certificate has 50 tags at most, and two are the agent's: remove others, or write "
	 "`certificate_arn`, with which no tags are needed"},
	{"ResourceNotFoundException", ERROR_CONFIGURATION, -ENXIO,
	 "correct `certificate_arn` or `region`; without `certificate_arn` the agent imports a "
	 "certificate of its own"},
	{"InvalidArnException", ERROR_CONFIGURATION, -ENXIO,
	 "correct `certificate_arn` or `region`"},
	{"TagPolicyException", ERROR_CONFIGURATION, -EINVAL,
	 "let the organization's tag policy allow the tags of docs/remote.md"},
};

static int meaning_error(const char *action, const char *type, const char *words, int status,
			 struct error *error)
{
	/* "com.amazonaws.acm#LimitExceededException" */
	const char *hash = strchr(type, '#');
	const char *name = hash ? hash + 1 : type;
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++) {
		if (strcmp(name, meanings[i].type) != 0)
			continue;
		error_set(error, meanings[i].class, meanings[i].code, "ACM: %s: %s: %s", action,
			  name, words);
		error->outcome_unknown = meanings[i].code == -EBUSY && status >= 500;
		return error_remedy(error, "%s", meanings[i].remedy);
	}
	CLEANUP(freep) char *shown = words_clean(name, strlen(name), 80);
	if (status >= 500) {
		error_set(error, ERROR_TRANSIENT, -EBUSY, "ACM: %s: HTTP %d: %s", action, status,
			  shown);
		error->outcome_unknown = true;
		return -EBUSY;
	}
	error_set(error, ERROR_DEPLOY, -EBADMSG, "ACM: %s: refused: %s: %s", action,
		  shown[0] ? shown : "HTTP error", words);
	return error_remedy(error,
			    "look it up among the errors of %s in the ACM API Reference; the "
			    "former certificate is kept meanwhile",
			    action);
}

static int answer_error(const char *action, const struct http_answer *answer, struct error *error)
{
	cJSON *json = json_parse(buffer_text(&answer->body), answer->body.length);
	const char *type = json_string(json, "__type");
	const char *message = json_string(json, "message");
	if (!message)
		message = json_string(json, "Message");
	/* Should it repeat what it was given: no key comes into a message. */
	bool secret = message && strstr(message, "PRIVATE KEY");
	CLEANUP(freep)
	char *words = secret	? string_copy("(its message repeats a key and is not shown)")
		      : message ? words_clean(message, strlen(message), WORDS_LENGTH)
				: string_format("HTTP %d", answer->status);
	int result = meaning_error(action, type ? type : "", words, answer->status, error);
	if (answer->retry_after)
		error->retry_after = answer->retry_after;
	cJSON_Delete(json);
	return result;
}

static char *url_of(const struct config_remote *remote)
{
	if (remote->endpoint)
		return string_format("%s/", remote->endpoint);
	bool china = string_starts(remote->region, "cn-");
	return string_format("https://acm.%s.amazonaws.com%s/", remote->region, china ? ".cn" : "");
}

static void headers_wipe(struct string_list *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		explicit_bzero(headers->items[i], strlen(headers->items[i]));
	string_list_free(headers);
}

static int call_once(const struct aws_caller *caller, const char *action, const char *text,
		     cJSON **ret_answer, struct error *error)
{
	const struct config_target *target = caller->order->target;
	CLEANUP(freep) char *url = url_of(&target->remote);
	CLEANUP(freep) char *scope = string_format("aws:amz:%s:acm", target->remote.region);
	CLEANUP(freep) char *what = string_format("ACM in %s: %s", target->remote.region, action);
	CLEANUP(freep) char *key = string_format("`ca_file` of [target %s]", target->name);
	struct string_list headers = {0};
	string_list_add(&headers, "Content-Type: application/x-amz-json-1.1");
	string_list_take(&headers, string_format("X-Amz-Target: CertificateManager.%s", action));
	if (caller->credentials.session_token)
		string_list_take(&headers, string_format("X-Amz-Security-Token: %s",
							 caller->credentials.session_token));
	struct http_request request = {
		.what = what,
		.method = "POST",
		.url = url,
		.headers = &headers,
		.body = text,
		.body_length = strlen(text),
		.ca_file = target->remote.ca_file,
		.ca_file_key = key,
		/* Plain http is for a loopback address alone. */
		.direct = string_starts(url, "http:"),
		.aws_scope = scope,
		.access_key = caller->credentials.access_key,
		.secret_key = caller->credentials.secret_key,
	};
	struct http_answer answer = {0};
	int result = remote_time_left(caller->order, &request.timeout_ms, error);
	if (result == 0)
		result = http_exchange(&request, &answer, error);
	headers_wipe(&headers);
	if (result == 0 && answer.status != 200)
		result = answer_error(action, &answer, error);
	if (result == 0) {
		*ret_answer = json_parse(buffer_text(&answer.body), answer.body.length);
		if (!cJSON_IsObject(*ret_answer)) {
			cJSON_Delete(TAKE_PTR(*ret_answer));
			result = error_set(error, ERROR_TRANSIENT, -EBADMSG,
					   "%s: the answer is no JSON", what);
			error->outcome_unknown = true;
		}
	}
	http_answer_free(&answer);
	return result;
}

int aws_call(const struct aws_caller *caller, const char *action, const cJSON *body,
	     cJSON **ret_answer, struct error *error)
{
	char *text = cJSON_PrintUnformatted(body);
	if (!text)
		return error_errno(error, -ENOMEM, "cannot write a request to ACM");
	int result = -EAGAIN;
	int64_t pause = PAUSE_FIRST_MS;
	for (unsigned i = 0; i < TRIES; i++, pause *= 2) {
		error_clear(error);
		result = call_once(caller, action, text, ret_answer, error);
		/* Only what was not done for certain, and may be done in a moment. */
		if (result != -EAGAIN || error->retry_after > 0 ||
		    clock_monotonic_ms() + pause >= caller->order->deadline_ms)
			break;
		if (i + 1 < TRIES)
			clock_sleep_ms(pause);
	}
	explicit_bzero(text, strlen(text));
	cJSON_free(text);
	return result;
}
