#include "target/probe_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"

typedef struct addrinfo *address_list;
DEFINE_CLEANUP(address_list, freeaddrinfo)

char *wire_name(const char *address, uint16_t port)
{
	return string_format(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, (unsigned)port);
}

int wire_wait(const struct wire *wire, short events, int64_t deadline)
{
	for (;;) {
		int64_t left = stop_cut(deadline) - clock_monotonic_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		struct pollfd waiting = {.fd = wire->fd, .events = events};
		int ready = poll(&waiting, 1, left > 60000 ? 60000 : (int)left);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

void wire_close(struct wire *wire)
{
	closep(&wire->fd);
	wire->fd = -1;
}

/* One address. The socket is in `wire` on success only. */
static int connect_one(const struct addrinfo *to, int64_t deadline, struct wire *wire)
{
	CLEANUP(closep)
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The client's messages are small and each is waited for. */
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0) {
		/* EINTR of a non-blocking connect: it goes on, as with EINPROGRESS. */
		if (errno != EINPROGRESS && errno != EINTR)
			return -errno;
		int result = wire_wait(&(struct wire){.fd = fd}, POLLOUT, deadline);
		if (result < 0)
			return result;
		int code = 0;
		socklen_t size = sizeof(code);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
			return -errno;
		if (code != 0)
			return -code;
	}
	*wire = (struct wire){.fd = TAKE_FD(fd)};
	return 0;
}

/* A literal address needs no resolver; for a name the resolver's own limits count. */
static int resolve(const char *address, uint16_t port, address_list *ret_list, struct error *error)
{
	char service[8];
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	int code = getaddrinfo(address, service, &hints, ret_list);
	if (code == EAI_NONAME) {
		hints.ai_flags = AI_NUMERICSERV;
		code = getaddrinfo(address, service, &hints, ret_list);
	}
	if (code == 0)
		return 0;
	error_set(error, ERROR_DEPLOY, -EHOSTUNREACH, "resolve %s: %s", address,
		  code == EAI_SYSTEM ? strerrordesc_np(errno) : gai_strerror(code));
	return error_remedy(error, "write an address in the target's `probe =`");
}

static int connect_error(int code, struct error *error)
{
	error_set(error, ERROR_DEPLOY, code, "connect: %s", strerrordesc_np(-code));
	if (code == -ECONNREFUSED)
		error_remedy(error, "the server does not listen there: set the target's `probe =` "
				    "to where it does");
	return code;
}

int wire_connect(const char *address, uint16_t port, int64_t deadline, struct wire *ret_wire,
		 struct error *error)
{
	CLEANUP(freeaddrinfop) address_list list = NULL;
	int left = 0;

	int result = resolve(address, port, &list, error);
	if (result < 0)
		return result;
	for (const struct addrinfo *at = list; at; at = at->ai_next)
		left++;
	for (const struct addrinfo *at = list; at; at = at->ai_next, left--) {
		int64_t now = clock_monotonic_ms();
		result = connect_one(at, now + (deadline - now) / left, ret_wire);
		if (result == 0)
			return 0;
	}
	return connect_error(result, error);
}

static int bio_write(BIO *bio, const char *data, int length)
{
	struct wire *wire = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	ssize_t written = send(wire->fd, data, (size_t)length, MSG_NOSIGNAL);
	if (written >= 0)
		return (int)written;
	if (errno == EAGAIN || errno == EINTR)
		BIO_set_retry_write(bio);
	else
		wire->code = -errno;
	return -1;
}

static int bio_read(BIO *bio, char *data, int length)
{
	struct wire *wire = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	ssize_t got = recv(wire->fd, data, (size_t)length, 0);
	if (got < 0) {
		if (errno == EAGAIN || errno == EINTR)
			BIO_set_retry_read(bio);
		else
			wire->code = -errno;
		return -1;
	}
	if (got == 0)
		wire->closed = true;
	size_t keep = sizeof(wire->first) - wire->first_length;
	if (keep > (size_t)got)
		keep = (size_t)got;
	memcpy(wire->first + wire->first_length, data, keep);
	wire->first_length += keep;
	return (int)got;
}

void wire_look_further(struct wire *wire)
{
	ssize_t got = recv(wire->fd, wire->first + wire->first_length,
			   sizeof(wire->first) - wire->first_length, MSG_DONTWAIT);
	if (got > 0)
		wire->first_length += (size_t)got;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	const struct wire *wire = BIO_get_data(bio);

	(void)number;
	(void)pointer;
	if (command == BIO_CTRL_FLUSH)
		return 1;
	return command == BIO_CTRL_EOF && wire->closed;
}

BIO_METHOD *wire_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "probe");

	if (!method)
		return NULL;
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_ctrl(method, bio_control);
	return method;
}

BIO *wire_bio(const BIO_METHOD *method, struct wire *wire)
{
	BIO *bio = BIO_new(method);

	if (!bio)
		return NULL;
	BIO_set_data(bio, wire);
	BIO_set_init(bio, 1);
	return bio;
}
