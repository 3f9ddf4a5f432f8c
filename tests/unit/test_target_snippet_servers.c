/* The packaged templates of httpd and HAProxy, committed, with real keys: the real servers take
 * them and serve the leaf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_run.h"

static const char *const nothing[] = {NULL};
static const char *const apaches[] = {"/usr/sbin/apache2", "/usr/sbin/httpd", NULL};
static const char *const haproxies[] = {"/usr/sbin/haproxy", "/usr/local/sbin/haproxy", NULL};
static const char *const nginxes[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx", NULL};

/* Where httpd's modules are, or NULL. */
static const char *modules_find(void)
{
	static const char *const places[] = {"/usr/lib/apache2/modules", "/usr/lib64/httpd/modules",
					     "/etc/httpd/modules"};
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

/* A server of its own, with stapling on for all: the virtual host has to turn it off. */
static char *apache_configuration(const struct host *host, const char *modules, uint16_t port)
{
	CLEANUP(freep)
	char *text = string_format(
		"ServerRoot %s\nServerName localhost\nPidFile httpd.pid\nErrorLog %s/error.log\n"
		"LoadModule mpm_event_module %s/mod_mpm_event.so\n"
		"LoadModule authz_core_module %s/mod_authz_core.so\n"
		"LoadModule socache_shmcb_module %s/mod_socache_shmcb.so\n"
		"LoadModule ssl_module %s/mod_ssl.so\n"
		"%s"
		"SSLUseStapling on\nSSLStaplingCache \"shmcb:%s/stapling(32768)\"\n"
		"Mutex file:%s\nStartServers 1\nListen 127.0.0.1:%u\n<VirtualHost *:%u>\n"
		"ServerName shop.example\nServerAlias *.shop.example\n"
		"Include \"%s/shop.conf\"\n</VirtualHost>\n",
		host->directory, host->directory, modules, modules, modules, modules,
		geteuid() == 0 ? "User nobody\n" : "", host->directory, host->directory, port, port,
		host->target.snippet_dir);
	host_file(host->directory, "httpd.conf", text, strlen(text));
	return string_format("%s/httpd.conf", host->directory);
}

/* httpd logs an error for a certificate that it cannot staple. */
static void assert_no_stapling(const struct host *host)
{
	CLEANUP(freep) char *path = string_format("%s/error.log", host->directory);
	struct buffer text = BUFFER(FILE_LIMIT);
	struct error error = {0};
	assert_int_equal(file_read(path, &text, &error), 0);
	assert_true(text.length > 0);
	if (strcasestr(buffer_text(&text), "stapling"))
		fail_msg("%s", buffer_text(&text));
	buffer_free(&text);
}

static void test_httpd_takes_the_packaged_template_and_serves_the_leaf(void **state)
{
	(void)state;
	const char *apache = program_find(apaches);
	const char *modules = modules_find();
	if (!apache || !modules)
		skip();
	struct host *host = host_make("apache", TARGET_APACHE, "it's; a state # <dir>");
	uint16_t port = port_free();
	CLEANUP(freep) char *file = apache_configuration(host, modules, port);
	const char *const look[] = {apache, "-t", "-f", file, NULL};
	const char *const run[] = {apache, "-X", "-f", file, NULL};

	host_generation(host, 7, KEY_ECDSA_P256);
	free(host_commit(host, 7));
	assert_true(program_agrees(host, look));
	struct server_run server = server_run(host, run, nothing, port);
	assert_true(host_serves(host, port, "shop.example"));
	assert_true(host_serves(host, port, "www.shop.example"));
	assert_no_stapling(host);
	struct visit visit = visit_make(port, "shop.example", NULL, NULL);
	assert_int_not_equal(visit.status, 0);
	visit_free(&visit);
	server_end(&server);

	host->certificate.authenticated_origin_pulls = true;
	host_generation(host, 8, KEY_RSA_2048);
	free(host_commit(host, 8));
	assert_true(program_agrees(host, look));
	server = server_run(host, run, nothing, port);
	assert_true(host_serves(host, port, "shop.example"));
	assert_client_asked(host, port);
	server_end(&server);
	host_free(host);
}

static char *haproxy_configuration(const struct host *host, uint16_t port)
{
	CLEANUP(freep)
	char *text =
		string_format("global\n  maxconn 20\ndefaults\n  mode http\n"
			      "  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n"
			      "frontend f\n  bind 127.0.0.1:%u ssl crt-list %s/shop.conf\n"
			      "  http-request return status 200\n",
			      port, host->target.snippet_dir);
	host_file(host->directory, "haproxy.cfg", text, strlen(text));
	return string_format("%s/haproxy.cfg", host->directory);
}

static void test_haproxy_takes_the_packaged_template_and_serves_the_leaf(void **state)
{
	(void)state;
	const char *haproxy = program_find(haproxies);
	if (!haproxy)
		skip();
	struct host *host = host_make("haproxy", TARGET_HAPROXY, "state");
	uint16_t port = port_free();
	CLEANUP(freep) char *file = haproxy_configuration(host, port);
	const char *const look[] = {haproxy, "-c", "-f", file, NULL};
	const char *const run[] = {haproxy, "-db", "-f", file, NULL};

	host_generation(host, 0, KEY_ECDSA_P256);
	free(host_commit(host, 0));
	assert_true(program_agrees(host, look));
	struct server_run server = server_run(host, run, nothing, port);
	assert_true(host_serves(host, port, "shop.example"));
	assert_true(host_serves(host, port, "www.shop.example"));
	struct visit visit = visit_make(port, "shop.example", NULL, NULL);
	assert_int_not_equal(visit.status, 0);
	visit_free(&visit);
	server_end(&server);

	host->certificate.authenticated_origin_pulls = true;
	host_generation(host, 1, KEY_RSA_2048);
	free(host_commit(host, 1));
	assert_true(program_agrees(host, look));
	server = server_run(host, run, nothing, port);
	assert_true(host_serves(host, port, "shop.example"));
	assert_client_asked(host, port);
	server_end(&server);
	host_free(host);
}

static void test_nginx_asks_for_the_client_certificate(void **state)
{
	(void)state;
	const char *nginx = program_find(nginxes);
	if (!nginx)
		skip();
	struct host *host = host_make("nginx", TARGET_NGINX, "it's; a \"state\\ #{}");
	uint16_t port = port_free();
	/* A directive of the administrator's that an "ssl_stapling off" of ours would clash with.
	 */
	CLEANUP(freep)
	char *text =
		string_format("daemon off; master_process off; pid nginx.pid;\n"
			      "error_log error.log; events {}\nhttp { access_log off;\n"
			      "client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;"
			      "uwsgi_temp_path u; scgi_temp_path s;\n"
			      "server { listen 127.0.0.1:%u ssl; ssl_stapling off;\n"
			      "include state.conf; return 204; } }\n",
			      port);
	host_file(host->directory, "nginx.conf", text, strlen(text));
	CLEANUP(freep) char *file = string_format("%s/nginx.conf", host->directory);
	const char *const run[] = {nginx, "-c", file, "-p", host->directory, "-e", "stderr", NULL};
	host->certificate.authenticated_origin_pulls = true;
	host_generation(host, 1, KEY_ECDSA_P256);
	CLEANUP(freep) char *snippet = host_commit(host, 1);
	CLEANUP(freep) char *link = string_format("%s/state.conf", host->directory);
	assert_int_equal(symlink(snippet, link), 0);

	struct server_run server = server_run(host, run, nothing, port);
	assert_true(host_serves(host, port, "shop.example"));
	assert_client_asked(host, port);
	server_end(&server);
	host_free(host);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_httpd_takes_the_packaged_template_and_serves_the_leaf),
		cmocka_unit_test(test_haproxy_takes_the_packaged_template_and_serves_the_leaf),
		cmocka_unit_test(test_nginx_asks_for_the_client_certificate),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
