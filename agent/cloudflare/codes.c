#include "cloudflare/codes.h"

#include <errno.h>

static const struct code_rule rules[] = {
	/* Rate limits. */
	{971, ERROR_TRANSIENT, -EAGAIN, false},
	{10429, ERROR_TRANSIENT, -EAGAIN, false},
	{10502, ERROR_TRANSIENT, -EAGAIN, false},
	/* Internal errors: definite, they come before anything is made. */
	{1000, ERROR_TRANSIENT, -EAGAIN, false},
	{1008, ERROR_TRANSIENT, -EAGAIN, false},
	{1200, ERROR_TRANSIENT, -EAGAIN, false},
	{1201, ERROR_TRANSIENT, -EAGAIN, false},
	/*
	 * "Failed to write certificate to Database": the certificate was signed before, and a write
	 * that failed for the API may still have reached its database. The caller, who looks at the
	 * list before asking again with the same key, loses one GET; not looking could cost a
	 * second certificate.
	 */
	{CODE_WRITE_FAILED, ERROR_TRANSIENT, -EAGAIN, true},
	/* What we sent does not parse: ours to repair. */
	{1003, ERROR_BUG, -EPROTO, false},
	{1004, ERROR_BUG, -EPROTO, false},
	{1007, ERROR_BUG, -EPROTO, false},
	{1011, ERROR_BUG, -EPROTO, false},
	{1012, ERROR_BUG, -EPROTO, false},
	{1013, ERROR_BUG, -EPROTO, false},
	{7003, ERROR_BUG, -EPROTO, false},
	/* What the administrator asked for. */
	{1005, ERROR_CONFIGURATION, -EINVAL, false},
	{1009, ERROR_CONFIGURATION, -EINVAL, false},
	{CODE_INVALID_HOSTNAME, ERROR_CONFIGURATION, -EINVAL, false},
	{CODE_ALREADY_REVOKED, ERROR_CONFIGURATION, -EALREADY, false},
	{CODE_READ_FAILED, ERROR_CONFIGURATION, -ENOENT, false},
	/* The token. */
	{CODE_EDIT_REFUSED, ERROR_AUTHORIZATION, -EACCES, false},
	{6003, ERROR_AUTHORIZATION, -EACCES, false},
	{CODE_TOKEN_FORMAT, ERROR_AUTHORIZATION, -EACCES, false},
	{9109, ERROR_AUTHORIZATION, -EACCES, false},
	{10000, ERROR_AUTHORIZATION, -EACCES, false},
};

const struct code_rule *code_rule_find(int code)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].code == code)
			return &rules[i];
	return NULL;
}

struct code_rule code_rule_of_status(int http_status)
{
	/* Not ours to say no to: a server that is busy, or one that stands before the API. */
	if (http_status == 408 || http_status == 425 || http_status == 429)
		return (struct code_rule){0, ERROR_TRANSIENT, -EAGAIN, false};
	if (http_status == 401 || http_status == 403)
		return (struct code_rule){0, ERROR_AUTHORIZATION, -EACCES, false};
	if (http_status == 404 || http_status == 410)
		return (struct code_rule){0, ERROR_CONFIGURATION, -ENOENT, false};
	/*
	 * Our requests are well-formed, so another refusal is one of what was asked for (a rule
	 * that is newer than this program), or of the endpoint or proxy: only the administrator can
	 * change that, and a class that is retried slowly does not hammer.
	 */
	if (http_status >= 400 && http_status < 500)
		return (struct code_rule){0, ERROR_CONFIGURATION, -EINVAL, false};
	/* A redirect is not an answer of the API and is not followed. */
	if (http_status >= 300 && http_status < 400)
		return (struct code_rule){0, ERROR_CONFIGURATION, -EINVAL, true};
	return (struct code_rule){0, ERROR_TRANSIENT, -EAGAIN, true};
}

static void remedy_of_token(struct error *error, int code, const struct envelope_answer *answer)
{
	const char *path = answer->token_path ? answer->token_path : "the token file";

	if (code == CODE_EDIT_REFUSED)
		error_remedy(error,
			     "the token in %s can read this zone but not edit it: give it the "
			     "permission Zone > SSL and Certificates > Edit for the zone",
			     path);
	else if (code == 6003 || code == CODE_TOKEN_FORMAT)
		error_remedy(
			error,
			"the token in %s does not have the form of an API token: the file must "
			"hold it whole and alone, as the dashboard showed it once",
			path);
	else
		error_remedy(error,
			     "check that the token in %s is active, not expired, not limited to "
			     "other client addresses, and has the permission Zone > SSL and "
			     "Certificates > Edit for the zone "
			     "(dash.cloudflare.com/profile/api-tokens)",
			     path);
}

static void remedy_of_status(struct error *error, const struct envelope_answer *answer)
{
	int status = answer->http_status;

	if (status == 401 || status == 403)
		remedy_of_token(error, 0, answer);
	else if (status == 407)
		error_remedy(error, "the proxy wants other credentials: check `proxy =` in [api]");
	else if (status >= 300 && status < 400)
		error_remedy(error,
			     "redirects are not followed: check `endpoint =` (and `proxy =`) "
			     "in [api]");
	else if (status == 404 || status == 405)
		error_remedy(error, "check the id, and `endpoint =` in [api]");
}

void code_remedy(struct error *error, int code, const struct envelope_answer *answer)
{
	switch (code) {
	case 1005:
		error_remedy(error, "Cloudflare takes at most 100 hostnames a certificate: divide "
				    "them over several [certificate] sections");
		break;
	case 1009:
		error_remedy(error, "`validity =` must be one of 7d, 30d, 90d, 365d, 730d, 1095d "
				    "and 5475d");
		break;
	case CODE_INVALID_HOSTNAME:
		error_remedy(error, "each hostname must be spelt right and lie in a zone that is "
				    "active (not pending) in an account that the token can reach; "
				    "one bad name fails the whole request");
		break;
	case CODE_READ_FAILED:
		error_remedy(error, "there is no such certificate, or it belongs to another "
				    "account");
		break;
	case CODE_EDIT_REFUSED:
	case 6003:
	case CODE_TOKEN_FORMAT:
	case 9109:
	case 10000:
		remedy_of_token(error, code, answer);
		break;
	case 0:
		remedy_of_status(error, answer);
		break;
	default:
		if (!code_rule_find(code))
			remedy_of_status(error, answer);
	}
}
