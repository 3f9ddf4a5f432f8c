#include "cloudflare/answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/stop.h"
#include "cloudflare/client.h"
#include "cloudflare/pace.h"
#include "http/header.h"
#include "http/options.h"

/*
 * CURLOPT_PREREQFUNCTION: the connection stands, the request is about to be sent.
 *
 * When a connection that was used before ends without an answer, libcurl sends the request again
 * on a new one by itself, POST included, though the API may have carried it out before the
 * connection ended. There is no option against that; but this callback is asked again, and says no.
 */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
static int before_sending(void *context, char *peer, char *local, int peer_port, int local_port)
{
	(void)peer;
	(void)local;
	(void)peer_port;
	(void)local_port;
	struct answer *answer = context;
	answer->sendings++;
	return answer->sendings > 1 && !answer->repeatable ? CURL_PREREQFUNC_ABORT
							   : CURL_PREREQFUNC_OK;
}

/* CURLOPT_WRITEFUNCTION. */
static size_t body_take(char *data, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	if (buffer_add(&answer->exchange.body, data, size * count) < 0) {
		answer->too_large = true;
		return 0;
	}
	return size * count;
}

/* A Retry-After that is a date, in seconds: by the server's clock where we know it, which may be
 * told after it. */
static void retry_after_settle(struct exchange *exchange)
{
	if (!exchange->retry_at)
		return;
	int64_t seconds = exchange->retry_at - (exchange->date ? exchange->date : clock_now());
	if (seconds < 0)
		seconds = 0;
	exchange->retry_after = seconds < PACE_SECONDS_LIMIT ? seconds : PACE_SECONDS_LIMIT;
}

/* Seconds, or a date (RFC 9110, 10.2.3). */
static void retry_after_read(struct exchange *exchange, const char *value)
{
	size_t length = strlen(value);
	exchange->retry_after = -1;
	exchange->retry_at = 0;
	if (length > 0 && strspn(value, "0123456789") == length) {
		int64_t seconds = length > 9 ? PACE_SECONDS_LIMIT : strtol(value, NULL, 10);
		exchange->retry_after = seconds < PACE_SECONDS_LIMIT ? seconds : PACE_SECONDS_LIMIT;
	} else {
		time_t moment = curl_getdate(value, NULL);
		exchange->retry_at = moment > 0 ? (int64_t)moment : 0;
		retry_after_settle(exchange);
	}
}

static void header_note(struct exchange *exchange, const char *line, size_t length)
{
	char value[256];

	if (http_header_value(line, length, "CF-Ray", value, sizeof(value))) {
		snprintf(exchange->cf_ray, sizeof(exchange->cf_ray), "%.47s", value);
	} else if (http_header_value(line, length, "Date", value, sizeof(value))) {
		time_t date = curl_getdate(value, NULL);
		exchange->date = date > 0 ? (int64_t)date : 0;
		retry_after_settle(exchange);
	} else if (http_header_value(line, length, "Retry-After", value, sizeof(value))) {
		retry_after_read(exchange, value);
	} else if (http_header_value(line, length, "Ratelimit", value, sizeof(value))) {
		ratelimit_parse(value, &exchange->remaining, &exchange->reset);
	}
}

static void headers_forget(struct exchange *exchange)
{
	exchange->cf_ray[0] = '\0';
	exchange->retry_after = -1;
	exchange->retry_at = 0;
	exchange->remaining = -1;
	exchange->reset = -1;
	exchange->date = 0;
}

/* CURLOPT_HEADERFUNCTION: one whole line a call. */
static size_t header_take(char *data, size_t size, size_t count, void *context)
{
	struct answer *answer = context;
	size_t length = size * count;

	answer->header_bytes += length;
	if (answer->header_bytes > ANSWER_HEADERS_LIMIT) {
		answer->too_large = true;
		return 0;
	}
	/* What was said before belongs to an interim answer (100, 103). */
	if (length > 5 && strncasecmp(data, "HTTP/", 5) == 0)
		headers_forget(&answer->exchange);
	else
		header_note(&answer->exchange, data, length);
	return length;
}

/* libcurl calls this at least once a second. */
static int on_progress(void *context, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	(void)context;
	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	return stop_answer_over();
}

CURLcode answer_attach(struct answer *answer, CURL *easy, bool repeatable)
{
	*answer = (struct answer){.repeatable = repeatable,
				  .exchange = {.body = BUFFER(CLIENT_BODY_LIMIT)}};
	headers_forget(&answer->exchange);

	CURLcode code = CURLE_OK;
	HTTP_SET(CURLOPT_ERRORBUFFER, answer->words);
	HTTP_SET(CURLOPT_PREREQFUNCTION, before_sending);
	HTTP_SET(CURLOPT_PREREQDATA, answer);
	HTTP_SET(CURLOPT_WRITEFUNCTION, body_take);
	HTTP_SET(CURLOPT_WRITEDATA, answer);
	HTTP_SET(CURLOPT_HEADERFUNCTION, header_take);
	HTTP_SET(CURLOPT_HEADERDATA, answer);
	HTTP_SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	HTTP_SET(CURLOPT_NOPROGRESS, 0L);
	return code;
}

/*
 * Was a byte of the request sent? Asked only of a transfer that failed. Where the callback was
 * never called, none was (refused connection, TLS, proxy). After it, only an error of sending with
 * nothing counted says so; every other failure counts as sent.
 */
static bool was_sent(const struct answer *answer, CURL *easy, CURLcode code)
{
	if (answer->sendings == 0)
		return false;
	if (answer->sendings > 1 || code != CURLE_SEND_ERROR)
		return true;

	long connect_status = 0;
	long header_bytes = 0;
	curl_off_t body_bytes = 0;
	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &header_bytes);
	curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &body_bytes);
	/* CONNECT's own bytes are in the count. */
	return connect_status != 0 || header_bytes > 0 || body_bytes > 0;
}

void answer_perform(struct answer *answer, CURL *easy, struct fault *fault)
{
	CURLcode code = http_perform(easy);
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	answer->exchange.http_status = (int)status;
	fault->code = code;
	fault->sent = was_sent(answer, easy, code);
	fault->repeated = answer->sendings > 1 && !answer->repeatable;
	fault->too_large = answer->too_large;
	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &fault->proxy_status);
	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &fault->verify_result);
	memcpy(fault->words, answer->words, sizeof(fault->words));
}
