/*
 * published.h - the files that Cloudflare publishes: its roots, below `root_url`
 * (cloudflare/API.md).
 */
#ifndef ORIGIN_CA_CLOUDFLARE_PUBLISHED_H
#define ORIGIN_CA_CLOUDFLARE_PUBLISHED_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/model.h"

enum {
	PUBLISHED_LIMIT = 64 << 10, /* bytes of a file */
	PUBLISHED_TIMEOUT_MS = 10 * 1000,
};

struct published; /* one account's place of them; connects to nothing yet */

/* Through the account's proxy and trust, never with its token. Class configuration for an address
 * that cannot be used. */
int published_open(const struct config_api *api, struct published **ret_published,
		   struct error *error);
void published_close(struct published *published);

/*
 * Fetches FILE ("origin_ca_ecc_root.pem") into `text` (appended), once, by `deadline_ms`
 * (clock_monotonic_ms()) and within PUBLISHED_TIMEOUT_MS. What comes back is not to be believed
 * before its SHA-256 was held against a pin. Class transient; the remedy is the caller's.
 */
int published_fetch(struct published *published, const char *file, int64_t deadline_ms,
		    struct buffer *text, struct error *error);

DEFINE_CLEANUP(struct published *, published_close)

#endif
