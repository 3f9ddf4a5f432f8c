/* options.h - the command line. */
#ifndef ORIGIN_CA_SANDBOX_OPTIONS_H
#define ORIGIN_CA_SANDBOX_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"

struct options {
	struct sockaddr_storage listen; /* always a loopback address */
	char *state_dir;
	struct string_list zones, tokens, faults; /* specifications */
	bool plain;				  /* http instead of https */
	bool chaos;
	uint64_t chaos_seed;
	unsigned chaos_rate; /* percent */
	int64_t clock_offset;
	int64_t backdate; /* seconds */
	int64_t root_expires;
	int64_t limit_requests, limit_seconds; /* 0 requests: none */
	int64_t max_validity;		       /* seconds, 0: as asked for */
};

/* Returns 0; 1 when --help or --version was answered; -EINVAL (said on standard error). */
int options_parse(int argc, char **argv, struct options *ret_options);
void options_free(struct options *options);

#endif
