#include "cloudflare/client.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cloudflare/envelope.h"
#include "cloudflare/pace.h"
#include "cloudflare/transfer.h"

enum {
	/* A POST is not begun with less time than this: its answer would be lost. */
	POST_BUDGET_MS = 1000,
	PATH_LIMIT = 2048,
};

struct client {
	struct transport *transport;
	struct pace pace;
	char *label;
	char *token;
	char *token_path;
	int64_t timeout_ms;
	pthread_mutex_t lock; /* of what follows */
	bool offset_known;
	int64_t offset;
};

int client_new_with(const struct config_api *api, const char *token, const char *path,
		    int64_t deadline_ms, struct client **ret_client, struct error *error)
{
	struct transport *transport = NULL;
	int result = transport_new(api, token, &transport, error);
	if (result < 0)
		return result;
	struct client *client = memory_alloc(1, sizeof(*client));
	client->transport = transport;
	client->token = string_copy(token);
	client->token_path = string_copy(path);
	client->label = api->name && api->name[0] ? string_format("[api %s]", api->name)
						  : string_copy("[api]");
	client->timeout_ms = (api->timeout > 0 ? api->timeout : 30) * 1000;
	pace_init(&client->pace, deadline_ms);
	pthread_mutex_init(&client->lock, NULL);
	*ret_client = client;
	return 0;
}

int client_new(const struct config_api *api, int64_t deadline_ms, struct client **ret_client,
	       struct error *error)
{
	char *token = NULL;
	int result = token_read(api, &token, error);
	if (result < 0)
		return result;
	CLEANUP(freep) char *path = token_path(api);
	result = client_new_with(api, token, path, deadline_ms, ret_client, error);
	secret_free(token);
	return result;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	transport_free(client->transport);
	pace_destroy(&client->pace);
	pthread_mutex_destroy(&client->lock);
	secret_free(client->token);
	free(client->token_path);
	free(client->label);
	free(client);
}

static int path_check(const char *method, const char *path, struct error *error)
{
	size_t length = strlen(path);
	bool good = path[0] == '/' && length <= PATH_LIMIT;

	/* A space or a line end would make another request of it. */
	for (size_t i = 0; good && i < length; i++)
		good = (unsigned char)path[i] > 0x20 && (unsigned char)path[i] < 0x7f &&
		       path[i] != '#';
	return good ? 0 : error_set(error, ERROR_BUG, -EINVAL, "%s: not a path of the API", method);
}

static void clock_note(struct client *client, const struct exchange *exchange)
{
	if (!exchange->date)
		return;
	pthread_mutex_lock(&client->lock);
	client->offset_known = true;
	client->offset = exchange->date - clock_now();
	pthread_mutex_unlock(&client->lock);
}

/* One try: send, note what the answer says of the rate limit and the time, read the envelope. */
static int call_once(struct client *client, const char *method, const char *path, const char *body,
		     unsigned tries, cJSON **ret_answer, struct client_status *status,
		     struct error *error)
{
	int64_t budget = pace_budget_ms(&client->pace, client->timeout_ms);
	if (budget <= 0 ||
	    (!method_repeatable(method) && budget < POST_BUDGET_MS && budget < client->timeout_ms))
		return error_set(error, ERROR_TRANSIENT, -ETIMEDOUT,
				 "%s %.160s: not sent, no time is left in this pass", method, path);

	struct exchange exchange;
	int result =
		transport_perform(client->transport, method, path, body, budget, &exchange, error);
	status->http_status = exchange.http_status;
	status->code = 0;
	clock_note(client, &exchange);
	if (result == 0) {
		bool refused = exchange.http_status == 429;
		pace_note(&client->pace, exchange.remaining, exchange.reset, exchange.retry_after,
			  refused, refused ? pace_backoff_ms(&client->pace, tries) : 0);
		int64_t retry_after = exchange.retry_after;
		if (refused && retry_after < 0)
			retry_after = exchange.reset;
		struct envelope_answer answer = {
			.method = method,
			.path = path,
			.http_status = exchange.http_status,
			.body = buffer_text(&exchange.body),
			.length = exchange.body.length,
			.cf_ray = exchange.cf_ray,
			.retry_after = retry_after,
			.token_path = client->token_path,
			.secret = client->token,
		};
		result = envelope_parse(&answer, ret_answer, &status->code, error);
	}
	exchange_free(&exchange);
	return result;
}

static void retry_after_raise(struct error *error, int64_t seconds)
{
	if (error->retry_after < seconds)
		error->retry_after = seconds;
}

/* Tries until it succeeds, must not be tried again, or there is no time; with `any` until something
 * answers at all. `error` is not NULL. */
static int call_until_done(struct client *client, const char *method, const char *path,
			   const char *body, bool any, cJSON **ret_answer,
			   struct client_status *status, struct error *error)
{
	int64_t asked = 0;
	if (!pace_wait(&client->pace, 0, &asked)) {
		error_set(error, ERROR_TRANSIENT, -EAGAIN,
			  "%s %.160s: not sent, Cloudflare's rate limit is used up for %lld s",
			  method, path, (long long)asked);
		retry_after_raise(error, asked);
		return error->code;
	}
	for (unsigned tries = 0;; tries++) {
		int result =
			call_once(client, method, path, body, tries, ret_answer, status, error);
		if (result == 0 || error->class != ERROR_TRANSIENT || error->outcome_unknown ||
		    (any && status->http_status) || tries + 1 >= CLIENT_TRIES)
			return result;

		/* What the answer asks for, and never less than the backoff. */
		int64_t wait = pace_backoff_ms(&client->pace, tries);
		if (wait < error->retry_after * 1000)
			wait = error->retry_after * 1000;
		if (!pace_wait(&client->pace, clock_monotonic_ms() + wait, &asked)) {
			retry_after_raise(error, asked);
			return result;
		}
	}
}

int client_call_status(struct client *client, const char *method, const char *path,
		       const cJSON *body, cJSON **ret_answer, struct client_status *ret_status,
		       struct error *error)
{
	struct error own = {0};
	*ret_status = (struct client_status){0};

	int result = path_check(method, path, error);
	if (result < 0)
		return result;

	/* The class of an error decides here, whether or not the caller wants to know it. */
	struct error *where = error ? error : &own;
	CLEANUP(freep) char *text = body ? json_print(body, false) : NULL;
	cJSON *answer = NULL;
	result = call_until_done(client, method, path, text, false, &answer, ret_status, where);
	if (result < 0)
		return result;
	/* What went wrong before the try that succeeded is nobody's trouble. */
	error_clear(where);
	*ret_answer = answer;
	return 0;
}

int client_call(struct client *client, const char *method, const char *path, const cJSON *body,
		cJSON **ret_answer, struct error *error)
{
	struct client_status status;
	return client_call_status(client, method, path, body, ret_answer, &status, error);
}

int64_t client_remaining(const struct client *client)
{
	/* The lock is no part of what a caller sees as constant. */
	struct client *shared = (struct client *)(uintptr_t)client;
	return pace_remaining(&shared->pace);
}

bool client_clock_offset(const struct client *client, int64_t *ret_seconds)
{
	struct client *shared = (struct client *)(uintptr_t)client;
	pthread_mutex_lock(&shared->lock);
	bool known = shared->offset_known;
	if (known)
		*ret_seconds = shared->offset;
	pthread_mutex_unlock(&shared->lock);
	return known;
}

int client_clock_ask(struct client *client, struct error *error)
{
	int64_t offset = 0;
	struct error own = {0};
	struct client_status status = {0};
	cJSON *answer = NULL;
	if (client_clock_offset(client, &offset))
		return 0;
	int result = call_until_done(client, "GET", "/ips", NULL, true, &answer, &status, &own);
	if (result == 0)
		cJSON_Delete(answer);
	if (result == 0 || status.http_status)
		return 0;
	if (error)
		*error = own;
	return result;
}

const char *client_label(const struct client *client)
{
	return client->label;
}

bool client_token_is_accounts(const struct client *client)
{
	return string_starts(client->token, "cfat_");
}

void client_backoff(struct client *client, int64_t first_ms)
{
	client->pace.first_ms = first_ms;
}
