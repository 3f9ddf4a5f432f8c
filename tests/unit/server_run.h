/*
 * server_run.h - a real server in the foreground on a port of 127.0.0.1, and what a client sees of
 * it. Include after server_host.h.
 */
#ifndef ORIGIN_CA_TESTS_SERVER_RUN_H
#define ORIGIN_CA_TESTS_SERVER_RUN_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "server_host.h"

enum {
	SERVER_START_MS = 60 * 1000
};

struct server_run {
	pid_t pid;
	char *log;
};

/* What a test that failed has left running: it would stay after the tests. */
static pid_t server_running;

static inline void server_abandon(void)
{
	if (server_running > 0)
		kill(server_running, SIGKILL);
}

/* A port that nobody had a moment ago. */
static inline uint16_t port_free(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	CLEANUP(closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static inline int port_connect(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = 10};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline void log_show(const struct server_run *run)
{
	struct buffer text = BUFFER(FILE_LIMIT);
	if (file_read(run->log, &text, NULL) == 0)
		print_message("%s\n", buffer_text(&text));
	buffer_free(&text);
}

/* Starts a program whose output goes to DIRECTORY/server.log; `environment` may be {NULL}. */
static inline pid_t program_spawn(const struct host *host, const char *const *arguments,
				  const char *const *environment, char **ret_log)
{
	posix_spawn_file_actions_t actions;
	*ret_log = string_format("%s/server.log", host->directory);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, *ret_log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	pid_t pid = 0;
	/* The analyser does not know that skip() ends a test that has no program. */
	const char *program = arguments[0] ? arguments[0] : "";
	int code = posix_spawn(&pid, program, &actions, NULL, (char *const *)(uintptr_t)arguments,
			       (char *const *)(uintptr_t)environment);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(code, 0);
	return pid;
}

/* True when a program that only looks (apache2 -t, haproxy -c) ends with 0; else its words are
 * printed. */
static inline bool program_agrees(const struct host *host, const char *const *arguments)
{
	static const char *const nothing[] = {NULL};
	struct server_run run;
	int status = -1;
	run.pid = program_spawn(host, arguments, nothing, &run.log);
	assert_int_equal(waitpid(run.pid, &status, 0), run.pid);
	bool agrees = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (!agrees)
		log_show(&run);
	free(run.log);
	return agrees;
}

/* Starts a server and waits until it listens. */
static inline struct server_run server_run(const struct host *host, const char *const *arguments,
					   const char *const *environment, uint16_t port)
{
	static bool watched;
	struct server_run run;
	if (!watched)
		watched = atexit(server_abandon) == 0;
	server_abandon();
	run.pid = server_running = program_spawn(host, arguments, environment, &run.log);
	int64_t deadline = clock_monotonic_ms() + SERVER_START_MS;
	for (;;) {
		CLEANUP(closep) int fd = port_connect(port);
		if (fd >= 0)
			return run;
		if (waitpid(run.pid, NULL, WNOHANG) == run.pid || clock_monotonic_ms() > deadline) {
			log_show(&run);
			fail_msg("%s does not listen", arguments[0]);
		}
		clock_sleep_ms(20);
	}
}

static inline void server_end(struct server_run *run)
{
	kill(run->pid, SIGTERM);
	waitpid(run->pid, NULL, 0);
	server_running = 0;
	free(run->log);
}

/* What a client saw. */
struct visit {
	X509 *leaf; /* or NULL: no handshake */
	int status; /* HTTP, of a request; 0: no answer */
};

static inline void visit_free(struct visit *visit)
{
	X509_free(visit->leaf);
}

/* A handshake for a name, with the host's client certificate or without, and a request. */
static inline struct visit visit_make(uint16_t port, const char *name, EVP_PKEY *client_key,
				      X509 *client)
{
	struct visit visit = {0};
	CLEANUP(closep) int fd = port_connect(port);
	assert_true(fd >= 0);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (client) {
		assert_int_equal(SSL_CTX_use_certificate(context, client), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(context, client_key), 1);
	}
	SSL *tls = SSL_new(context);
	SSL_set_fd(tls, fd);
	/* The macro casts to void *. */
	CLEANUP(freep) char *asked = string_copy(name);
	SSL_set_tlsext_host_name(tls, asked);
	if (SSL_connect(tls) == 1) {
		CLEANUP(freep)
		char *request = string_format("GET / HTTP/1.0\r\nHost: %s\r\n\r\n", name);
		char line[13] = "";
		visit.leaf = SSL_get1_peer_certificate(tls);
		if (SSL_write(tls, request, (int)strlen(request)) > 0 &&
		    SSL_read(tls, line, sizeof(line) - 1) == sizeof(line) - 1 &&
		    string_starts(line, "HTTP/1."))
			visit.status = atoi(line + 9);
	}
	ERR_clear_error();
	SSL_free(tls);
	SSL_CTX_free(context);
	return visit;
}

static inline bool host_serves(const struct host *host, uint16_t port, const char *name)
{
	struct visit visit = visit_make(port, name, host->client_key, host->client);
	bool serves = visit.leaf && X509_cmp(visit.leaf, host->leaf) == 0;
	visit_free(&visit);
	return serves;
}

/* A request is answered for Cloudflare's client certificate and for no other visitor: the handshake
 * ends, or (nginx) HTTP says 400. */
static inline void assert_client_asked(const struct host *host, uint16_t port)
{
	EVP_PKEY *stranger_key = make_key(KEY_ECDSA_P256);
	X509 *stranger = host_leaf(stranger_key, NULL, "stranger", NULL);
	struct visit good = visit_make(port, "shop.example", host->client_key, host->client);
	struct visit none = visit_make(port, "shop.example", NULL, NULL);
	struct visit other = visit_make(port, "shop.example", stranger_key, stranger);
	assert_true(good.status != 0 && good.status != 400);
	assert_true(none.status == 0 || none.status == 400);
	assert_true(other.status == 0 || other.status == 400);
	visit_free(&good);
	visit_free(&none);
	visit_free(&other);
	X509_free(stranger);
	EVP_PKEY_free(stranger_key);
}

/* The first of the paths that can be executed, or NULL. */
static inline const char *program_find(const char *const *paths)
{
	for (; *paths; paths++)
		if (access(*paths, X_OK) == 0)
			return *paths;
	return NULL;
}

#endif
