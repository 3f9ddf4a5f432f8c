/*
 * probe.h - a TLS handshake that shows which leaf a server serves for a name.
 */
#ifndef ORIGIN_CA_TARGET_PROBE_H
#define ORIGIN_CA_TARGET_PROBE_H

#include <stdint.h>

#include "base/error.h"
#include "pki/leaf.h"

struct probe; /* one TLS context for many handshakes; one thread at a time */

int probe_new(struct probe **ret_probe, struct error *error);
void probe_free(struct probe *probe);

/* What was served. Free with probe_result_free(). */
struct probe_result {
	struct leaf_facts facts;
};

void probe_result_free(struct probe_result *result);

/*
 * Connects to address:port (an IP address, or a name: what it resolves to, in order), says
 * `hostname` by SNI (a wildcard name gets the label "origin-ca-agent" for its "*"), completes a
 * TLS 1.2 or 1.3 handshake and reads the leaf. The chain is not verified: an Origin CA leaf is not
 * publicly trusted; the caller compares. That the server holds the leaf's key is proven by the
 * handshake itself, also when the server then refuses us for want of a client certificate
 * (authenticated origin pulls). Within `timeout_ms`, to which only the resolver of a name can add.
 *
 * Errors are of class deploy: -ECONNREFUSED, -ETIMEDOUT, -ECONNRESET (closed during the
 * handshake), -EHOSTUNREACH (also: the name does not resolve), -EPROTO (a TLS alert, or the server
 * does not speak TLS there).
 *
 * `algorithm`: a server with an ECDSA and an RSA certificate for one name chooses by what the
 * client offers; the probe offers only what the certificate in question needs (KEY_TYPE_COUNT:
 * both). A server that has none of this algorithm is asked once more for any: the facts are then
 * of a leaf of another key type, never an error.
 */
int probe_handshake(struct probe *probe, const char *address, uint16_t port, const char *hostname,
		    enum key_type algorithm, int64_t timeout_ms, struct probe_result *ret_result,
		    struct error *error);

DEFINE_CLEANUP(struct probe *, probe_free)

#endif
