/*
 * envelope.h - what one answer of the API means: the envelope, or a classified error.
 *
 * Pure: takes bytes, asks nobody. The table of codes is codes.h.
 */
#ifndef ORIGIN_CA_CLOUDFLARE_ENVELOPE_H
#define ORIGIN_CA_CLOUDFLARE_ENVELOPE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/json.h"

/* An HTTP answer and the request it belongs to. */
struct envelope_answer {
	const char *method; /* "POST" */
	const char *path;   /* "/certificates?page=1" */
	int http_status;
	const char *body;
	size_t length;
	const char *cf_ray;	/* NULL or empty: none */
	int64_t retry_after;	/* seconds, -1: none */
	const char *token_path; /* for remedies; NULL: not known */
	const char *secret;	/* never shown, even when the answer repeats it; NULL: none */
};

/*
 * Returns 0 and the envelope (cJSON_Delete() it) for HTTP 2xx with `"success": true`; else the
 * error, and in `ret_code` the errors[].code that decided (0: none). `ret_code` is always set.
 *
 * outcome_unknown is set for a method that is not repeatable when the answer does not prove that
 * nothing was done: no envelope, or no code that we know, with a status that is not 4xx; and for
 * code 1100 (codes.c says why).
 */
int envelope_parse(const struct envelope_answer *answer, cJSON **ret_envelope, int *ret_code,
		   struct error *error);

/* Doing it twice is the same as doing it once: GET and DELETE, as this API uses them. */
bool method_repeatable(const char *method);

/*
 * Appends at most `most` bytes of `text` as clean one-line UTF-8 ("?" for what is not, or would
 * steer a terminal), with every occurrence of `secret` (NULL: none) replaced by "[token]", and
 * "..." when something was cut off.
 */
void text_add_clean(struct buffer *out, const char *text, size_t most, const char *secret);

#endif
