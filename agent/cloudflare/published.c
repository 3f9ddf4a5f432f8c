#include "cloudflare/published.h"

#include <errno.h>

#include "base/clock.h"
#include "cloudflare/transfer.h"

struct published {
	char *url;
	struct transport *transport;
};

int published_open(const struct config_api *api, struct published **ret_published,
		   struct error *error)
{
	/* The same trust and way as the account's, and another address. */
	struct config_api below = {
		.name = api->name,
		.place = api->place,
		.endpoint = api->root_url,
		.ca_file = api->ca_file,
		.proxy = api->proxy,
	};
	struct transport *transport = NULL;
	int result = transport_new(&below, NULL, &transport, error);
	if (result < 0)
		return error_prefix(error, "root_url");
	struct published *published = memory_alloc(1, sizeof(*published));
	published->url = string_copy(api->root_url);
	published->transport = transport;
	*ret_published = published;
	return 0;
}

void published_close(struct published *published)
{
	if (!published)
		return;
	transport_free(published->transport);
	free(published->url);
	free(published);
}

static int take(const struct published *published, const char *file,
		const struct exchange *exchange, struct buffer *text, struct error *error)
{
	if (exchange->http_status != 200)
		return error_set(error, ERROR_TRANSIENT, -ENOENT, "GET %s/%s: HTTP %d",
				 published->url, file, exchange->http_status);
	if (exchange->body.length > PUBLISHED_LIMIT)
		return error_set(error, ERROR_TRANSIENT, -EFBIG,
				 "GET %s/%s: the answer is larger than %d bytes", published->url,
				 file, PUBLISHED_LIMIT);
	return buffer_add(text, buffer_text(&exchange->body), exchange->body.length);
}

int published_fetch(struct published *published, const char *file, int64_t deadline_ms,
		    struct buffer *text, struct error *error)
{
	CLEANUP(exchange_free) struct exchange exchange = {0};
	CLEANUP(freep) char *path = string_format("/%s", file);

	int64_t left = deadline_ms - clock_monotonic_ms();
	if (left > PUBLISHED_TIMEOUT_MS)
		left = PUBLISHED_TIMEOUT_MS;
	if (left <= 0)
		return error_set(error, ERROR_TRANSIENT, -ETIME,
				 "%s/%s is not fetched: the time of this pass is over",
				 published->url, file);
	int result =
		transport_perform(published->transport, "GET", path, NULL, left, &exchange, error);
	return result < 0 ? error_prefix(error, "%s", published->url)
			  : take(published, file, &exchange, text, error);
}
