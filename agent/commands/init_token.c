/* init_token.c - the API token: given, typed or in place, and what Cloudflare says of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cloudflare/zone.h"
#include "commands/ask.h"
#include "commands/init.h"
#include "config/hostname.h"

static int token_from_input(struct init *init, struct error *error)
{
	char bytes[TOKEN_SIZE_LIMIT + 2];
	size_t length = 0;
	ssize_t got;
	do {
		got = read(STDIN_FILENO, bytes + length, sizeof(bytes) - length);
		if (got > 0)
			length += (size_t)got;
	} while (length < sizeof(bytes) && (got > 0 || (got < 0 && errno == EINTR)));
	int result = got < 0 ? error_errno(error, -errno, "cannot read standard input") : 0;
	init->token_origin = string_copy("standard input");
	if (result == 0)
		result = token_take(bytes, length, init->token_origin, &init->token, error);
	explicit_bzero(bytes, sizeof(bytes));
	return result;
}

static int token_from_file(struct init *init, const char *path, struct error *error)
{
	struct config_api api = {.token_file = string_copy(path)};
	init->token_origin = string_copy(path);
	int result = token_read(&api, &init->token, error);
	free(api.token_file);
	return result;
}

static int token_typed(struct init *init, struct error *error)
{
	printf("An API token with the permission Zone > SSL and Certificates > Edit (and Zone > "
	       "Zone > Read)\nis made at dash.cloudflare.com/profile/api-tokens.\n");
	init->token_origin = string_copy("your input");
	for (;;) {
		char *answer = NULL;
		int result = ask("API token (it is not shown)", NULL, true, &answer, error);
		if (result < 0)
			return result;
		result =
			token_take(answer, strlen(answer), init->token_origin, &init->token, error);
		secret_free(answer);
		if (result == 0)
			return 0;
		printf("%s; %s\n", error->message, error_advice(error));
		error_clear(error);
	}
}

/* The same token again changes nothing; another one is a question. */
static int token_replaces(struct init *init, struct error *error)
{
	char *there = NULL;
	struct error ignored = {0};
	if (access(init->token_file.path, F_OK) < 0 && errno == ENOENT)
		return 0;
	struct config_api api = {.token_file = init->token_file.path};
	bool same = token_read(&api, &there, &ignored) == 0 && strcmp(there, init->token) == 0;
	secret_free(there);
	if (same) {
		secret_free(TAKE_PTR(init->token));
		return 0;
	}
	bool yes = init->options->force;
	if (!yes && init->interactive) {
		CLEANUP(freep)
		char *question =
			string_format("%s holds another token. Replace it", init->token_file.path);
		int result = ask_yes(question, false, &yes, error);
		if (result < 0)
			return result;
	}
	if (yes)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EEXIST, "%s holds another token",
		  init->token_file.path);
	return error_remedy(error, "leave out --token-file to go on with that one, or replace it "
				   "with --force");
}

int init_token(struct init *init, struct error *error)
{
	const char *given = init->options->init.token_file;
	int result = 0;
	if (!given && access(init->token_file.path, F_OK) == 0) {
		init->token_origin = string_copy(init->token_file.path);
		if (init->interactive)
			printf("The API token in %s is used.\n", init->token_file.path);
		return 0;
	}
	if (given && strcmp(given, "-") == 0)
		result = token_from_input(init, error);
	else if (given)
		result = token_from_file(init, given, error);
	else if (init->interactive)
		result = token_typed(init, error);
	else {
		error_set(error, ERROR_CONFIGURATION, -EINVAL, "no API token was given");
		return error_remedy(error,
				    "write --token-file FILE (\"-\": standard input), or put it "
				    "into %s with mode 0600",
				    init->token_file.path);
	}
	return result < 0 ? result : token_replaces(init, error);
}

static int token_judge(struct client *client, struct error *error)
{
	enum token_status status = TOKEN_UNKNOWN;
	int result = token_verify(client, NULL, &status, error);
	if (result < 0 || status == TOKEN_ACTIVE || status == TOKEN_UNKNOWN)
		return result;
	error_set(error, ERROR_AUTHORIZATION, -EACCES, "the API token %s",
		  status == TOKEN_EXPIRED ? "has expired" : "is disabled");
	return error_remedy(error, "make a new token with Zone > SSL and Certificates > Edit");
}

/* Is `hostname` in a zone that was seen? */
static bool zone_seen(const struct string_list *zones, const char *hostname)
{
	for (size_t i = 0; i < zones->count; i++) {
		size_t length = strlen(hostname);
		size_t tail = strlen(zones->items[i]);
		if (string_ends(hostname, zones->items[i]) &&
		    (length == tail || hostname[length - tail - 1] == '.'))
			return true;
	}
	return false;
}

static int zone_judge(struct client *client, const char *hostname, struct string_list *zones,
		      struct error *error)
{
	struct zone zone = {0};
	if (zone_seen(zones, hostname))
		return 0;
	int result = zone_find(client, hostname, &zone, error);
	if (result == -EACCES) {
		/* Issuing does not need it. */
		printf("Note: %s; %s\n", error->message, error_advice(error));
		error_clear(error);
		return result;
	}
	if (result < 0)
		return result;
	string_list_add(zones, zone.name);
	printf("Zone %s is %s%s.\n", zone.name, zone.status,
	       strcmp(zone.status, "active") != 0 ? ": certificates are issued once it is active"
	       : zone.paused ? ", but paused: visitors do not trust an Origin CA certificate"
			     : "");
	return 0;
}

int init_api(const struct init *init, struct error *error)
{
	CLEANUP(client_freep) struct client *client = NULL;
	int64_t deadline = clock_monotonic_ms() + 2 * init->api->timeout * 1000;
	int result = init->token ? client_new_with(init->api, init->token, init->token_origin,
						   deadline, &client, error)
				 : client_new(init->api, deadline, &client, error);
	if (result == 0)
		result = token_judge(client, error);
	if (result < 0)
		return result;
	printf("Cloudflare accepts the token.\n");
	struct string_list zones = {0};
	for (size_t i = 0; i < init->hostnames.count && result == 0; i++) {
		CLEANUP(freep) char *ascii = NULL;
		result = hostname_normalise(init->hostnames.items[i], &ascii, error);
		if (result == 0)
			result = zone_judge(client, ascii, &zones, error);
	}
	string_list_free(&zones);
	return result == -EACCES ? 0 : result;
}
