/* Whom the client believes: certificates, TLS versions, proxies. */
#include "cloudflare_fixture.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct identity {
	EVP_PKEY *key;
	X509 *certificate;
};

/* Self-signed, valid from `from` to `to` seconds from now. */
static struct identity identity_make(const char *san, long from, long to)
{
	struct identity identity = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
	X509 *certificate = identity.certificate;
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), to);
	X509_set_pubkey(certificate, identity.key);
	X509_NAME *name = X509_get_subject_name(certificate);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1,
				   0);
	X509_set_issuer_name(certificate, name);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
	assert_true(X509_sign(certificate, identity.key, EVP_sha256()) > 0);
	return identity;
}

struct tls_fixture {
	struct fixture base;
	struct identity identity;
	SSL_CTX *context;
	char ca_file[96];
};

static const struct script_step good_steps[] = {{SCRIPT_ANSWER, 200, NULL, GOOD, 0}};

static void tls_open(struct tls_fixture *fixture, const char *san, long from, long to)
{
	fixture_files(&fixture->base);
	fixture->identity = identity_make(san, from, to);
	fixture->context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_use_certificate(fixture->context, fixture->identity.certificate);
	SSL_CTX_use_PrivateKey(fixture->context, fixture->identity.key);
	server_start(&fixture->base.server, good_steps, 1, fixture->context);
	snprintf(fixture->base.endpoint, sizeof(fixture->base.endpoint),
		 "https://127.0.0.1:%u/client/v4", fixture->base.server.port);
	fixture->base.api.endpoint = fixture->base.endpoint;

	snprintf(fixture->ca_file, sizeof(fixture->ca_file), "%s/ca.pem", fixture->base.directory);
	FILE *file = fopen(fixture->ca_file, "we");
	assert_non_null(file);
	PEM_write_X509(file, fixture->identity.certificate);
	fclose(file);
}

/* One POST with that ca_file (NULL: the system's). */
static int tls_call(struct tls_fixture *fixture, char *ca_file)
{
	fixture->base.api.ca_file = ca_file;
	assert_int_equal(
		client_new(&fixture->base.api, 0, &fixture->base.client, &fixture->base.error), 0);
	client_backoff(fixture->base.client, 4);
	int result = fixture_call(&fixture->base, "POST", "/certificates");
	client_free(fixture->base.client);
	return result;
}

static void tls_close(struct tls_fixture *fixture)
{
	unlink(fixture->ca_file);
	server_stop(&fixture->base.server);
	SSL_CTX_free(fixture->context);
	X509_free(fixture->identity.certificate);
	EVP_PKEY_free(fixture->identity.key);
	fixture_files_remove(&fixture->base);
}

/* Nothing was sent, so nothing can have been done. */
static void assert_refused(struct tls_fixture *fixture, enum error_class class)
{
	assert_int_equal(fixture->base.error.class, class);
	assert_false(fixture->base.error.outcome_unknown);
	assert_int_equal(fixture->base.server.request_count, 0);
}

static void test_self_signed_server_needs_its_ca_file(void **state)
{
	(void)state;
	struct tls_fixture fixture;
	tls_open(&fixture, "IP:127.0.0.1", -3600, 3600);
	assert_true(tls_call(&fixture, NULL) < 0);
	assert_refused(&fixture, ERROR_CONFIGURATION);
	assert_non_null(strstr(fixture.base.error.remedy, "ca_file"));
	assert_int_equal(tls_call(&fixture, fixture.ca_file), 0);
	assert_int_equal(fixture.base.server.request_count, 1);
	tls_close(&fixture);
}

static void test_certificate_for_another_name_is_refused(void **state)
{
	(void)state;
	struct tls_fixture fixture;
	tls_open(&fixture, "DNS:api.cloudflare.com", -3600, 3600);
	assert_true(tls_call(&fixture, fixture.ca_file) < 0);
	assert_refused(&fixture, ERROR_CONFIGURATION);
	tls_close(&fixture);
}

static void test_wrong_dates_pass_and_point_at_the_clock(void **state)
{
	(void)state;
	static const long dates[][2] = {{-7200, -3600}, {3600, 7200}};
	for (size_t i = 0; i < 2; i++) {
		struct tls_fixture fixture;
		tls_open(&fixture, "IP:127.0.0.1", dates[i][0], dates[i][1]);
		assert_true(tls_call(&fixture, fixture.ca_file) < 0);
		assert_refused(&fixture, ERROR_TRANSIENT);
		assert_non_null(strstr(fixture.base.error.remedy, "clock"));
		tls_close(&fixture);
	}
}

static void test_missing_ca_file_is_named_in_the_remedy(void **state)
{
	(void)state;
	static char missing[] = "/nonexistent/ca.pem";
	struct tls_fixture fixture;
	tls_open(&fixture, "IP:127.0.0.1", -3600, 3600);
	assert_true(tls_call(&fixture, missing) < 0);
	assert_refused(&fixture, ERROR_CONFIGURATION);
	assert_non_null(strstr(fixture.base.error.remedy, "ca_file"));
	tls_close(&fixture);
}

static void test_old_tls_is_refused(void **state)
{
	(void)state;
	struct tls_fixture fixture;
	tls_open(&fixture, "IP:127.0.0.1", -3600, 3600);
	SSL_CTX_set_cipher_list(fixture.context, "ALL@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(fixture.context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(fixture.context, TLS1_1_VERSION);
	assert_true(tls_call(&fixture, fixture.ca_file) < 0);
	assert_refused(&fixture, ERROR_TRANSIENT);
	tls_close(&fixture);
}

static void test_server_without_tls_was_not_sent_the_request(void **state)
{
	(void)state;
	struct fixture fixture;
	static const struct script_step steps[] = {
		{SCRIPT_RAW, 0, NULL, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0}};
	FIXTURE_OPEN(&fixture, steps, 1500);
	client_free(fixture.client);
	snprintf(fixture.endpoint, sizeof(fixture.endpoint), "https://127.0.0.1:%u",
		 fixture.server.port);
	fixture.api.timeout = 1;
	assert_int_equal(client_new(&fixture.api, 0, &fixture.client, &fixture.error), 0);
	client_backoff(fixture.client, 4);
	/* It waits for the end of a request that a ClientHello never is. */
	assert_true(fixture_call(&fixture, "POST", "/certificates") < 0);
	assert_int_equal(fixture.error.class, ERROR_TRANSIENT);
	assert_false(fixture.error.outcome_unknown);
	fixture_close(&fixture);
}

static void test_proxy_that_refuses_was_not_sent_the_request(void **state)
{
	(void)state;
	static const struct {
		struct script_step step;
		enum error_class class;
		size_t tries;
	} table[] = {
		{{SCRIPT_CLOSE, 407, "Proxy-Authenticate: Basic realm=x\r\n", "", 0},
		 ERROR_CONFIGURATION,
		 1},
		{{SCRIPT_CLOSE, 403, NULL, "<html>", 0}, ERROR_CONFIGURATION, 1},
		{{SCRIPT_CLOSE, 503, NULL, "", 0}, ERROR_TRANSIENT, CLIENT_TRIES},
		{{SCRIPT_SILENT, 0, NULL, NULL, 0}, ERROR_TRANSIENT, CLIENT_TRIES},
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fixture fixture;
		char proxy[80];
		print_message("proxy %zu\n", i);
		fixture_open(&fixture, &table[i].step, 1, 0);
		client_free(fixture.client);
		snprintf(proxy, sizeof(proxy), "http://user:pr0xysecret@127.0.0.1:%u",
			 fixture.server.port);
		/* Never reached: what is not a loopback address is only asked for by the proxy. */
		strcpy(fixture.endpoint, "https://api.invalid/client/v4");
		fixture.api.proxy = proxy;
		assert_int_equal(client_new(&fixture.api, 0, &fixture.client, &fixture.error), 0);
		client_backoff(fixture.client, 4);
		assert_true(fixture_call(&fixture, "POST", "/certificates") < 0);
		assert_int_equal(fixture.error.class, table[i].class);
		assert_false(fixture.error.outcome_unknown);
		assert_null(strstr(fixture.error.message, "pr0xysecret"));
		assert_int_equal(server_count(&fixture.server, "CONNECT "), table[i].tries);
		/* The proxy must not learn the token. */
		for (size_t n = 0; n < fixture.server.request_count; n++)
			assert_null(strstr(fixture.server.requests[n], TEST_TOKEN));
		fixture_close(&fixture);
	}
}

static void test_environments_proxy_is_not_asked_for_loopback(void **state)
{
	(void)state;
	static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY",
					    "ALL_PROXY"};
	for (size_t i = 0; i < 4; i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	struct tls_fixture fixture;
	tls_open(&fixture, "IP:127.0.0.1", -3600, 3600);
	assert_int_equal(tls_call(&fixture, fixture.ca_file), 0);
	tls_close(&fixture);

	struct fixture plain;
	FIXTURE_OPEN(&plain, good_steps, 0);
	assert_int_equal(fixture_call(&plain, "GET", "/zones"), 0);
	fixture_close(&plain);
	for (size_t i = 0; i < 4; i++)
		unsetenv(names[i]);
}

static void test_connection_over_tls_is_used_again(void **state)
{
	(void)state;
	struct tls_fixture fixture;
	tls_open(&fixture, "IP:127.0.0.1", -3600, 3600);
	fixture.base.api.ca_file = fixture.ca_file;
	assert_int_equal(
		client_new(&fixture.base.api, 0, &fixture.base.client, &fixture.base.error), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fixture_call(&fixture.base, i % 2 ? "POST" : "GET", "/zones"), 0);
	assert_int_equal(fixture.base.server.connection_count, 1);
	client_free(fixture.base.client);
	tls_close(&fixture);
}

/* OpenSSL itself refuses old TLS as Debian configures it; here only the client is to refuse it. */
static void openssl_loosen(char path[static 40])
{
	static const char text[] = "openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\n"
				   "system_default = default\n[default]\nMinProtocol = TLSv1\n"
				   "CipherString = DEFAULT@SECLEVEL=0\n";
	int fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		abort();
	close(fd);
	setenv("OPENSSL_CONF", path, 1);
}

int main(void)
{
	char openssl_conf[40] = "/tmp/origin-ca-test-XXXXXX";
	openssl_loosen(openssl_conf);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_signed_server_needs_its_ca_file),
		cmocka_unit_test(test_certificate_for_another_name_is_refused),
		cmocka_unit_test(test_wrong_dates_pass_and_point_at_the_clock),
		cmocka_unit_test(test_missing_ca_file_is_named_in_the_remedy),
		cmocka_unit_test(test_old_tls_is_refused),
		cmocka_unit_test(test_server_without_tls_was_not_sent_the_request),
		cmocka_unit_test(test_proxy_that_refuses_was_not_sent_the_request),
		cmocka_unit_test(test_environments_proxy_is_not_asked_for_loopback),
		cmocka_unit_test(test_connection_over_tls_is_used_again),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(openssl_conf);
	return failed;
}
