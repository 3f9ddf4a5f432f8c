/* account_routes.c - tokens, addresses of the edge, and the roots' files. */
#include <stdio.h>
#include <string.h>

#include "exchange.h"

static void token_show(const struct token *token, struct reply *reply)
{
	cJSON *result = json_object();
	json_add_string(result, "id", token->id);
	json_add_string(result, "status", token->status);
	reply_result(reply, result);
	if (strcmp(token->status, "active") == 0)
		reply_message(reply, 10000, "This API Token is valid and active");
}

void user_token_verify(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	(void)sandbox;
	if (string_starts(request->token->secret, "cfat_"))
		reply_error(reply, 403, 9109, "Valid user-level authentication not found");
	else
		token_show(request->token, reply);
}

void account_token_verify(struct sandbox *sandbox, const struct request *request,
			  struct reply *reply)
{
	if (!identifier_valid(request->parameters[0]))
		reply_no_route(reply, request);
	else if (strcmp(request->parameters[0], sandbox->account_id) != 0 ||
		 !string_starts(request->token->secret, "cfat_"))
		reply_error(reply, 401, 1000, "Invalid API Token");
	else
		token_show(request->token, reply);
}

void ips_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	static const char *const four[] = {"192.0.2.0/24", "198.51.100.0/24"}; /* RFC 5737 */
	static const char *const six[] = {"2001:db8::/32"};		       /* RFC 3849 */
	(void)sandbox;
	(void)request;
	cJSON *result = json_object();
	cJSON *list = json_add_array(result, "ipv4_cidrs");
	for (size_t i = 0; i < ARRAY_SIZE(four); i++)
		json_append(list, cJSON_CreateString(four[i]));
	list = json_add_array(result, "ipv6_cidrs");
	for (size_t i = 0; i < ARRAY_SIZE(six); i++)
		json_append(list, cJSON_CreateString(six[i]));
	json_add_string(result, "etag", "a8e453d9d129a3769407127936edfdb0");
	reply_result(reply, result);
}

void root_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	const struct {
		const char *name, *pem;
	} files[] = {
		{"origin_ca_ecc_root.pem", sandbox->authority.root_pem[ALGORITHM_ECC]},
		{"origin_ca_rsa_root.pem", sandbox->authority.root_pem[ALGORITHM_RSA]},
		{"authenticated_origin_pull_ca.pem", sandbox->authority.pull_ca_pem},
	};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (strcmp(request->parameters[0], files[i].name) == 0) {
			reply_text(reply, "application/x-x509-ca-cert", files[i].pem);
			return;
		}
	}
	reply_text(reply, "text/html; charset=utf-8", "<!doctype html><title>Not found</title>\n");
	reply->status = 404;
}
