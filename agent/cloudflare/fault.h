/* fault.h - an exchange that brought no whole answer: its class, words and remedy. */
#ifndef ORIGIN_CA_CLOUDFLARE_FAULT_H
#define ORIGIN_CA_CLOUDFLARE_FAULT_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/error.h"

struct fault {
	const char *method;
	const char *path;
	CURLcode code; /* CURLE_OK: no fault */
	bool sent;     /* the request, at least in part */
	bool repeated; /* libcurl would have sent a second time what must not be */
	bool too_large;
	long proxy_status;  /* of CONNECT, 0: none */
	long verify_result; /* X509_V_..., 0: good or not asked */
	char words[CURL_ERROR_SIZE];
};

/* "METHOD PATH: WORDS". Connection troubles are transient, certificates and proxies that refuse are
 * the configuration's (but a date that is wrong passes). */
int fault_error(const struct fault *fault, struct error *error);

#endif
