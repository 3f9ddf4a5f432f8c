#include "target/aws_credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/words.h"
#include "http/exchange.h"

enum {
	FILE_BYTES = 64 << 10,	 /* of the shared credentials file */
	ANSWER_BYTES = 16 << 10, /* of an endpoint */
	ENDPOINT_MS = 2000,	 /* both are on this host or its hypervisor */
};

static const char container_host[] = "http://169.254.170.2";
static const char metadata_host[] = "http://169.254.169.254";

void aws_credentials_free(struct aws_credentials *credentials)
{
	secret_free(credentials->access_key);
	secret_free(credentials->secret_key);
	secret_free(credentials->session_token);
	*credentials = (struct aws_credentials){0};
}

static const char *variable(const char *name)
{
	const char *value = secure_getenv(name);
	return value && value[0] ? value : NULL;
}

/* They go into headers: anything but visible ASCII would be no credential, or end the header. */
static bool is_word(const char *text)
{
	if (!text || !text[0])
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}

static bool take(const char *access_key, const char *secret_key, const char *token,
		 struct aws_credentials *ret_credentials)
{
	if (!is_word(access_key) || !is_word(secret_key) || (token && token[0] && !is_word(token)))
		return false;
	ret_credentials->access_key = string_copy(access_key);
	ret_credentials->secret_key = string_copy(secret_key);
	ret_credentials->session_token = token && token[0] ? string_copy(token) : NULL;
	return true;
}

static char *credentials_path(void)
{
	const char *path = variable("AWS_SHARED_CREDENTIALS_FILE");
	if (path)
		return string_copy(path);
	const char *home = variable("HOME");
	const struct passwd *user = home ? NULL : getpwuid(geteuid());
	return string_format("%s/.aws/credentials", home ? home : user ? user->pw_dir : "");
}

/* The value of "KEY = VALUE" when the line is that; a copy. */
static char *line_value(const char *line, size_t length, const char *key)
{
	size_t size = strlen(key);
	if (length < size || strncasecmp(line, key, size) != 0)
		return NULL;
	const char *at = line + size;
	const char *end = line + length;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at == end || *at++ != '=')
		return NULL;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (end > at && (unsigned char)end[-1] <= ' ')
		end--;
	return string_copy_n(at, (size_t)(end - at));
}

static bool is_header(const char *line, size_t length, const char *profile)
{
	size_t size = strlen(profile);
	return length >= size + 2 && line[0] == '[' && memcmp(line + 1, profile, size) == 0 &&
	       line[size + 1] == ']';
}

/* inih cuts lines at 200 bytes, and session tokens are longer. */
static bool profile_read(const char *text, const char *profile,
			 struct aws_credentials *ret_credentials)
{
	static const char *const keys[] = {"aws_access_key_id", "aws_secret_access_key",
					   "aws_session_token"};
	char *values[ARRAY_SIZE(keys)] = {NULL};
	bool inside = false;
	for (const char *line = text; *line;) {
		size_t length = strcspn(line, "\n");
		if (line[0] == '[')
			inside = is_header(line, length, profile);
		for (size_t i = 0; inside && i < ARRAY_SIZE(keys); i++) {
			char *value = line_value(line, length, keys[i]);
			if (!value)
				continue;
			secret_free(values[i]);
			values[i] = value;
		}
		line += length + (line[length] == '\n');
	}
	bool found = take(values[0], values[1], values[2], ret_credentials);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		secret_free(values[i]);
	return found;
}

/* 1 when they are there, 0 when there is no such file. */
static int from_file(const struct config_target *target, struct aws_credentials *ret_credentials,
		     struct error *error)
{
	const char *own = target->remote.credentials_file;
	const char *profile =
		target->remote.profile ? target->remote.profile : variable("AWS_PROFILE");
	bool asked_for = own || profile;
	CLEANUP(freep) char *path = own ? string_copy(own) : credentials_path();
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_BYTES);
	struct stat status;
	if (!profile)
		profile = "default";
	if (!asked_for && stat(path, &status) < 0)
		return 0;
	int result = remote_secret_file(path, "the AWS credentials", &text, error);
	if (result == -EPERM)
		return result;
	if (result < 0)
		return error_remedy(error,
				    "make it readable to the agent's user, or name another "
				    "file with `credentials_file` of [target %s]",
				    target->name);
	if (profile_read(buffer_text(&text), profile, ret_credentials))
		return 1;
	error_set(error, ERROR_CONFIGURATION, -ENOKEY,
		  "AWS credentials %s: no whole credentials in profile %s", path, profile);
	return error_remedy(error,
			    "write aws_access_key_id and aws_secret_access_key below [%s], "
			    "or correct `profile` of [target %s]",
			    profile, target->name);
}

int aws_credentials_look(const struct config_target *target,
			 struct aws_credentials *ret_credentials, bool *ret_found,
			 struct error *error)
{
	*ret_found = !target->remote.profile && !target->remote.credentials_file &&
		     take(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"),
			  variable("AWS_SESSION_TOKEN"), ret_credentials);
	if (*ret_found)
		return 0;
	int result = from_file(target, ret_credentials, error);
	*ret_found = result > 0;
	return result < 0 ? result : 0;
}

/* One question at an address of this host; the text of a 200, else why not. */
static int ask(const struct remote_order *order, struct http_request *request,
	       struct http_answer *ret_answer, struct error *error)
{
	int64_t left = 0;
	int result = remote_time_left(order, &left, error);
	if (result < 0)
		return result;
	request->direct = true;
	request->body_limit = ANSWER_BYTES;
	request->timeout_ms = left < ENDPOINT_MS ? left : ENDPOINT_MS;
	result = http_exchange(request, ret_answer, error);
	if (result == 0 && ret_answer->status != 200)
		result = error_set(error, ERROR_TRANSIENT, -EAGAIN, "%s: HTTP %d", request->what,
				   ret_answer->status);
	return result;
}

static int json_take(const char *what, const struct http_answer *answer,
		     struct aws_credentials *ret_credentials, struct error *error)
{
	cJSON *json = json_parse(buffer_text(&answer->body), answer->body.length);
	bool good = take(json_string(json, "AccessKeyId"), json_string(json, "SecretAccessKey"),
			 json_string(json, "Token"), ret_credentials);
	/* cJSON frees what it holds as it is. */
	static const char *const secrets[] = {"SecretAccessKey", "Token"};
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		cJSON *item = cJSON_GetObjectItemCaseSensitive(json, secrets[i]);
		if (cJSON_IsString(item))
			explicit_bzero(item->valuestring, strlen(item->valuestring));
	}
	cJSON_Delete(json);
	return good ? 0
		    : error_set(error, ERROR_TRANSIENT, -EBADMSG,
				"%s: the answer holds no credentials", what);
}

/* The token that the container has for its endpoint: a header's value, or a file that holds it. */
static char *container_authorization(void)
{
	const char *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(ANSWER_BYTES);
	if (file && file_read(file, &text, NULL) == 0) {
		size_t length = strcspn(buffer_text(&text), "\r\n");
		return string_format("Authorization: %.*s", (int)length, buffer_text(&text));
	}
	return token && !strpbrk(token, "\r\n") ? string_format("Authorization: %s", token) : NULL;
}

/* https anywhere; plain http only at the addresses that are this host's, or its hypervisor's. */
static bool container_url_allowed(const char *url)
{
	static const char *const allowed[] = {"https://",
					      "http://127.0.0.1",
					      "http://localhost",
					      "http://[::1]",
					      "http://169.254.170.2",
					      "http://169.254.170.23",
					      "http://[fd00:ec2::23]"};
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		size_t length = strlen(allowed[i]);
		if (strncmp(url, allowed[i], length) == 0 &&
		    (i == 0 || url[length] == ':' || url[length] == '/'))
			return true;
	}
	return false;
}

static int from_container(const struct remote_order *order, const char *url,
			  struct aws_credentials *ret_credentials, struct error *error)
{
	static const char what[] = "AWS credentials of the container";
	struct string_list headers = {0};
	struct http_answer answer = {0};
	if (!container_url_allowed(url)) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "AWS_CONTAINER_CREDENTIALS_FULL_URI: plain http is for addresses of this "
			  "host alone");
		return error_remedy(error, "write https://");
	}
	char *authorization = container_authorization();
	if (authorization)
		string_list_take(&headers, authorization);
	struct http_request request = {
		.what = what, .method = "GET", .url = url, .headers = &headers};
	int result = ask(order, &request, &answer, error);
	if (result == 0)
		result = json_take(what, &answer, ret_credentials, error);
	http_answer_free(&answer);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization));
	string_list_free(&headers);
	return result;
}

/* GET below the metadata's address with the session's token. */
static int metadata_get(const struct remote_order *order, const struct string_list *headers,
			const char *path, struct http_answer *ret_answer, struct error *error)
{
	CLEANUP(freep) char *url = string_format("%s%s", metadata_host, path);
	struct http_request request = {
		.what = "the instance's metadata", .method = "GET", .url = url, .headers = headers};
	return ask(order, &request, ret_answer, error);
}

/* Version 2: a token first, then with it the role's name, then the role's credentials. */
static int from_metadata(const struct remote_order *order, struct aws_credentials *ret_credentials,
			 struct error *error)
{
	static const char base[] = "/latest/meta-data/iam/security-credentials/";
	struct string_list first = {0};
	struct string_list headers = {0};
	struct http_answer token = {0};
	struct http_answer role = {0};
	struct http_answer answer = {0};
	CLEANUP(freep) char *url = string_format("%s/latest/api/token", metadata_host);
	string_list_add(&first, "X-aws-ec2-metadata-token-ttl-seconds: 300");
	struct http_request request = {.what = "the instance's metadata",
				       .method = "PUT",
				       .url = url,
				       .headers = &first,
				       .body = ""};
	int result = ask(order, &request, &token, error);
	if (result == 0 && !is_word(buffer_text(&token.body)))
		result = error_set(error, ERROR_TRANSIENT, -EBADMSG,
				   "the instance's metadata: no token");
	if (result == 0)
		string_list_take(&headers, string_format("X-aws-ec2-metadata-token: %s",
							 buffer_text(&token.body)));
	if (result == 0)
		result = metadata_get(order, &headers, base, &role, error);
	char *name =
		string_copy_n(buffer_text(&role.body), strcspn(buffer_text(&role.body), "\r\n"));
	if (result == 0 && (!is_word(name) || strchr(name, '/')))
		result = error_set(error, ERROR_TRANSIENT, -ENOKEY,
				   "the instance's metadata: the instance has no role");
	CLEANUP(freep) char *path = string_format("%s%s", base, name);
	if (result == 0)
		result = metadata_get(order, &headers, path, &answer, error);
	if (result == 0)
		result = json_take("the instance's metadata", &answer, ret_credentials, error);
	free(name);
	string_list_free(&first);
	string_list_free(&headers);
	http_answer_free(&token);
	http_answer_free(&role);
	http_answer_free(&answer);
	return result;
}

int aws_credentials_find(const struct remote_order *order, struct aws_credentials *ret_credentials,
			 struct error *error)
{
	bool found = false;
	int result = aws_credentials_look(order->target, ret_credentials, &found, error);
	if (result < 0 || found)
		return result;
	const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	if (relative) {
		CLEANUP(freep) char *url = string_format("%s%s", container_host, relative);
		return from_container(order, url, ret_credentials, error);
	}
	if (full)
		return from_container(order, full, ret_credentials, error);
	const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
	struct error last = {0};
	if (disabled && strcasecmp(disabled, "true") == 0)
		error_set(&last, ERROR_AUTHORIZATION, -ENOKEY, "metadata: switched off");
	else if (from_metadata(order, ret_credentials, &last) == 0)
		return 0;
	CLEANUP(freep) char *path = credentials_path();
	error_set(error, ERROR_AUTHORIZATION, -ENOKEY,
		  "there are no AWS credentials: none in the environment, no %s, no container, %s",
		  path, last.message);
	return error_remedy(error,
			    "give the instance a role, or write an access key to a file that only "
			    "the agent's user reads and name it with `credentials_file` of [target "
			    "%s]",
			    order->target->name);
}
