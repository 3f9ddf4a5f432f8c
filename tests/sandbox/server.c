#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/log.h"
#include "delivery.h"

enum {
	CONNECTIONS = 512,
	CONNECTION_MEMORY = 64 << 10, /* bytes of request line and headers */
	IDLE_SECONDS = 75,
	STACK = 512 << 10,
	BODY_PATIENCE = 1 << 20, /* bytes of a too large body that are read to be able to say so */
	BACKLOG = 511,
};

struct server {
	struct sandbox *sandbox;
	struct MHD_Daemon *daemon;
};

/* What is gathered of a request before it can be answered; one a connection, used again. */
struct arrival {
	char *uri;
	bool begun;
	struct buffer body;
	size_t received;
};

static void arrival_clear(struct arrival *arrival)
{
	buffer_free(&arrival->body);
	free(arrival->uri);
	*arrival = (struct arrival){.body = BUFFER(BODY_LIMIT)};
}

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode code)
{
	(void)context;
	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*state = memory_alloc(1, sizeof(struct arrival));
		return;
	}
	if (*state)
		arrival_clear(*state);
	free(*state);
	*state = NULL;
}

static struct arrival *arrival_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/*
 * Where a request begins. (Not all that begin get as far as on_request() or to a notification of
 * their end, so nothing may be allocated here that the connection does not own.)
 */
static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
	(void)context;
	struct arrival *arrival = arrival_of(connection);
	if (arrival) {
		arrival_clear(arrival);
		arrival->uri = string_copy(uri);
	}
	return NULL;
}

static enum MHD_Result too_large(struct sandbox *sandbox, struct MHD_Connection *connection)
{
	CLEANUP(reply_clear) struct reply reply = {0};
	reply_error(&reply, 413, 1003, "The request's body has more than %d bytes", BODY_LIMIT);
	return delivery_send(sandbox, connection, &reply, &(struct fault){0});
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **state)
{
	(void)version;
	(void)state;
	struct sandbox *sandbox = context;
	struct arrival *arrival = arrival_of(connection);
	if (!arrival || !arrival->uri)
		return MHD_NO;
	if (!arrival->begun) {
		arrival->begun = true;
		return MHD_YES;
	}
	if (*upload_size > 0) {
		/* What is beyond the bound makes the buffer fail, and is dropped. */
		buffer_add(&arrival->body, upload, *upload_size);
		arrival->received += *upload_size;
		*upload_size = 0;
		return arrival->received > BODY_PATIENCE ? MHD_NO : MHD_YES;
	}
	if (arrival->body.failed)
		return too_large(sandbox, connection);

	struct request request = {
		.method = method,
		.path = path,
		.body = buffer_text(&arrival->body),
		.body_length = arrival->body.length,
		.connection = connection,
	};
	return delivery_answer(sandbox, &request, arrival->uri);
}

/* The library's own words, e.g. on a failed handshake. */
static void on_log(void *context, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *format, va_list arguments)
{
	(void)context;
	char text[512];
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_debug("%s", text);
}

static int socket_open(const struct sockaddr_storage *address, int *ret_fd, struct error *error)
{
	socklen_t length = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
							  : sizeof(struct sockaddr_in);
	int yes = 1;
	CLEANUP(closep) int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(error, -errno, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	    bind(fd, (const struct sockaddr *)address, length) < 0 || listen(fd, BACKLOG) < 0)
		return error_errno(error, -errno, "cannot listen on the address of --listen");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int address_format(int fd, bool plain, char address[static SERVER_ADDRESS_SIZE],
			  struct error *error)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} bound = {.six = {0}};
	socklen_t length = sizeof(bound);
	char host[INET6_ADDRSTRLEN] = "";
	if (getsockname(fd, &bound.any, &length) < 0)
		return error_errno(error, -errno, "cannot find the port");
	const char *scheme = plain ? "http" : "https";
	if (bound.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &bound.six.sin6_addr, host, sizeof(host));
		snprintf(address, SERVER_ADDRESS_SIZE, "%s://[%s]:%u", scheme, host,
			 ntohs(bound.six.sin6_port));
	} else {
		inet_ntop(AF_INET, &bound.four.sin_addr, host, sizeof(host));
		snprintf(address, SERVER_ADDRESS_SIZE, "%s://%s:%u", scheme, host,
			 ntohs(bound.four.sin_port));
	}
	return 0;
}

/*
 * A thread a connection: a request that hangs on purpose then holds up nobody else. The number of
 * connections bounds the threads.
 */
static struct MHD_Daemon *daemon_start(struct sandbox *sandbox, int fd)
{
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL_INTERNAL_THREAD |
			 MHD_USE_ERROR_LOG | MHD_USE_ITC;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_KEY, 0, sandbox->authority.tls_key_pem},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, sandbox->authority.tls_certificate_pem},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	bool plain = sandbox->options.plain;
	return MHD_start_daemon(plain ? flags : flags | MHD_USE_TLS, 0, NULL, NULL, on_request,
				sandbox, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned)IDLE_SECONDS, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK,
				MHD_OPTION_URI_LOG_CALLBACK, on_uri, NULL,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_ARRAY,
				plain ? none : tls, MHD_OPTION_END);
}

int server_start(struct sandbox *sandbox, struct server **ret_server,
		 char address[static SERVER_ADDRESS_SIZE], struct error *error)
{
	CLEANUP(closep) int fd = -1;
	int result = socket_open(&sandbox->options.listen, &fd, error);
	if (result == 0)
		result = address_format(fd, sandbox->options.plain, address, error);
	if (result < 0)
		return result;

	struct MHD_Daemon *daemon = daemon_start(sandbox, fd);
	if (!daemon)
		return error_set(error, ERROR_LOCAL, -EIO, "cannot start the HTTP server on %s",
				 address);
	(void)TAKE_FD(fd); /* the daemon's */
	struct server *server = memory_alloc(1, sizeof(*server));
	*server = (struct server){sandbox, daemon};
	*ret_server = server;
	return 0;
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	uint64_t one = 1;
	if (write(server->sandbox->stop_fd, &one, sizeof(one)) < 0)
		log_warning("cannot end connections that wait: %s", strerror(errno));
	MHD_stop_daemon(server->daemon);
	free(server);
}
