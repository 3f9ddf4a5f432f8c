/*
 * tls_server.h - a small server on loopback, in a thread, that serves leaves by SNI or misbehaves
 * in a chosen way. For tests; each includes it once.
 */
#ifndef ORIGIN_CA_TESTS_TLS_SERVER_H
#define ORIGIN_CA_TESTS_TLS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "pki/leaf.h"

enum behaviour {
	SERVE_TLS,
	SERVE_SILENCE, /* accepts, reads, never answers */
	SERVE_DRIP,    /* starts a TLS record and sends a byte of it now and then, for ever */
	SERVE_HTTP,    /* plain HTTP, as nginx answers TLS on a port without `ssl` */
	SERVE_BANNER,  /* speaks first, and not TLS */
	SERVE_RESET,   /* resets each connection at once */
	SERVE_HANGUP,  /* an empty ServerHello, and closes at once: our alert breaks the pipe */
	SERVE_GOODBYE, /* reads the ClientHello and closes */
};

enum {
	SERVER_SITES = 4
};

/* A key and its self-signed leaf. */
struct credential {
	EVP_PKEY *key;
	X509 *leaf;
	char spki[SHA256_TEXT_SIZE];
};

struct site {
	const char *name; /* NULL: whoever asks */
	SSL_CTX *context;
};

struct server {
	enum behaviour behaviour;
	struct site sites[SERVER_SITES];
	size_t site_count;
	bool want_client_certificate;
	int listener;
	uint16_t port;
	pthread_t thread;
	atomic_int handshakes; /* completed */
	atomic_int resumed;
	atomic_int version; /* TLS1_2_VERSION ... of the last */
	char asked[256];    /* the last SNI; read it after server_stop() */
	atomic_bool stopping;
};

static inline struct credential credential_make(enum key_type type, const char *hostname)
{
	struct credential made = {0};
	struct string_list names = {0};
	struct buffer pem = BUFFER(1 << 16);
	struct error error = {0};

	string_list_add(&names, hostname);
	if (key_generate(type, &made.key, &error) < 0 ||
	    leaf_make_placeholder(made.key, &names, clock_now(), &pem, &error) < 0 ||
	    leaf_read_pem(pem.data, pem.length, &made.leaf, &error) < 0 ||
	    key_spki_sha256(made.key, made.spki, &error) < 0) {
		fprintf(stderr, "credential: %s\n", error.message);
		abort();
	}
	buffer_free(&pem);
	string_list_free(&names);
	return made;
}

static inline void credential_free(struct credential *credential)
{
	EVP_PKEY_free(credential->key);
	X509_free(credential->leaf);
	*credential = (struct credential){0};
}

/* A P-256 key that says it is `shown` and signs as somebody else: what an impostor has. */
static inline EVP_PKEY *impostor_key(const EVP_PKEY *shown, const EVP_PKEY *other)
{
	unsigned char point[256];
	size_t length = 0;
	BIGNUM *secret = NULL;
	EVP_PKEY *key = NULL;
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

	if (EVP_PKEY_get_octet_string_param(shown, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					    &length) != 1 ||
	    EVP_PKEY_get_bn_param(other, OSSL_PKEY_PARAM_PRIV_KEY, &secret) != 1)
		abort();
	OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, length);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	if (EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, params) != 1)
		abort();
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_clear_free(secret);
	return key;
}

/* Serves `credential` for `name` (NULL: for every name); a second one for a name adds to it. */
static inline SSL_CTX *server_add(struct server *server, const char *name,
				  const struct credential *credential)
{
	struct site *site = &server->sites[0];

	while (site->context && (site->name != name))
		site++;
	if (!site->context) {
		*site = (struct site){.name = name, .context = SSL_CTX_new(TLS_server_method())};
		server->site_count++;
	}
	if (SSL_CTX_use_certificate(site->context, credential->leaf) != 1 ||
	    SSL_CTX_use_PrivateKey(site->context, credential->key) != 1)
		abort();
	return site->context;
}

static inline int server_choose(SSL *ssl, int *alert, void *argument)
{
	struct server *server = argument;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	snprintf(server->asked, sizeof(server->asked), "%s", name ? name : "");
	for (size_t i = 0; i < server->site_count; i++) {
		const struct site *site = &server->sites[i];
		if (!site->name || (name && strcmp(site->name, name) == 0)) {
			SSL_set_SSL_CTX(ssl, site->context);
			return SSL_TLSEXT_ERR_OK;
		}
	}
	*alert = SSL_AD_UNRECOGNIZED_NAME;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static inline int verify_nothing(int ok, X509_STORE_CTX *store)
{
	(void)store;
	return ok;
}

static inline void serve_tls(struct server *server, int fd)
{
	unsigned char byte = 0;
	SSL *ssl = SSL_new(server->sites[0].context);

	SSL_set_fd(ssl, fd);
	if (server->want_client_certificate)
		SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			       verify_nothing);
	if (SSL_accept(ssl) == 1) {
		server->version = SSL_version(ssl);
		server->resumed += SSL_session_reused(ssl);
		server->handshakes++;
		SSL_read(ssl, &byte, 1);
	}
	SSL_free(ssl);
}

static inline void serve_drip(struct server *server, int fd)
{
	static const unsigned char head[] = {22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb};

	ssize_t sent = send(fd, head, sizeof(head), MSG_NOSIGNAL);
	while (sent > 0 && !server->stopping) {
		clock_sleep_ms(10);
		sent = send(fd, "x", 1, MSG_NOSIGNAL);
	}
}

static inline void serve_text(int fd, const char *text, bool read_first)
{
	char bytes[4096];

	if (read_first && recv(fd, bytes, sizeof(bytes), 0) <= 0)
		return;
	send(fd, text, strlen(text), MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
}

static inline void serve(struct server *server, int fd)
{
	static const unsigned char empty_hello[] = {22, 3, 3, 0, 4, 2, 0, 0, 0};
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	char bytes[4096];

	switch (server->behaviour) {
	case SERVE_TLS:
		serve_tls(server, fd);
		break;
	case SERVE_SILENCE:
		while (recv(fd, bytes, sizeof(bytes), 0) > 0)
			;
		break;
	case SERVE_DRIP:
		serve_drip(server, fd);
		break;
	case SERVE_HTTP:
		serve_text(fd, "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", true);
		break;
	case SERVE_BANNER:
		serve_text(fd, "SSH-2.0-OpenSSH_9.2\r\n", false);
		break;
	case SERVE_RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		break;
	case SERVE_HANGUP:
		send(fd, empty_hello, sizeof(empty_hello), MSG_NOSIGNAL);
		break;
	case SERVE_GOODBYE:
		(void)!recv(fd, bytes, sizeof(bytes), 0);
		break;
	}
}

static inline void *server_run(void *argument)
{
	struct server *server = argument;
	sigset_t pipe_signal;

	/* Ours is not what is tested: SIGPIPE stays deadly for the probe's thread only. */
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
	for (;;) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return NULL;
		serve(server, fd);
		close(fd);
	}
}

/* Listens on a free port of 127.0.0.1 or ::1; false when the host has no such address. */
static inline bool listen_loopback(int family, int backlog, int *ret_fd, uint16_t *ret_port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} address = {.any.sa_family = (sa_family_t)family};
	socklen_t size = family == AF_INET ? sizeof(address.four) : sizeof(address.six);

	if (family == AF_INET)
		address.four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.six.sin6_addr = in6addr_loopback;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &address.any, size) < 0 || listen(fd, backlog) < 0 ||
	    getsockname(fd, &address.any, &size) < 0) {
		closep(&fd);
		return false;
	}
	*ret_port = ntohs(family == AF_INET ? address.four.sin_port : address.six.sin6_port);
	*ret_fd = fd;
	return true;
}

static inline bool server_start(struct server *server, int family)
{
	if (!listen_loopback(family, 16, &server->listener, &server->port))
		return false;
	if (server->site_count > 0) {
		SSL_CTX_set_tlsext_servername_callback(server->sites[0].context, server_choose);
		SSL_CTX_set_tlsext_servername_arg(server->sites[0].context, server);
	}
	if (pthread_create(&server->thread, NULL, server_run, server) != 0)
		abort();
	return true;
}

static inline void server_stop(struct server *server)
{
	server->stopping = true;
	shutdown(server->listener, SHUT_RDWR); /* accept4() returns */
	pthread_join(server->thread, NULL);
	close(server->listener);
	for (size_t i = 0; i < server->site_count; i++)
		SSL_CTX_free(server->sites[i].context);
}

#endif
