/*
 * options.h - what every transfer through libcurl has in common here: it starts once, believes
 * only certificates that are verified, follows no redirection, and ends in time.
 */
#ifndef ORIGIN_CA_HTTP_OPTIONS_H
#define ORIGIN_CA_HTTP_OPTIONS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* Starts libcurl, once in a process. -ENOMEM (class local) when it does not. */
int http_start(struct error *error);

/* Stops at the first option that libcurl does not take: none may be missing. For functions with a
 * `CURL *easy` and a `CURLcode code`. */
#define HTTP_SET(option, value)                                                                    \
	do {                                                                                       \
		if (code == CURLE_OK)                                                              \
			code = curl_easy_setopt(easy, option, value);                              \
	} while (0)

/* Whom we believe, and by which way we come there. */
struct http_trust {
	bool plain;		  /* http and not https */
	bool direct;		  /* no proxy, not even the environment's */
	const char *ca_file;	  /* NULL: the system's */
	const char *ca_directory; /* where ca_file is NULL; NULL: libcurl's bundle */
	const char *proxy;	  /* NULL: the environment's */
};
CURLcode http_set_trust(CURL *easy, const struct http_trust *trust);

/* `timeout_ms` (above 0) bounds the whole transfer, `connect_ms` its connection. */
CURLcode http_set_time(CURL *easy, int64_t timeout_ms, int64_t connect_ms);

/*
 * curl_easy_perform() without SIGPIPE: with CURLOPT_NOSIGNAL libcurl leaves it to us, and OpenSSL
 * may write to a connection that is closed. It is held back in this thread and taken out again,
 * because ignoring it in the process would be inherited by the programs that the agent starts.
 */
CURLcode http_perform(CURL *easy);

/*
 * The system's directory of trusted certificates by hash (openssl-rehash(1)), or NULL. With it a
 * handshake reads the one root that it needs; the bundle beside it costs 20 ms of CPU to load.
 */
const char *http_trust_directory(void);

/* Wipes a list of headers and frees it. */
void http_headers_free(struct curl_slist *list);

#endif
