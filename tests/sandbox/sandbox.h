/* sandbox.h - everything that lives as long as the sandbox runs. */
#ifndef ORIGIN_CA_SANDBOX_SANDBOX_H
#define ORIGIN_CA_SANDBOX_SANDBOX_H

#include <stdatomic.h>

#include "authority.h"
#include "faults.h"
#include "ledger.h"
#include "limit.h"
#include "options.h"
#include "tokens.h"
#include "zones.h"

struct sandbox {
	struct options options;
	int directory; /* the state directory */
	struct authority authority;
	struct ledger *ledger;
	struct zones zones;
	struct tokens tokens;
	struct faults faults;
	struct chaos chaos;
	struct limit limit;
	int requests_fd; /* requests.jsonl */
	int stop_fd;	 /* readable once the sandbox is to end */
	char account_id[IDENTIFIER_SIZE];
	_Atomic int64_t clock_offset;
	_Atomic uint64_t requests[CHAOS_ROUTES]; /* by route */
};

/* Opens the state directory and makes what is missing in it. `options` become the sandbox's. */
int sandbox_open(struct options *options, struct sandbox *sandbox, struct error *error);
void sandbox_close(struct sandbox *sandbox);

/* The sandbox's time: seconds UTC with the offset. */
int64_t sandbox_now(const struct sandbox *sandbox);

/* After the port is known: DIR/endpoint and DIR/agent.ini. `address` is "https://HOST:PORT". */
int sandbox_announce(const struct sandbox *sandbox, const char *address, struct error *error);

#endif
