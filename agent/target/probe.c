#include "target/probe.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "target/probe_wire.h"

/* What a wildcard's "*" becomes, and the most bytes of a host name (RFC 1035, without the dot). */
#define WILDCARD_LABEL "origin-ca-agent"
enum {
	HOSTNAME_LIMIT = 253
};

struct probe {
	SSL_CTX *context;
	BIO_METHOD *method;
};

/* One handshake. */
struct attempt {
	struct wire wire;
	SSL *ssl;
	bool leaf_proven; /* the server has signed with the leaf's key */
	int alert;	  /* the alert that the server sent, -1 for none (RFC 8446 section 6) */
};

static void attempt_free(struct attempt *attempt)
{
	SSL_free(attempt->ssl);
	wire_close(&attempt->wire);
}

/* The first of OpenSSL's own words; the queue is emptied. */
static const char *openssl_words(char text[static 256])
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	snprintf(text, 256, "%s", reason ? reason : "no reason given");
	ERR_clear_error();
	return text;
}

/* The caller compares leaves; a chain that is not publicly trusted is what we expect. */
static int accept_any_chain(X509_STORE_CTX *store, void *unused)
{
	(void)store;
	(void)unused;
	return 1;
}

/*
 * Called when a state of the handshake is complete. The server has proven that it holds the leaf's
 * key once its CertificateVerify was read (TLS 1.3), or once we answer its signed key exchange
 * (TLS 1.2); with plain RSA key exchange only the finished handshake proves it.
 */
static void on_progress(const SSL *ssl, int where, int value)
{
	struct attempt *attempt = SSL_get_app_data(ssl);

	(void)value;
	if (!(where & SSL_CB_LOOP))
		return;
	OSSL_HANDSHAKE_STATE state = SSL_get_state(ssl);
	if (state == TLS_ST_CR_CERT_VRFY)
		attempt->leaf_proven = true;
	if (state == TLS_ST_CW_KEY_EXCH) {
		const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);
		attempt->leaf_proven = cipher && SSL_CIPHER_get_kx_nid(cipher) != NID_kx_rsa;
	}
}

int probe_new(struct probe **ret_probe, struct error *error)
{
	CLEANUP(probe_freep) struct probe *probe = memory_alloc(1, sizeof(*probe));
	char words[256];

	ERR_clear_error();
	probe->method = wire_bio_method();
	probe->context = SSL_CTX_new(TLS_client_method());
	if (!probe->method || !probe->context ||
	    SSL_CTX_set_min_proto_version(probe->context, TLS1_2_VERSION) != 1)
		return error_set(error, ERROR_LOCAL, -ENOMEM, "prepare TLS: %s",
				 openssl_words(words));
	/* We look and do not judge: a server with old parameters shows its leaf, too. */
	SSL_CTX_set_security_level(probe->context, 0);
	SSL_CTX_set_options(probe->context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_NO_TICKET |
						    SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_session_cache_mode(probe->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_cert_verify_callback(probe->context, accept_any_chain, NULL);
	SSL_CTX_set_verify(probe->context, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_info_callback(probe->context, on_progress);
	*ret_probe = TAKE_PTR(probe);
	return 0;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	SSL_CTX_free(probe->context);
	BIO_meth_free(probe->method);
	free(probe);
}

void probe_result_free(struct probe_result *result)
{
	leaf_facts_free(&result->facts);
}

/* The name for SNI. A long wildcard name leaves less room than our label takes. */
static char *server_name(const char *hostname)
{
	size_t length = strlen(hostname);

	if (!string_starts(hostname, "*."))
		return string_copy(hostname);
	size_t room = length - 1 < HOSTNAME_LIMIT ? HOSTNAME_LIMIT - (length - 1) : 1;
	size_t label = strlen(WILDCARD_LABEL);
	return string_format("%.*s%s", (int)(label < room ? label : room), WILDCARD_LABEL,
			     hostname + 1);
}

/* OpenSSL's macros cast const away from what they only read. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
static bool set_signatures(SSL *ssl, const char *list)
{
	return SSL_set1_sigalgs_list(ssl, list) == 1;
}

static bool set_server_name(SSL *ssl, const char *name)
{
	return SSL_set_tlsext_host_name(ssl, name) == 1;
}
#pragma GCC diagnostic pop

/*
 * Offers only what a leaf of this algorithm can sign with: the signature algorithms choose in TLS
 * 1.3, the cipher suites in TLS 1.2.
 */
static bool offer(SSL *ssl, enum key_type algorithm)
{
	const char *signatures = NULL;
	const char *ciphers = NULL;

	switch (algorithm) {
	case KEY_ECDSA_P256:
	case KEY_ECDSA_P384:
		signatures = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512";
		ciphers = "aECDSA:!aNULL:!eNULL";
		break;
	case KEY_RSA_2048:
	case KEY_RSA_3072:
	case KEY_RSA_4096:
		signatures = "RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
			     "RSA+SHA256:RSA+SHA384:RSA+SHA512";
		ciphers = "aRSA:!aNULL:!eNULL";
		break;
	case KEY_TYPE_COUNT:
	default:
		return true;
	}
	return set_signatures(ssl, signatures) && SSL_set_cipher_list(ssl, ciphers) == 1;
}

static int attempt_prepare(struct attempt *attempt, const struct probe *probe, const char *name,
			   enum key_type algorithm, struct error *error)
{
	char words[256];

	ERR_clear_error();
	attempt->ssl = SSL_new(probe->context);
	BIO *bio = attempt->ssl ? wire_bio(probe->method, &attempt->wire) : NULL;
	if (!bio)
		return error_set(error, ERROR_LOCAL, -ENOMEM, "prepare TLS: %s",
				 openssl_words(words));
	SSL_set_bio(attempt->ssl, bio, bio);
	SSL_set_app_data(attempt->ssl, attempt);
	if (!set_server_name(attempt->ssl, name) || !offer(attempt->ssl, algorithm))
		return error_set(error, ERROR_BUG, -EINVAL, "prepare TLS for %s: %s", name,
				 openssl_words(words));
	return 0;
}

/* A TLS record starts with its type, 20 to 24, and 3 (RFC 8446 section 5.1). */
static bool answer_is_tls(const struct wire *wire)
{
	return wire->first_length == 0 || (wire->first[0] >= 20 && wire->first[0] <= 24 &&
					   (wire->first_length == 1 || wire->first[1] == 3));
}

static int not_tls_error(struct wire *wire, struct error *error)
{
	char text[sizeof(wire->first) + 1];

	wire_look_further(wire);
	if (wire->first_length >= 5 && memcmp(wire->first, "HTTP/", 5) == 0) {
		error_set(error, ERROR_DEPLOY, -EPROTO, "the server speaks plain HTTP there");
		return error_remedy(error,
				    "turn TLS on for that port (NGINX: `listen 443 ssl`), or "
				    "set the target's `probe =` to the TLS port");
	}
	for (size_t i = 0; i < wire->first_length; i++)
		text[i] = (char)(isprint(wire->first[i]) ? wire->first[i] : '.');
	text[wire->first_length] = '\0';
	error_set(error, ERROR_DEPLOY, -EPROTO,
		  "the server does not speak TLS there; it says \"%s\"", text);
	return error_remedy(error, "set the target's `probe =` to the server's TLS port");
}

static int alert_error(struct attempt *attempt, const char *name, int reason, struct error *error)
{
	attempt->alert = reason - SSL_AD_REASON_OFFSET;
	error_set(error, ERROR_DEPLOY, -EPROTO,
		  "the server refused the handshake: TLS alert %d (%s)", attempt->alert,
		  SSL_alert_desc_string_long(attempt->alert));
	if (attempt->alert == SSL_AD_UNRECOGNIZED_NAME)
		return error_remedy(error, "no virtual host of the server answers for %s", name);
	return error_remedy(error, "the server's own log says why it refused");
}

/* A server that waits for a PROXY line (`listen ... proxy_protocol`) ends like this or is silent.
 */
static const char remedy_silent[] =
	"the server's own log says why; where it expects the PROXY protocol, set the target's "
	"`probe =` to an address where it does not";

static int closed_error(const struct wire *wire, struct error *error)
{
	int code = wire->code < 0 ? wire->code : -ECONNRESET;

	error_set(error, ERROR_DEPLOY, code,
		  "the server closed the connection during the handshake%s%s",
		  wire->code < 0 ? ": " : "", wire->code < 0 ? strerrordesc_np(-code) : "");
	return error_remedy(error, "%s", remedy_silent);
}

static int handshake_error(struct attempt *attempt, const char *name, struct error *error)
{
	char words[256];
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);

	if (!answer_is_tls(&attempt->wire)) {
		ERR_clear_error();
		return not_tls_error(&attempt->wire, error);
	}
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
	    reason < SSL_AD_REASON_OFFSET + 256) {
		ERR_clear_error();
		return alert_error(attempt, name, reason, error);
	}
	if (attempt->wire.code < 0 || attempt->wire.closed) {
		ERR_clear_error();
		return closed_error(&attempt->wire, error);
	}
	error_set(error, ERROR_DEPLOY, -EPROTO, "TLS handshake: %s", openssl_words(words));
	return error_remedy(error,
			    "`openssl s_client -connect ADDRESS -servername %s` shows what "
			    "the server does",
			    name);
}

/* 0 when the leaf is known and proven, however the handshake ended. */
static int handshake(struct attempt *attempt, const char *name, int64_t deadline,
		     struct error *error)
{
	for (;;) {
		ERR_clear_error();
		int result = SSL_connect(attempt->ssl);
		if (result == 1)
			return 0;
		int why = SSL_get_error(attempt->ssl, result);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			break;
		result = wire_wait(&attempt->wire, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
				   deadline);
		if (result < 0 && !attempt->leaf_proven) {
			error_set(error, ERROR_DEPLOY, result, "TLS handshake: %s",
				  result == -ETIMEDOUT ? "the server did not answer in time"
						       : strerrordesc_np(-result));
			return error_remedy(error, "%s", remedy_silent);
		}
		if (result < 0)
			return 0;
	}
	/* Authenticated origin pulls: a server that wants Cloudflare's client certificate shows its
	 * leaf, proves it, and then refuses us. The leaf is all that we came for. */
	if (attempt->leaf_proven) {
		ERR_clear_error();
		return 0;
	}
	return handshake_error(attempt, name, error);
}

static int read_facts(const struct attempt *attempt, struct probe_result *ret_result,
		      struct error *error)
{
	struct leaf_facts facts = {0};
	X509 *leaf = SSL_get0_peer_certificate(attempt->ssl);

	if (!leaf) {
		error_set(error, ERROR_DEPLOY, -EPROTO, "the server showed no certificate");
		return error_remedy(error, "give the server's block for that name a certificate");
	}
	int result = leaf_facts_read(leaf, &facts, error);
	if (result < 0) {
		if (error)
			error->class = ERROR_DEPLOY;
		return result;
	}
	ret_result->facts = facts;
	return 0;
}

/* `ret_alert` gets the alert by which the server refused, or -1. */
static int probe_once(const struct probe *probe, const char *address, uint16_t port,
		      const char *name, enum key_type algorithm, int64_t deadline, int *ret_alert,
		      struct probe_result *ret_result, struct error *error)
{
	CLEANUP(attempt_free) struct attempt attempt = {.wire.fd = -1, .alert = -1};

	*ret_alert = -1;
	int result = wire_connect(address, port, deadline, &attempt.wire, error);
	if (result == 0)
		result = attempt_prepare(&attempt, probe, name, algorithm, error);
	if (result == 0)
		result = handshake(&attempt, name, deadline, error);
	*ret_alert = attempt.alert;
	if (result == 0)
		result = read_facts(&attempt, ret_result, error);
	/* Says goodbye, so that the server logs no aborted connection. */
	if (result == 0 && SSL_is_init_finished(attempt.ssl))
		SSL_shutdown(attempt.ssl);
	ERR_clear_error();
	return result;
}

int probe_handshake(struct probe *probe, const char *address, uint16_t port, const char *hostname,
		    enum key_type algorithm, int64_t timeout_ms, struct probe_result *ret_result,
		    struct error *error)
{
	CLEANUP(freep) char *name = server_name(hostname);
	CLEANUP(freep) char *where = wire_name(address, port);
	int64_t deadline = clock_monotonic_ms() + timeout_ms;
	int alert = -1;

	int result = probe_once(probe, address, port, name, algorithm, deadline, &alert, ret_result,
				error);
	/* No leaf of this algorithm: which one is there then? Its facts tell the caller more than
	 * the alert does, above all while a server still has to change from one to the other. */
	if (result < 0 && alert == SSL_AD_HANDSHAKE_FAILURE && algorithm != KEY_TYPE_COUNT &&
	    probe_once(probe, address, port, name, KEY_TYPE_COUNT, deadline, &alert, ret_result,
		       NULL) == 0) {
		error_clear(error);
		return 0;
	}
	if (result < 0)
		error_prefix(error, "%s: handshake for %s", where, name);
	return result;
}
