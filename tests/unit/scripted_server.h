/*
 * scripted_server.h - an HTTP server on 127.0.0.1 that plays given answers, right or wrong.
 *
 * Each request takes the next step of the script; the last one is repeated. One thread a
 * connection. What came in is kept: how many connections, and the text of every request.
 */
#ifndef ORIGIN_CA_TESTS_SCRIPTED_SERVER_H
#define ORIGIN_CA_TESTS_SCRIPTED_SERVER_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

enum script_kind {
	SCRIPT_ANSWER,	/* status, headers, body; the connection stays open */
	SCRIPT_CLOSE,	/* the same, then the connection is closed */
	SCRIPT_CUT,	/* the same, but only `cut` bytes of the body, then closed */
	SCRIPT_SILENT,	/* the request is read, then the connection is closed without a byte */
	SCRIPT_RESET,	/* the request is read, then the connection is reset */
	SCRIPT_DROP,	/* the connection is reset as soon as it is there */
	SCRIPT_HANG,	/* the request is read and never answered */
	SCRIPT_TRICKLE, /* a byte of the answer every 50 ms */
	SCRIPT_RAW,	/* `body` is all that is sent, then the connection is closed */
};

struct script_step {
	enum script_kind kind;
	int status;
	const char *headers; /* whole lines, each with \r\n; or NULL */
	const char *body;    /* or NULL */
	size_t cut;
};

enum {
	SERVER_CONNECTIONS = 256,
	SERVER_REQUESTS = 4096,
	SERVER_REQUEST_SIZE = 64 * 1024,
};

struct server {
	const struct script_step *steps;
	size_t step_count;
	SSL_CTX *tls; /* NULL: plain */
	int listener;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	bool stopping;
	size_t next;
	size_t connection_count;
	int connections[SERVER_CONNECTIONS]; /* -1: closed */
	pthread_t threads[SERVER_CONNECTIONS];
	size_t request_count;
	char *requests[SERVER_REQUESTS];
};

struct server_connection {
	struct server *server;
	size_t index;
	int fd;
	SSL *tls;
};

static inline ssize_t connection_read(struct server_connection *connection, char *data, size_t size)
{
	return connection->tls ? SSL_read(connection->tls, data, (int)size)
			       : read(connection->fd, data, size);
}

static inline bool connection_write(struct server_connection *connection, const char *data,
				    size_t length)
{
	while (length > 0) {
		ssize_t written = connection->tls
					  ? SSL_write(connection->tls, data, (int)length)
					  : send(connection->fd, data, length, MSG_NOSIGNAL);
		if (written <= 0)
			return false;
		data += written;
		length -= (size_t)written;
	}
	return true;
}

/* One request with its body; NULL when the client has gone. */
static inline char *request_read(struct server_connection *connection)
{
	char *text = memory_alloc(SERVER_REQUEST_SIZE, 1);
	size_t length = 0;
	for (;;) {
		const char *end = strstr(text, "\r\n\r\n");
		if (end) {
			const char *field = strcasestr(text, "\r\nContent-Length:");
			size_t body = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
			if (length >= (size_t)(end + 4 - text) + body)
				return text;
		}
		ssize_t got = connection_read(connection, text + length,
					      SERVER_REQUEST_SIZE - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	free(text);
	return NULL;
}

static inline struct script_step server_step(struct server *server, char *request)
{
	pthread_mutex_lock(&server->lock);
	if (request && server->request_count < SERVER_REQUESTS)
		server->requests[server->request_count++] = request;
	else
		free(request);
	size_t at = server->next < server->step_count ? server->next++ : server->step_count - 1;
	struct script_step step = server->steps[at];
	pthread_mutex_unlock(&server->lock);
	return step;
}

static inline void connection_reset(struct server_connection *connection)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* True while the connection stays open. */
static inline bool step_play(struct server_connection *connection, const struct script_step *step)
{
	size_t length = step->body ? strlen(step->body) : 0;
	char byte;

	switch (step->kind) {
	case SCRIPT_SILENT:
		return false;
	case SCRIPT_RESET:
	case SCRIPT_DROP:
		connection_reset(connection);
		return false;
	case SCRIPT_HANG:
		while (connection_read(connection, &byte, 1) > 0)
			;
		return false;
	case SCRIPT_RAW:
		connection_write(connection, step->body, length);
		return false;
	default:
		break;
	}
	char *answer = string_format("HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n%s",
				     step->status, length, step->headers ? step->headers : "",
				     step->body ? step->body : "");
	size_t whole = strlen(answer);
	size_t most = step->kind == SCRIPT_CUT ? whole - length + step->cut : whole;
	bool open = true;
	if (step->kind == SCRIPT_TRICKLE) {
		for (size_t i = 0; open && i < most; i++) {
			open = connection_write(connection, answer + i, 1);
			clock_sleep_ms(50);
		}
	} else {
		open = connection_write(connection, answer, most);
	}
	free(answer);
	return open && step->kind == SCRIPT_ANSWER;
}

static inline void *connection_serve(void *argument)
{
	struct server_connection *connection = argument;
	struct server *server = connection->server;
	bool open = true;

	pthread_mutex_lock(&server->lock);
	size_t at = server->next < server->step_count ? server->next : server->step_count - 1;
	bool drop = server->steps[at].kind == SCRIPT_DROP;
	server->next += drop;
	pthread_mutex_unlock(&server->lock);
	if (drop) {
		connection_reset(connection);
		open = false;
	}
	if (open && server->tls) {
		connection->tls = SSL_new(server->tls);
		SSL_set_fd(connection->tls, connection->fd);
		open = SSL_accept(connection->tls) == 1;
	}
	while (open) {
		char *request = request_read(connection);
		if (!request)
			break;
		struct script_step step = server_step(server, request);
		open = step_play(connection, &step);
	}
	if (connection->tls && open)
		SSL_shutdown(connection->tls);
	SSL_free(connection->tls);
	pthread_mutex_lock(&server->lock);
	server->connections[connection->index] = -1;
	close(connection->fd);
	pthread_mutex_unlock(&server->lock);
	free(connection);
	return NULL;
}

static inline void *server_accept(void *argument)
{
	struct server *server = argument;
	/* For this thread and those it starts; what the client does about it is its own. */
	sigset_t pipe;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	for (;;) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		pthread_mutex_lock(&server->lock);
		bool stop = fd < 0 || server->stopping ||
			    server->connection_count == SERVER_CONNECTIONS;
		if (!stop) {
			struct server_connection *connection = memory_alloc(1, sizeof(*connection));
			size_t index = server->connection_count++;
			*connection = (struct server_connection){
				.server = server, .index = index, .fd = fd};
			server->connections[index] = fd;
			pthread_create(&server->threads[index], NULL, connection_serve, connection);
		}
		pthread_mutex_unlock(&server->lock);
		if (stop) {
			if (fd >= 0)
				close(fd);
			return NULL;
		}
	}
}

static inline void server_start(struct server *server, const struct script_step *steps,
				size_t step_count, SSL_CTX *tls)
{
	*server = (struct server){.steps = steps, .step_count = step_count, .tls = tls};
	pthread_mutex_init(&server->lock, NULL);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->listener < 0 ||
	    bind(server->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(server->listener, 64) < 0 ||
	    getsockname(server->listener, (struct sockaddr *)&address, &size) < 0)
		abort();
	server->port = ntohs(address.sin_port);
	pthread_create(&server->thread, NULL, server_accept, server);
}

static inline void server_stop(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	for (size_t i = 0; i < server->connection_count; i++)
		if (server->connections[i] >= 0)
			shutdown(server->connections[i], SHUT_RDWR);
	pthread_mutex_unlock(&server->lock);
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
	for (size_t i = 0; i < server->connection_count; i++)
		pthread_join(server->threads[i], NULL);
	for (size_t i = 0; i < server->request_count; i++)
		free(server->requests[i]);
	pthread_mutex_destroy(&server->lock);
}

/* Requests whose first line starts with `part` ("POST "). */
static inline size_t server_count(struct server *server, const char *part)
{
	size_t count = 0;
	pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < server->request_count; i++)
		count += string_starts(server->requests[i], part) != 0;
	pthread_mutex_unlock(&server->lock);
	return count;
}

#endif
