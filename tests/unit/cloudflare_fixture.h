/* cloudflare_fixture.h - a client that talks to a scripted server, and its token file. */
#ifndef ORIGIN_CA_TESTS_CLOUDFLARE_FIXTURE_H
#define ORIGIN_CA_TESTS_CLOUDFLARE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cloudflare/client.h"
#include "scripted_server.h"

#define TEST_TOKEN   "cfut_s3cretS3cretS3cretS3cretS3cret0123456789"
#define TEST_ZONE    "0123456789abcdef0123456789abcdef"
#define GOOD	     "{\"success\":true,\"errors\":[],\"messages\":[],\"result\":{}}"
#define FAILED(list) "{\"success\":false,\"errors\":[" list "],\"messages\":[],\"result\":null}"

struct fixture {
	struct server server;
	struct client *client;
	struct config_api api;
	struct error error;
	struct client_status status;
	char directory[64];
	char endpoint[64];
	char token_file[80];
};

static inline void fixture_files(struct fixture *fixture)
{
	*fixture = (struct fixture){0};
	strcpy(fixture->directory, "/tmp/origin-ca-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->token_file, sizeof(fixture->token_file), "%s/token", fixture->directory);
	int fd = open(fixture->token_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, TEST_TOKEN "\n", sizeof(TEST_TOKEN)), sizeof(TEST_TOKEN));
	close(fd);
	static char name[] = "";
	fixture->api =
		(struct config_api){.name = name, .token_file = fixture->token_file, .timeout = 2};
}

/* `deadline_in_ms` 0: none. Backoffs are short unless a test makes them long. */
static inline void fixture_open(struct fixture *fixture, const struct script_step *steps,
				size_t step_count, int64_t deadline_in_ms)
{
	fixture_files(fixture);
	server_start(&fixture->server, steps, step_count, NULL);
	snprintf(fixture->endpoint, sizeof(fixture->endpoint), "http://127.0.0.1:%u/client/v4",
		 fixture->server.port);
	fixture->api.endpoint = fixture->endpoint;
	int64_t deadline = deadline_in_ms ? clock_monotonic_ms() + deadline_in_ms : 0;
	assert_int_equal(client_new(&fixture->api, deadline, &fixture->client, &fixture->error), 0);
	client_backoff(fixture->client, 4);
}

#define FIXTURE_OPEN(fixture, steps, deadline)                                                     \
	fixture_open(fixture, steps, sizeof(steps) / sizeof((steps)[0]), deadline)

static inline void fixture_files_remove(struct fixture *fixture)
{
	unlink(fixture->token_file);
	rmdir(fixture->directory);
}

/* Also checks, in every test, that the last error does not show the token. */
static inline void fixture_close(struct fixture *fixture)
{
	assert_null(strstr(fixture->error.message, TEST_TOKEN));
	assert_null(strstr(fixture->error.remedy, TEST_TOKEN));
	client_free(fixture->client);
	server_stop(&fixture->server);
	fixture_files_remove(fixture);
}

/* One call; the answer is thrown away. */
static inline int fixture_call(struct fixture *fixture, const char *method, const char *path)
{
	cJSON *answer = NULL;
	cJSON *body = strcmp(method, "POST") == 0 ? cJSON_CreateObject() : NULL;
	int result = client_call_status(fixture->client, method, path, body, &answer,
					&fixture->status, &fixture->error);
	cJSON_Delete(body);
	cJSON_Delete(answer);
	return result;
}

#endif
