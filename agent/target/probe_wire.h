/* probe_wire.h - the TCP connection under a probe's handshake; only probe.c includes it. */
#ifndef ORIGIN_CA_TARGET_PROBE_WIRE_H
#define ORIGIN_CA_TARGET_PROBE_WIRE_H

#include <openssl/bio.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* A connected, non-blocking socket and what was seen of the other side. */
struct wire {
	int fd;
	bool closed;		 /* the other side ended the connection in order */
	int code;		 /* negative errno of the call that broke it, or 0 */
	unsigned char first[32]; /* the first bytes that came: TLS, or something else */
	size_t first_length;
};

/*
 * Connects within `deadline` (clock_monotonic_ms()); what a name resolves to is tried in order,
 * each with its share of the time. Errors of class deploy: -ECONNREFUSED, -ETIMEDOUT,
 * -EHOSTUNREACH, ...
 */
int wire_connect(const char *address, uint16_t port, int64_t deadline, struct wire *ret_wire,
		 struct error *error);
void wire_close(struct wire *wire);

/* Fills `first` with what has already come: OpenSSL stops reading at the first wrong byte. */
void wire_look_further(struct wire *wire);

/* Waits for `events` of poll(2): 0, -ETIMEDOUT at the deadline, or another negative errno. */
int wire_wait(const struct wire *wire, short events, int64_t deadline);

/*
 * How OpenSSL reads and writes a wire. Its own socket BIO writes with write(2), so that a server
 * that closes early would end this process by SIGPIPE; this one cannot.
 */
BIO_METHOD *wire_bio_method(void);

/* A BIO for `wire`, which must outlive it; NULL when OpenSSL cannot. */
BIO *wire_bio(const BIO_METHOD *method, struct wire *wire);

/* "127.0.0.1:443" or "[::1]:443" for messages; free it. */
char *wire_name(const char *address, uint16_t port);

#endif
