#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "authority.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/paths.h"
#include "base/random.h"
#include "limit.h"

static const char help[] =
	"Usage: origin-ca-sandbox --state DIR [OPTION]...\n"
	"A local Cloudflare Origin CA API, for trying out and for tests. Nobody trusts what it "
	"signs.\n"
	"\n"
	"  --state DIR             keeps roots, token, journals; made when absent\n"
	"  --listen ADDRESS:PORT   a loopback address (default 127.0.0.1:8443); port 0: a free "
	"one\n"
	"  --zone NAME[:STATUS],.. zones of the account (default example.com, example.net,\n"
	"                          example.org, xn--fsq.example); STATUS active, pending,\n"
	"                          initializing, moved or paused\n"
	"  --token TOKEN[:WORD,..] an API token: ssl:edit ssl:read zone:read settings:edit\n"
	"                          settings:read dns:read rules:edit rules:read pagerules:read "
	"all\n"
	"                          none, name=NAME, zone=NAME, status=disabled or expired\n"
	"                          (default: one made at the first start, kept in DIR/token)\n"
	"  --rate-limit N/SECONDS  requests allowed (default 1200/300), or none\n"
	"  --max-validity SECONDS  leaves live no longer, whatever is asked for\n"
	"  --backdate SECONDS      notBefore lies so far back, cut to the minute (default 300)\n"
	"  --clock-offset SECONDS  the sandbox's clock, against this machine's\n"
	"  --root-expires DATE     of roots that are made (default 2029-08-15T17:00:00Z)\n"
	"  --fault SPEC            misbehave: METHOD PATH:KIND[=VALUE][:COUNT|:always], e.g.\n"
	"                          'POST /certificates:lose-answer:2'. KIND: reset-before, hang,\n"
	"                          error=CODE or CODE, 200-false, 429, 500-html, lose-answer,\n"
	"                          hang-after, 502-html-after, slow-body, cut-body, empty-body,\n"
	"                          bare, other-date, wrong-names, wrong-validity, wrong-key,\n"
	"                          not-signed, ignore-page\n"
	"  --chaos SEED            misbehave at random, the same way for the same seed (or: "
	"random)\n"
	"  --chaos-rate PERCENT    how often (default 20)\n"
	"  --plain                 http instead of https\n"
	"  --help, --version\n"
	"\n"
	"When ready it prints \"listening on https://ADDRESS:PORT/client/v4\". For the agent, in "
	"DIR: "
	"agent.ini\n"
	"is a ready [api] section; endpoint, token and ca.pem are its parts.\n"
	"POST /sandbox/faults {\"add\": [SPEC...], \"clear\": true}, POST /sandbox/clock "
	"{\"offset\": S},\n"
	"PUT /sandbox/zones/NAME {\"dns_records\": [...], ...} and GET /sandbox/stats while it "
	"runs.\n";

enum {
	CHAOS_RATE = 20,	   /* percent */
	BACKDATE_DEFAULT = 5 * 60, /* seconds */
};

static int refuse(const char *option, const char *value, const char *what)
{
	fprintf(stderr, "origin-ca-sandbox: --%s %s: %s\n", option, value, what);
	return -EINVAL;
}

static int integer_parse(const char *text, int64_t least, int64_t most, int64_t *ret_value)
{
	char *end = NULL;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < least || value > most)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int seed_parse(const char *text, uint64_t *ret_seed)
{
	if (strcmp(text, "random") == 0) {
		*ret_seed = random_u32();
		return 0;
	}
	char *end = NULL;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 0);
	if (errno || end == text || *end || text[0] == '-')
		return -EINVAL;
	*ret_seed = value;
	return 0;
}

static int listen_parse(const char *text, struct sockaddr_storage *ret_address)
{
	const char *colon = strrchr(text, ':');
	int64_t port = 0;
	if (!colon || integer_parse(colon + 1, 0, UINT16_MAX, &port) < 0)
		return -EINVAL;
	bool bracketed = text[0] == '[' && colon[-1] == ']' && colon - text > 2;
	CLEANUP(freep)
	char *host = bracketed ? string_copy_n(text + 1, (size_t)(colon - text) - 2)
			       : string_copy_n(text, (size_t)(colon - text));

	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
	*ret_address = (struct sockaddr_storage){0};
	if (bracketed) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host, &six->sin6_addr) == 1 &&
				       IN6_IS_ADDR_LOOPBACK(&six->sin6_addr)
			       ? 0
			       : -EINVAL;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	if (strcmp(host, "localhost") == 0)
		four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, host, &four->sin_addr) != 1)
		return -EINVAL;
	return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET ? 0 : -EINVAL;
}

static int rate_parse(const char *text, struct options *options)
{
	if (strcmp(text, "none") == 0) {
		options->limit_requests = 0;
		return 0;
	}
	CLEANUP(freep) char *requests = string_copy(text);
	char *seconds = strchr(requests, '/');
	if (!seconds)
		return -EINVAL;
	*seconds++ = '\0';
	if (integer_parse(requests, 1, INT_MAX, &options->limit_requests) < 0)
		return -EINVAL;
	return integer_parse(seconds, 1, 86400, &options->limit_seconds);
}

static int date_parse(const char *text, int64_t *ret_time)
{
	CLEANUP(freep)
	char *full = strchr(text, 'T') ? string_copy(text) : string_format("%sT00:00:00Z", text);
	return clock_parse(full, ret_time);
}

static void split(const char *text, struct string_list *list)
{
	CLEANUP(freep) char *copy = string_copy(text);
	char *rest = NULL;
	for (char *item = strtok_r(copy, ", ", &rest); item; item = strtok_r(NULL, ", ", &rest))
		string_list_add(list, item);
}

static int option_apply(struct options *options, const char *name, const char *value)
{
	int64_t number = 0;
	if (strcmp(name, "listen") == 0)
		return listen_parse(value, &options->listen) < 0
			       ? refuse(name, value, "not a loopback ADDRESS:PORT")
			       : 0;
	if (strcmp(name, "state") == 0) {
		free(options->state_dir);
		options->state_dir = string_copy(value);
	} else if (strcmp(name, "zone") == 0) {
		split(value, &options->zones);
	} else if (strcmp(name, "token") == 0) {
		string_list_add(&options->tokens, value);
	} else if (strcmp(name, "fault") == 0) {
		string_list_add(&options->faults, value);
	} else if (strcmp(name, "plain") == 0) {
		options->plain = true;
	} else if (strcmp(name, "chaos") == 0) {
		options->chaos = true;
		if (seed_parse(value, &options->chaos_seed) < 0)
			return refuse(name, value, "not a number, nor \"random\"");
	} else if (strcmp(name, "chaos-rate") == 0) {
		if (integer_parse(value, 0, 100, &number) < 0)
			return refuse(name, value, "not a number of percent");
		options->chaos_rate = (unsigned)number;
	} else if (strcmp(name, "clock-offset") == 0) {
		if (integer_parse(value, -INT32_MAX, INT32_MAX, &options->clock_offset) < 0)
			return refuse(name, value, "not a number of seconds");
	} else if (strcmp(name, "backdate") == 0) {
		if (integer_parse(value, 0, INT32_MAX, &options->backdate) < 0)
			return refuse(name, value, "not a number of seconds");
	} else if (strcmp(name, "max-validity") == 0) {
		if (integer_parse(value, 1, INT32_MAX, &options->max_validity) < 0)
			return refuse(name, value, "not a number of seconds");
	} else if (strcmp(name, "root-expires") == 0) {
		if (date_parse(value, &options->root_expires) < 0)
			return refuse(name, value, "not a date, e.g. 2029-08-15");
	} else if (rate_parse(value, options) < 0) {
		return refuse(name, value, "not REQUESTS/SECONDS, nor \"none\"");
	}
	return 0;
}

static const struct option long_options[] = {
	{"listen", required_argument, NULL, 'o'},
	{"state", required_argument, NULL, 'o'},
	{"zone", required_argument, NULL, 'o'},
	{"token", required_argument, NULL, 'o'},
	{"fault", required_argument, NULL, 'o'},
	{"plain", no_argument, NULL, 'o'},
	{"chaos", required_argument, NULL, 'o'},
	{"chaos-rate", required_argument, NULL, 'o'},
	{"backdate", required_argument, NULL, 'o'},
	{"clock-offset", required_argument, NULL, 'o'},
	{"max-validity", required_argument, NULL, 'o'},
	{"root-expires", required_argument, NULL, 'o'},
	{"rate-limit", required_argument, NULL, 'o'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'v'},
	{0},
};

static int options_check(struct options *options)
{
	static const char *const zones[] = {"example.com", "example.net", "example.org",
					    "xn--fsq.example"};
	if (!options->state_dir || !*options->state_dir) {
		fprintf(stderr, "origin-ca-sandbox: --state DIR is missing; try --help\n");
		return -EINVAL;
	}
	bool given = options->zones.count > 0;
	for (size_t i = 0; !given && i < ARRAY_SIZE(zones); i++)
		string_list_add(&options->zones, zones[i]);
	return 0;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	*ret_options = (struct options){
		.chaos_rate = CHAOS_RATE,
		.backdate = BACKDATE_DEFAULT,
		.root_expires = ROOT_EXPIRES_DEFAULT,
		.limit_requests = LIMIT_REQUESTS,
		.limit_seconds = LIMIT_SECONDS,
	};
	int result = listen_parse("127.0.0.1:8443", &ret_options->listen);
	int index = 0;
	int letter;
	while (result == 0 && (letter = getopt_long(argc, argv, "", long_options, &index)) != -1) {
		if (letter == 'h' || letter == 'v') {
			if (letter == 'h')
				fputs(help, stdout);
			else
				printf("origin-ca-sandbox %s\n", path_version);
			return 1;
		}
		result = letter == 'o' ? option_apply(ret_options, long_options[index].name,
						      optarg ? optarg : "")
				       : -EINVAL;
	}
	if (result == 0 && optind < argc)
		result = refuse("state", argv[optind], "one argument too many; try --help");
	return result < 0 ? result : options_check(ret_options);
}

void options_free(struct options *options)
{
	free(options->state_dir);
	string_list_free(&options->zones);
	string_list_free(&options->tokens);
	string_list_free(&options->faults);
	*options = (struct options){0};
}
