#include "cloudflare/endpoint.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

static void curl_freep(char **text)
{
	curl_free(*text);
}

static void curl_url_cleanupp(CURLU **url)
{
	curl_url_cleanup(*url);
}

static bool host_is_loopback(const char *host)
{
	struct in_addr address4;
	struct in6_addr address6;

	/* libcurl resolves this name to loopback addresses by itself (since 7.78). */
	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, &address4) == 1)
		return ntohl(address4.s_addr) >> 24 == 127;

	size_t length = strlen(host);
	char inner[INET6_ADDRSTRLEN];
	if (length < 3 || host[0] != '[' || length - 2 >= sizeof(inner))
		return false;
	memcpy(inner, host + 1, length - 2);
	inner[length - 2] = '\0';
	return inet_pton(AF_INET6, inner, &address6) == 1 && IN6_IS_ADDR_LOOPBACK(&address6);
}

static bool has_part(CURLU *url, CURLUPart part)
{
	CLEANUP(curl_freep) char *text = NULL;
	return curl_url_get(url, part, &text, 0) == CURLUE_OK;
}

static int refuse(const struct config_api *api, const char *why, struct error *error)
{
	/* The endpoint itself is not shown: it could hold a password. */
	error_set(error, ERROR_CONFIGURATION, -EINVAL, "%s:%u: `endpoint` of [api%s%s]: %s",
		  api->place.file ? api->place.file : "configuration", api->place.line,
		  api->name && api->name[0] ? " " : "", api->name ? api->name : "", why);
	error_remedy(error, "the default is https://api.cloudflare.com/client/v4");
	return -EINVAL;
}

int endpoint_check(const struct config_api *api, struct endpoint *ret_endpoint, struct error *error)
{
	CLEANUP(curl_url_cleanupp) CURLU *url = curl_url();
	CLEANUP(curl_freep) char *scheme = NULL;
	CLEANUP(curl_freep) char *host = NULL;

	if (!api->endpoint || !url ||
	    curl_url_set(url, CURLUPART_URL, api->endpoint, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return refuse(api, "not an absolute URL", error);
	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return refuse(api, "must not hold a user name or password", error);
	if (has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT))
		return refuse(api, "must end with the path", error);

	struct endpoint endpoint = {.loopback = host_is_loopback(host)};
	if (strcasecmp(scheme, "http") == 0) {
		if (!endpoint.loopback)
			return refuse(api,
				      "plain http would show the token to the network: only https "
				      "is allowed (http for loopback addresses)",
				      error);
		if (api->proxy)
			return refuse(api, "plain http does not go through a proxy", error);
		endpoint.plain = true;
	} else if (strcasecmp(scheme, "https") != 0) {
		return refuse(api, "only https is allowed (http for loopback addresses)", error);
	}
	*ret_endpoint = endpoint;
	return 0;
}
