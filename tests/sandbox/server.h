/* server.h - HTTP and TLS: from a connection to an exchange and back, faults included. */
#ifndef ORIGIN_CA_SANDBOX_SERVER_H
#define ORIGIN_CA_SANDBOX_SERVER_H

#include "sandbox.h"

struct server;

enum {
	SERVER_ADDRESS_SIZE = 80
};

/* Listens and serves in threads of its own. `address`: "https://127.0.0.1:PORT". */
int server_start(struct sandbox *sandbox, struct server **ret_server,
		 char address[static SERVER_ADDRESS_SIZE], struct error *error);

/* Ends all connections, also those that hang on purpose. */
void server_stop(struct server *server);

#endif
