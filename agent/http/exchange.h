/*
 * exchange.h - one HTTP request to one of the platforms that remote targets are on, and its answer.
 *
 * Each request has a connection of its own; there are few. TLS is verified, redirections are not
 * followed, and neither the address nor a header nor a body ever stands in an error.
 */
#ifndef ORIGIN_CA_HTTP_EXCHANGE_H
#define ORIGIN_CA_HTTP_EXCHANGE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/list.h"

enum {
	HTTP_BODY_LIMIT = 4 << 20,  /* bytes of an answer, unless the request says less */
	HTTP_CONNECT_MS = 10 * 1000 /* for a connection, within the time of the request */
};

struct http_request {
	const char *what;   /* for messages: "cPanel at host.example.net:2083" */
	const char *method; /* "GET", "POST", "PUT" */
	const char *url;    /* absolute; http or https as the caller has checked it */
	const struct string_list *headers; /* "Name: value"; may be secret; or NULL */
	const char *body;		   /* or NULL */
	size_t body_length;
	const char *ca_file;	 /* or NULL: the system's */
	const char *ca_file_key; /* what the remedy names: "`ca_file` of [target hosting]" */
	bool direct;		 /* through no proxy, not even the environment's */
	/* Signed by AWS Signature Version 4, for this service of this region, or NULL. */
	const char *aws_scope; /* "aws:amz:REGION:SERVICE" */
	const char *access_key, *secret_key;
	size_t body_limit;  /* 0: HTTP_BODY_LIMIT */
	int64_t timeout_ms; /* of all of it, above 0 */
};

struct http_answer {
	int status;
	bool json;	     /* by its Content-Type */
	int64_t retry_after; /* seconds; 0: not said */
	char date[40];	     /* Date, as it came, or "" */
	struct buffer body;
};
void http_answer_free(struct http_answer *answer);

/*
 * 0 when a whole answer came, whatever its status; ret_answer is to be freed with
 * http_answer_free() in any case. Else class transient, and outcome_unknown where the request may
 * have been carried out: -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH (its name does not resolve),
 * -ECONNRESET, -EMSGSIZE (the answer is too large); class configuration for a certificate that
 * cannot be verified (-EPROTO), with ca_file_key as a remedy.
 */
int http_exchange(const struct http_request *request, struct http_answer *ret_answer,
		  struct error *error);

/* Appends "NAME=VALUE" to a form (application/x-www-form-urlencoded), escaped. */
void http_form_add(struct buffer *form, const char *name, const char *value);

#endif
