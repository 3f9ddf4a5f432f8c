/* answer.h - libcurl's callbacks for one request: what was sent, what came back. */
#ifndef ORIGIN_CA_CLOUDFLARE_ANSWER_H
#define ORIGIN_CA_CLOUDFLARE_ANSWER_H

#include <curl/curl.h>

#include "cloudflare/fault.h"
#include "cloudflare/transfer.h"

enum {
	ANSWER_HEADERS_LIMIT = 256 * 1024 /* bytes of all headers of an answer */
};

struct answer {
	struct exchange exchange;
	bool repeatable;
	unsigned sendings; /* how often libcurl was about to send the request */
	size_t header_bytes;
	bool too_large;
	char words[CURL_ERROR_SIZE]; /* libcurl's */
};

/* Sets the callbacks on `easy`; `answer` must outlive the transfer. */
CURLcode answer_attach(struct answer *answer, CURL *easy, bool repeatable);

/* Runs the transfer; completes `fault` (which has method, path and timeout) from it. */
void answer_perform(struct answer *answer, CURL *easy, struct fault *fault);

#endif
