/*
 * origin_ca.h - the four calls of the Origin CA API (cloudflare/API.md, "Operations").
 */
#ifndef ORIGIN_CA_CLOUDFLARE_ORIGIN_CA_H
#define ORIGIN_CA_CLOUDFLARE_ORIGIN_CA_H

#include "base/list.h"
#include "cloudflare/client.h"

/* A certificate object. Absent members are NULL, 0 or empty. */
struct origin_certificate {
	char *id;  /* up to 49 decimal digits (older records: 0x hex): text, never a number */
	char *pem; /* the leaf alone */
	struct string_list hostnames;
	int64_t expires_on;	/* both date forms; trust the certificate's notAfter instead */
	int64_t revoked_at;	/* 0: not revoked */
	int64_t requested_days; /* only in the answer to POST */
};

void origin_certificate_free(struct origin_certificate *certificate);

/*
 * Reads a certificate object of the API. What is missing or malformed is left out (an id that is
 * not of the two forms would be no good in a path); -EPROTO when neither id nor PEM is left.
 */
int origin_certificate_read(const cJSON *object, struct origin_certificate *ret_certificate,
			    struct error *error);

struct origin_request {
	const char *csr_pem;
	const struct string_list *hostnames; /* A-labels */
	enum key_type key_type;		     /* request_type origin-rsa or origin-ecc */
	int64_t validity_days;		     /* always sent, as a number */
};

/* POST /certificates. error->outcome_unknown: it may exist; look for it before asking again. */
int origin_ca_create(struct client *client, const struct origin_request *request,
		     struct origin_certificate *ret_certificate, struct error *error);

/* GET /certificates/ID. -ENOENT for 1101 or 404. `id` in another form than the API's: -EINVAL. */
int origin_ca_get(struct client *client, const char *id, struct origin_certificate *ret_certificate,
		  struct error *error);

/* DELETE /certificates/ID. Already revoked (1014) is success. */
int origin_ca_revoke(struct client *client, const char *id, struct error *error);

/* Called for each certificate of a zone; the certificate stays the caller's. Return 0 to go on,
 * 1 to stop with success, a negative errno to stop with that. */
typedef int origin_ca_visit(const struct origin_certificate *certificate, void *context,
			    struct error *error);

enum {
	ORIGIN_CA_PAGE = 50,
	ORIGIN_CA_PAGES_LIMIT = 2000,
	ORIGIN_CA_LIST_LIMIT = ORIGIN_CA_PAGE * ORIGIN_CA_PAGES_LIMIT, /* certificates of a zone */
};

/*
 * GET /certificates?zone_id=...: pages of 50 one at a time, each certificate visited once, however
 * often it is listed. result_info is only believed when it says that there is more, or where it
 * agrees with what was seen: the list ends with a page that brings nothing new (also when the
 * server ignores `page`), or with a short page when all of total_count was seen; else with an error
 * after ORIGIN_CA_PAGES_LIMIT pages or ORIGIN_CA_LIST_LIMIT certificates. An entry of the list
 * without id and PEM is passed over. Returns 1 when the visitor stopped it, 0 at the end.
 */
int origin_ca_list(struct client *client, const char *zone_id, origin_ca_visit *visit,
		   void *context, struct error *error);

#endif
