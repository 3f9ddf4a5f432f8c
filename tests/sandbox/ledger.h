/*
 * ledger.h - every certificate ever issued: in memory for answers, on disk for restarts and tests.
 *
 * issued.jsonl gets one JSON line a certificate before the answer is sent, so a line is an issue,
 * whatever became of the answer. revoked.jsonl gets one a revocation. Nothing is synced: a sandbox
 * must survive its own death, not that of the machine.
 */
#ifndef ORIGIN_CA_SANDBOX_LEDGER_H
#define ORIGIN_CA_SANDBOX_LEDGER_H

#include <stdatomic.h>
#include <stdint.h>

#include "authority.h"

/* Never changes and never goes away once it is in the ledger, save `revoked_at`. Times: seconds
 * UTC. */
struct issued {
	char *id; /* the serial in decimal */
	char *pem;
	char *csr;
	struct string_list hostnames; /* as given, without duplicates, in the order of answers */
	struct string_list zone_ids;
	enum algorithm algorithm;
	int64_t requested_days;
	int64_t issued_at;
	int64_t expires_on;
	char *token;		    /* name */
	char *fault;		    /* what was made wrong on purpose, or NULL */
	_Atomic int64_t revoked_at; /* 0: not */
};

void issued_free(struct issued *issued);

struct ledger;

/* Reads both journals of the directory. A last line that a crash cut short is dropped. */
int ledger_open(int directory, const char *where, struct ledger **ret_ledger, struct error *error);
void ledger_free(struct ledger *ledger);

/* Journals, then keeps; `issued` becomes the ledger's in any case. A negative errno when the
 * journal cannot be written (the certificate then does not exist). */
int ledger_add(struct ledger *ledger, struct issued *issued);

/* NULL when there is none. */
struct issued *ledger_find(struct ledger *ledger, const char *id);

/* -EALREADY when it is revoked already. */
int ledger_revoke(struct ledger *ledger, struct issued *issued, int64_t now);

/* The page'th `size` (from 0) certificates of a zone, newest first, into `page_of` (room for
 * `size`). Returns how many; `ret_total` is how many the zone has. */
size_t ledger_page(struct ledger *ledger, const char *zone_id, size_t page, size_t size,
		   struct issued **page_of, size_t *ret_total);

size_t ledger_count(struct ledger *ledger, size_t *ret_revoked);

DEFINE_CLEANUP(struct issued *, issued_free)

#endif
