/* main.c - origin-ca-sandbox: a local Cloudflare Origin CA API. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "routes.h"
#include "sandbox.h"
#include "server.h"

static int serve(struct sandbox *sandbox, const sigset_t *signals, struct error *error)
{
	char address[SERVER_ADDRESS_SIZE];
	struct server *server = NULL;
	int result = server_start(sandbox, &server, address, error);
	if (result == 0)
		result = sandbox_announce(sandbox, address, error);
	if (result == 0) {
		log_info("token %s (also in %s/token)", sandbox->tokens.items[0].secret,
			 sandbox->options.state_dir);
		if (sandbox->chaos.on)
			log_notice("chaos seed %" PRIu64 ", %u%% of requests", sandbox->chaos.seed,
				   sandbox->chaos.rate);
		printf("listening on %s%s\n", address, API_PREFIX);
		fflush(stdout);
		int number = 0;
		sigwait(signals, &number);
	}
	server_stop(server);
	return result;
}

int main(int argc, char **argv)
{
	struct options options = {0};
	int parsed = options_parse(argc, argv, &options);
	if (parsed != 0) {
		options_free(&options);
		return parsed > 0 ? 0 : 2;
	}
	log_open(LOG_LEVEL_INFO);

	/* Blocked before any thread is made, so that only sigwait() sees them. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a journal that cannot grow is an error, not the end */

	struct sandbox sandbox;
	struct error error = {0};
	int result = sandbox_open(&options, &sandbox, &error);
	if (result == 0)
		result = serve(&sandbox, &signals, &error);
	if (result < 0)
		log_failure(LOG_LEVEL_ERROR, &error);
	sandbox_close(&sandbox);
	return result < 0 ? 1 : 0;
}
