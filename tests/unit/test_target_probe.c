#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "target/probe.h"
#include "tls_server.h"

static struct credential ecdsa;
static struct credential rsa;
static struct probe *probe;

static int make_all(void **state)
{
	struct error error = {0};

	(void)state;
	ecdsa = credential_make(KEY_ECDSA_P256, "shop.example.com");
	rsa = credential_make(KEY_RSA_2048, "shop.example.com");
	signal(SIGPIPE, SIG_DFL);
	return probe_new(&probe, &error);
}

static int free_all(void **state)
{
	(void)state;
	probe_free(probe);
	credential_free(&ecdsa);
	credential_free(&rsa);
	return 0;
}

/* A server that misbehaves cannot be told from a slow machine by less. */
enum {
	PATIENCE_MS = 20000,
	SHORT_MS = 300
};

static int ask(const struct server *server, const char *hostname, enum key_type algorithm,
	       struct probe_result *result, struct error *error)
{
	return probe_handshake(probe, "127.0.0.1", server->port, hostname, algorithm, PATIENCE_MS,
			       result, error);
}

static void assert_serves(const struct server *server, const char *hostname,
			  enum key_type algorithm, const struct credential *expected)
{
	struct probe_result result = {0};
	struct error error = {0};

	int code = ask(server, hostname, algorithm, &result, &error);
	assert_string_equal(error.message, "");
	assert_int_equal(code, 0);
	assert_string_equal(result.facts.spki_sha256, expected->spki);
	probe_result_free(&result);
}

static void assert_fails(const struct server *server, int code, const char *words)
{
	struct probe_result result = {0};
	struct error error = {0};

	assert_int_equal(ask(server, "shop.example.com", KEY_TYPE_COUNT, &result, &error), code);
	assert_int_equal(error.code, code);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(strstr(error.message, "127.0.0.1:"));
	assert_non_null(strstr(error.message, "shop.example.com"));
	if (!strstr(error.message, words))
		fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void test_each_name_shows_its_own_leaf(void **state)
{
	struct credential other = credential_make(KEY_ECDSA_P384, "other.example.com");
	struct server server = {.behaviour = SERVE_TLS};

	(void)state;
	server_add(&server, "shop.example.com", &ecdsa);
	server_add(&server, "other.example.com", &other);
	assert_true(server_start(&server, AF_INET));
	assert_serves(&server, "shop.example.com", KEY_TYPE_COUNT, &ecdsa);
	assert_serves(&server, "other.example.com", KEY_TYPE_COUNT, &other);
	assert_serves(&server, "shop.example.com", KEY_ECDSA_P256, &ecdsa);
	server_stop(&server);
	credential_free(&other);
}

static void test_facts_are_those_of_the_leaf(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};
	struct probe_result result = {0};
	struct leaf_facts facts = {0};

	(void)state;
	server_add(&server, NULL, &rsa);
	assert_true(server_start(&server, AF_INET));
	assert_int_equal(ask(&server, "shop.example.com", KEY_RSA_2048, &result, NULL), 0);
	assert_int_equal(leaf_facts_read(rsa.leaf, &facts, NULL), 0);
	assert_string_equal(result.facts.sha256, facts.sha256);
	assert_string_equal(result.facts.serial, facts.serial);
	assert_int_equal(result.facts.not_after, facts.not_after);
	assert_int_equal(result.facts.key_type, KEY_RSA_2048);
	assert_true(string_list_same_set(&result.facts.hostnames, &facts.hostnames));
	probe_result_free(&result);
	leaf_facts_free(&facts);
	server_stop(&server);
}

static void test_wildcard_asks_for_a_label_of_ours(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};

	(void)state;
	server_add(&server, NULL, &ecdsa);
	assert_true(server_start(&server, AF_INET));
	assert_serves(&server, "*.example.com", KEY_TYPE_COUNT, &ecdsa);
	server_stop(&server);
	assert_string_equal(server.asked, "origin-ca-agent.example.com");
}

static void test_longest_wildcard_still_fits_a_name(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};
	char hostname[254] = "*";

	(void)state;
	for (size_t i = 1; i < 253; i++)
		hostname[i] = (char)(i % 50 == 1 ? '.' : 'a');
	server_add(&server, NULL, &ecdsa);
	assert_true(server_start(&server, AF_INET));
	assert_serves(&server, hostname, KEY_TYPE_COUNT, &ecdsa);
	server_stop(&server);
	assert_int_equal(strlen(server.asked), 253);
	assert_string_equal(server.asked + 1, hostname + 1);
}

/* Two leaves for one name: the one of the algorithm that was asked for, in both TLS versions. */
static void test_algorithm_chooses_between_two_leaves(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct server server = {.behaviour = SERVE_TLS};
		server_add(&server, NULL, &ecdsa);
		SSL_CTX *context = server_add(&server, NULL, &rsa);
		SSL_CTX_set_max_proto_version(context, versions[i]);
		assert_true(server_start(&server, AF_INET));
		assert_serves(&server, "shop.example.com", KEY_RSA_2048, &rsa);
		assert_serves(&server, "shop.example.com", KEY_RSA_4096, &rsa);
		assert_serves(&server, "shop.example.com", KEY_ECDSA_P256, &ecdsa);
		assert_serves(&server, "shop.example.com", KEY_ECDSA_P384, &ecdsa);
		server_stop(&server);
		assert_int_equal(server.version, versions[i]);
	}
}

static void test_leaf_of_another_algorithm_is_shown_not_refused(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct server server = {.behaviour = SERVE_TLS};
		SSL_CTX *context = server_add(&server, NULL, &rsa);
		SSL_CTX_set_max_proto_version(context, versions[i]);
		assert_true(server_start(&server, AF_INET));
		assert_serves(&server, "shop.example.com", KEY_ECDSA_P256, &rsa);
		server_stop(&server);
	}
}

static void test_every_handshake_is_a_full_one(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};

	(void)state;
	SSL_CTX *context = server_add(&server, NULL, &ecdsa);
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	assert_true(server_start(&server, AF_INET));
	for (int i = 0; i < 5; i++)
		assert_serves(&server, "shop.example.com", KEY_TYPE_COUNT, &ecdsa);
	server_stop(&server);
	assert_int_equal(server.handshakes, 5);
	assert_int_equal(server.resumed, 0);
}

static void test_server_that_wants_a_client_certificate_still_shows_its_leaf(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct server server = {.behaviour = SERVE_TLS, .want_client_certificate = true};
		SSL_CTX *context = server_add(&server, NULL, &ecdsa);
		SSL_CTX_set_max_proto_version(context, versions[i]);
		assert_true(server_start(&server, AF_INET));
		assert_serves(&server, "shop.example.com", KEY_ECDSA_P256, &ecdsa);
		server_stop(&server);
		assert_int_equal(server.handshakes, 0);
	}
}

/* With RSA key exchange nothing is signed: before the end, the leaf could be anybody's. */
static void test_unproven_leaf_of_a_refused_handshake_is_not_believed(void **state)
{
	struct server server = {.behaviour = SERVE_TLS, .want_client_certificate = true};

	(void)state;
	SSL_CTX *context = server_add(&server, NULL, &rsa);
	SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(context, "AES128-GCM-SHA256");
	assert_true(server_start(&server, AF_INET));
	assert_fails(&server, -EPROTO, "TLS alert");
	server.want_client_certificate = false;
	assert_serves(&server, "shop.example.com", KEY_TYPE_COUNT, &rsa);
	server_stop(&server);
}

static void test_leaf_without_its_key_is_not_believed(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct credential other = credential_make(KEY_ECDSA_P256, "shop.example.com");
	EVP_PKEY *key = impostor_key(ecdsa.key, other.key);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct server server = {.behaviour = SERVE_TLS};
		struct credential impostor = {.key = key, .leaf = ecdsa.leaf};
		SSL_CTX *context = server_add(&server, NULL, &impostor);
		SSL_CTX_set_max_proto_version(context, versions[i]);
		assert_true(server_start(&server, AF_INET));
		assert_fails(&server, -EPROTO, "bad signature");
		server_stop(&server);
	}
	EVP_PKEY_free(key);
	credential_free(&other);
}

static void test_unknown_name_is_told_as_the_servers_alert(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};
	struct probe_result result = {0};
	struct error error = {0};

	(void)state;
	server_add(&server, "other.example.com", &ecdsa);
	assert_true(server_start(&server, AF_INET));
	assert_int_equal(ask(&server, "shop.example.com", KEY_ECDSA_P256, &result, &error),
			 -EPROTO);
	assert_non_null(strstr(error.message, "TLS alert 112 (unrecognized name)"));
	assert_non_null(strstr(error.remedy, "shop.example.com"));
	server_stop(&server);
}

static void test_plain_http_is_named(void **state)
{
	struct server server = {.behaviour = SERVE_HTTP};

	(void)state;
	assert_true(server_start(&server, AF_INET));
	assert_fails(&server, -EPROTO, "plain HTTP");
	server_stop(&server);
}

static void test_another_protocol_is_quoted(void **state)
{
	struct server server = {.behaviour = SERVE_BANNER};

	(void)state;
	assert_true(server_start(&server, AF_INET));
	assert_fails(&server, -EPROTO, "SSH-2.0-OpenSSH_");
	server_stop(&server);
}

static void test_closed_connection_is_told(void **state)
{
	struct server server = {.behaviour = SERVE_GOODBYE};

	(void)state;
	assert_true(server_start(&server, AF_INET));
	assert_fails(&server, -ECONNRESET, "closed the connection");
	server_stop(&server);
}

/* SIGPIPE would end this test program. */
static void assert_survives(enum behaviour behaviour)
{
	struct server server = {.behaviour = behaviour};

	assert_true(server_start(&server, AF_INET));
	for (int i = 0; i < 200; i++) {
		struct error error = {0};
		int code = ask(&server, "shop.example.com", KEY_TYPE_COUNT, NULL, &error);
		assert_true(code == -ECONNRESET || code == -EPIPE || code == -EPROTO);
		assert_int_equal(error.class, ERROR_DEPLOY);
	}
	server_stop(&server);
}

static void test_broken_connections_do_not_kill_the_process(void **state)
{
	(void)state;
	assert_survives(SERVE_RESET);
	assert_survives(SERVE_HANGUP);
}

static void test_refused_connection_is_told_with_a_remedy(void **state)
{
	struct error error = {0};
	uint16_t port = 0;
	int fd = -1;

	(void)state;
	assert_true(listen_loopback(AF_INET, 1, &fd, &port));
	close(fd);
	assert_int_equal(probe_handshake(probe, "127.0.0.1", port, "a.test", KEY_TYPE_COUNT,
					 PATIENCE_MS, NULL, &error),
			 -ECONNREFUSED);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(strstr(error.message, "Connection refused"));
	assert_non_null(strstr(error.remedy, "probe ="));
}

static void assert_times_out(enum behaviour behaviour)
{
	struct server server = {.behaviour = behaviour};
	struct error error = {0};

	assert_true(server_start(&server, AF_INET));
	int64_t began = clock_monotonic_ms();
	assert_int_equal(probe_handshake(probe, "127.0.0.1", server.port, "a.test", KEY_ECDSA_P256,
					 SHORT_MS, NULL, &error),
			 -ETIMEDOUT);
	assert_true(clock_monotonic_ms() - began >= SHORT_MS);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(strstr(error.message, "in time"));
	server_stop(&server);
}

static void test_silent_server_ends_at_the_deadline(void **state)
{
	(void)state;
	assert_times_out(SERVE_SILENCE);
}

static void test_dripping_server_ends_at_the_deadline(void **state)
{
	(void)state;
	assert_times_out(SERVE_DRIP);
}

/* A full queue of connections: the kernel drops ours, and connect() would wait for minutes. */
static void test_connect_ends_at_the_deadline(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct error error = {0};
	uint16_t port = 0;
	int fd = -1;
	int waiting[4];

	(void)state;
	assert_true(listen_loopback(AF_INET, 0, &fd, &port));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(port);
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)!connect(waiting[i], (struct sockaddr *)&address, sizeof(address));
	}
	assert_int_equal(probe_handshake(probe, "127.0.0.1", port, "a.test", KEY_TYPE_COUNT,
					 SHORT_MS, NULL, &error),
			 -ETIMEDOUT);
	assert_non_null(strstr(error.message, "connect: "));
	for (size_t i = 0; i < ARRAY_SIZE(waiting); i++)
		close(waiting[i]);
	close(fd);
}

static void test_ipv6_address_is_probed_and_named_in_brackets(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};
	struct probe_result result = {0};
	struct error error = {0};

	(void)state;
	server_add(&server, "shop.example.com", &ecdsa);
	if (!server_start(&server, AF_INET6)) {
		SSL_CTX_free(server.sites[0].context);
		skip();
	}
	assert_int_equal(probe_handshake(probe, "::1", server.port, "shop.example.com",
					 KEY_TYPE_COUNT, PATIENCE_MS, &result, &error),
			 0);
	assert_string_equal(result.facts.spki_sha256, ecdsa.spki);
	probe_result_free(&result);
	assert_int_equal(probe_handshake(probe, "::1", server.port, "b.test", KEY_TYPE_COUNT,
					 PATIENCE_MS, &result, &error),
			 -EPROTO);
	assert_non_null(strstr(error.message, "[::1]:"));
	server_stop(&server);
}

/* localhost is ::1 first on most hosts; the server listens on 127.0.0.1 only. */
static void test_name_is_tried_at_each_of_its_addresses(void **state)
{
	struct server server = {.behaviour = SERVE_TLS};
	struct probe_result result = {0};
	struct error error = {0};

	(void)state;
	server_add(&server, NULL, &ecdsa);
	assert_true(server_start(&server, AF_INET));
	assert_int_equal(probe_handshake(probe, "localhost", server.port, "shop.example.com",
					 KEY_TYPE_COUNT, PATIENCE_MS, &result, &error),
			 0);
	probe_result_free(&result);
	server_stop(&server);
}

/* A label of more than 63 bytes never reaches a name server. */
static void test_name_that_does_not_resolve_is_told(void **state)
{
	struct error error = {0};
	char name[80];

	(void)state;
	memset(name, 'a', 70);
	name[70] = '\0';
	assert_int_equal(probe_handshake(probe, name, 443, "a.test", KEY_TYPE_COUNT, PATIENCE_MS,
					 NULL, &error),
			 -EHOSTUNREACH);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(strstr(error.message, "resolve"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_name_shows_its_own_leaf),
		cmocka_unit_test(test_facts_are_those_of_the_leaf),
		cmocka_unit_test(test_wildcard_asks_for_a_label_of_ours),
		cmocka_unit_test(test_longest_wildcard_still_fits_a_name),
		cmocka_unit_test(test_algorithm_chooses_between_two_leaves),
		cmocka_unit_test(test_leaf_of_another_algorithm_is_shown_not_refused),
		cmocka_unit_test(test_every_handshake_is_a_full_one),
		cmocka_unit_test(test_server_that_wants_a_client_certificate_still_shows_its_leaf),
		cmocka_unit_test(test_unproven_leaf_of_a_refused_handshake_is_not_believed),
		cmocka_unit_test(test_leaf_without_its_key_is_not_believed),
		cmocka_unit_test(test_unknown_name_is_told_as_the_servers_alert),
		cmocka_unit_test(test_plain_http_is_named),
		cmocka_unit_test(test_another_protocol_is_quoted),
		cmocka_unit_test(test_closed_connection_is_told),
		cmocka_unit_test(test_broken_connections_do_not_kill_the_process),
		cmocka_unit_test(test_refused_connection_is_told_with_a_remedy),
		cmocka_unit_test(test_silent_server_ends_at_the_deadline),
		cmocka_unit_test(test_dripping_server_ends_at_the_deadline),
		cmocka_unit_test(test_connect_ends_at_the_deadline),
		cmocka_unit_test(test_ipv6_address_is_probed_and_named_in_brackets),
		cmocka_unit_test(test_name_is_tried_at_each_of_its_addresses),
		cmocka_unit_test(test_name_that_does_not_resolve_is_told),
	};
	return cmocka_run_group_tests(tests, make_all, free_all);
}
