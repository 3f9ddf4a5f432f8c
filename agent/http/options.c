#include "http/options.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum {
	SLOW_SECONDS = 30, /* without one byte: the other side is gone, whatever the timeout says */
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;
static CURLcode global_result = CURLE_FAILED_INIT;

static void global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

int http_start(struct error *error)
{
	pthread_once(&global_once, global_init);
	if (global_result == CURLE_OK)
		return 0;
	return error_set(error, ERROR_LOCAL, -ENOMEM, "libcurl does not start: %s",
			 curl_easy_strerror(global_result));
}

CURLcode http_set_trust(CURL *easy, const struct http_trust *trust)
{
	CURLcode code = CURLE_OK;

	HTTP_SET(CURLOPT_PROTOCOLS_STR, trust->plain ? "http" : "https");
	HTTP_SET(CURLOPT_REDIR_PROTOCOLS_STR, trust->plain ? "http" : "https");
	HTTP_SET(CURLOPT_FOLLOWLOCATION, 0L);
	HTTP_SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	HTTP_SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	HTTP_SET(CURLOPT_SSL_VERIFYPEER, 1L);
	HTTP_SET(CURLOPT_SSL_VERIFYHOST, 2L);
	HTTP_SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	HTTP_SET(CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
	HTTP_SET(CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
	if (trust->ca_file || trust->ca_directory) {
		/* NULL takes the built-in bundle out of play, which would be read as well. */
		HTTP_SET(CURLOPT_CAINFO, trust->ca_file);
		HTTP_SET(CURLOPT_CAPATH, trust->ca_directory);
		HTTP_SET(CURLOPT_PROXY_CAINFO, trust->ca_file);
		HTTP_SET(CURLOPT_PROXY_CAPATH, trust->ca_directory);
	}
	if (trust->proxy)
		HTTP_SET(CURLOPT_PROXY, trust->proxy);
	else if (trust->direct)
		HTTP_SET(CURLOPT_PROXY, "");
	/* The proxy does not get our headers, nor its answers to CONNECT our ear. */
	HTTP_SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	HTTP_SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	return code;
}

CURLcode http_set_time(CURL *easy, int64_t timeout_ms, int64_t connect_ms)
{
	CURLcode code = CURLE_OK;

	HTTP_SET(CURLOPT_NOSIGNAL, 1L);
	HTTP_SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	HTTP_SET(CURLOPT_CONNECTTIMEOUT_MS,
		 (long)(timeout_ms < connect_ms ? timeout_ms : connect_ms));
	HTTP_SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	HTTP_SET(CURLOPT_LOW_SPEED_TIME, (long)SLOW_SECONDS);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else a resolver that hangs would be waited for past the timeout. */
	HTTP_SET(CURLOPT_QUICK_EXIT, 1L);
#endif
	return code;
}

CURLcode http_perform(CURL *easy)
{
	sigset_t pipe;
	sigset_t before;
	sigset_t pending;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	bool was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe, &before);

	CURLcode code = curl_easy_perform(easy);

	static const struct timespec at_once = {0};
	if (!was_pending)
		while (sigtimedwait(&pipe, NULL, &at_once) == SIGPIPE)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

const char *http_trust_directory(void)
{
	static const char path[] = "/etc/ssl/certs";
	const char *found = NULL;

	DIR *directory = opendir(path);
	if (!directory)
		return NULL;
	for (const struct dirent *entry = readdir(directory); entry && !found;
	     entry = readdir(directory))
		/* "5ed36f99.0": the hash of a subject's name, and a number */
		if (strlen(entry->d_name) == 10 && strcmp(entry->d_name + 8, ".0") == 0 &&
		    strspn(entry->d_name, "0123456789abcdef") == 8)
			found = path;
	closedir(directory);
	return found;
}

void http_headers_free(struct curl_slist *list)
{
	for (struct curl_slist *item = list; item; item = item->next)
		explicit_bzero(item->data, strlen(item->data));
	curl_slist_free_all(list);
}
