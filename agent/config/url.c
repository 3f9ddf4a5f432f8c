/* url.c - URLs: of a server that the agent asks, and of a proxy. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/build.h"

/* Pieces of "scheme://user@host:port/path", none of them terminated. */
struct url {
	size_t scheme; /* length */
	bool user;
	const char *host; /* without brackets */
	size_t host_length;
	bool bracketed;
	const char *path; /* from its first slash, or the end */
};

static bool port_valid(const char *port, size_t length)
{
	unsigned number = 0;
	if (length == 0 || length > 5)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (port[i] < '0' || port[i] > '9')
			return false;
		number = number * 10 + (unsigned)(port[i] - '0');
	}
	return number >= 1 && number <= 65535;
}

static bool host_valid(const char *host, size_t length, bool bracketed)
{
	char text[256];
	if (length == 0 || length >= sizeof(text))
		return false;
	memcpy(text, host, length);
	text[length] = '\0';
	if (bracketed) {
		struct in6_addr address;
		return inet_pton(AF_INET6, text, &address) == 1;
	}
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-") ==
	       length;
}

/* Host and port of `authority`, which holds no user. */
static bool authority_parse(const char *authority, size_t length, struct url *url)
{
	url->bracketed = length > 0 && authority[0] == '[';
	const char *port;
	if (url->bracketed) {
		const char *close = memchr(authority, ']', length);
		if (!close)
			return false;
		url->host = authority + 1;
		url->host_length = (size_t)(close - url->host);
		port = close + 1;
	} else {
		const char *colon = memchr(authority, ':', length);
		url->host = authority;
		url->host_length = colon ? (size_t)(colon - authority) : length;
		port = authority + url->host_length;
	}
	size_t left = length - (size_t)(port - authority);
	return host_valid(url->host, url->host_length, url->bracketed) &&
	       (left == 0 || (port[0] == ':' && port_valid(port + 1, left - 1)));
}

static bool url_parse(const char *text, struct url *url)
{
	const char *authority = strstr(text, "://");
	if (!authority)
		return false;
	for (const char *at = text; *at; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return false;
	url->scheme = (size_t)(authority - text);
	authority += 3;
	size_t length = strcspn(authority, "/?#");
	url->path = authority + length;
	/* The last one: a password may hold an unescaped "@". */
	const char *at = memrchr(authority, '@', length);
	url->user = at != NULL;
	if (at) {
		length -= (size_t)(at + 1 - authority);
		authority = at + 1;
	}
	return authority_parse(authority, length, url);
}

static bool scheme_is(const char *text, const struct url *url, const char *scheme)
{
	return url->scheme == strlen(scheme) && strncasecmp(text, scheme, url->scheme) == 0;
}

/* 127.0.0.0/8, ::1 and "localhost". */
static bool host_is_loopback(const struct url *url)
{
	char host[INET6_ADDRSTRLEN];
	if (url->host_length >= sizeof(host))
		return false;
	memcpy(host, url->host, url->host_length);
	host[url->host_length] = '\0';
	if (url->bracketed) {
		struct in6_addr address;
		return inet_pton(AF_INET6, host, &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
	}
	struct in_addr address;
	if (inet_pton(AF_INET, host, &address) == 1)
		return ntohl(address.s_addr) >> 24 == 127;
	return strcasecmp(host, "localhost") == 0;
}

int value_url(const struct value *value, const struct url_use *use, char **ret_url)
{
	/* Someone may have put a token or a password in here, so a wrong one is not shown. */
	struct value hidden = *value;
	hidden.secret = true;
	struct url url;
	if (!url_parse(value->text, &url)) {
		value_refuse(&hidden, "not a URL");
		return value_remedy(value, "write https://HOST/PATH");
	}
	if (url.user) {
		value_refuse(&hidden, "credentials in the URL");
		return value_remedy(value, "%s", use->credentials);
	}
	if (strpbrk(url.path, "?#"))
		return value_refuse(&hidden, "must have neither \"?\" nor \"#\"");
	bool plain = scheme_is(value->text, &url, "http");
	if (!plain && !scheme_is(value->text, &url, "https")) {
		value_refuse(value, "must start with https://");
		return -EINVAL;
	}
	if (plain && !host_is_loopback(&url)) {
		value_refuse(value,
			     "plain http %s; it is for 127.0.0.0/8, [::1] and localhost alone",
			     use->plain);
		return value_remedy(value, "write https://");
	}
	char *copy = string_copy(value->text);
	for (size_t length = strlen(copy); length > 0 && copy[length - 1] == '/'; length--)
		copy[length - 1] = '\0';
	free(*ret_url);
	*ret_url = copy;
	return 0;
}

int value_url_proxy(const struct value *value, char **ret_url)
{
	struct url url;
	if (!url_parse(value->text, &url) || (url.path[0] != '\0' && strcmp(url.path, "/") != 0)) {
		value_refuse(value, "not the URL of a proxy");
		return value_remedy(value, "write SCHEME://[USER:PASSWORD@]HOST[:PORT], with /, ? "
					   "and # of a password as %%2F, %%3F and %%23");
	}
	if (!scheme_is(value->text, &url, "http") && !scheme_is(value->text, &url, "https") &&
	    !scheme_is(value->text, &url, "socks5h")) {
		value_refuse(value, "the scheme must be http, https or socks5h");
		return -EINVAL;
	}
	free(*ret_url);
	*ret_url = string_copy(value->text);
	return 0;
}
