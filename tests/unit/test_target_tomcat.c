/* The packaged template, keystore, truststore and manager with the real Tomcat: a changed keystore
 * is served without a restart, and what cannot be used is refused in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_run.h"
#include "target/manager.h"

enum {
	RELOAD_MS = 30 * 1000
};

static const char catalina[] = "/usr/share/tomcat10";
static const char manager[] = "/usr/share/tomcat10-admin/manager";
static const char *const javas[] = {"/usr/bin/java", "/usr/local/bin/java", NULL};

static void server_xml_put(const struct host *host, const char *conf, uint16_t plain, uint16_t port)
{
	CLEANUP(freep)
	char *text = string_format(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<!DOCTYPE Server [<!ENTITY shop SYSTEM \"file:%s/shop.xml\">]>\n"
		"<Server port=\"-1\"><GlobalNamingResources>\n"
		"<Resource name=\"UserDatabase\" auth=\"Container\"\n"
		" type=\"org.apache.catalina.UserDatabase\"\n"
		" factory=\"org.apache.catalina.users.MemoryUserDatabaseFactory\"\n"
		" pathname=\"conf/tomcat-users.xml\" readonly=\"true\"/>\n"
		"</GlobalNamingResources><Service name=\"Catalina\">\n"
		"<Connector address=\"127.0.0.1\" port=\"%u\"/>\n"
		"<Connector address=\"127.0.0.1\" port=\"%u\" SSLEnabled=\"true\"\n"
		" protocol=\"org.apache.coyote.http11.Http11NioProtocol\" scheme=\"https\"\n"
		" secure=\"true\" defaultSSLHostConfigName=\"shop.example\">&shop;</Connector>\n"
		"<Engine name=\"Catalina\" defaultHost=\"localhost\">\n"
		"<Realm className=\"org.apache.catalina.realm.UserDatabaseRealm\"\n"
		" resourceName=\"UserDatabase\"/>\n"
		"<Host name=\"localhost\" appBase=\"webapps\" autoDeploy=\"false\"/>\n"
		"</Engine></Service></Server>\n",
		host->directory, plain, port);
	/* What server.xml names is an address, for which the snippet's path would need escapes. */
	CLEANUP(freep) char *snippet = string_format("%s/shop.xml", host->target.snippet_dir);
	CLEANUP(freep) char *link = string_format("%s/shop.xml", host->directory);
	assert_int_equal(symlink(snippet, link), 0);
	host_file(conf, "server.xml", text, strlen(text));
}

/* A CATALINA_BASE in the host's directory. */
static void base_make(const struct host *host, uint16_t plain, uint16_t port)
{
	static const char users[] =
		"<tomcat-users>\n<role rolename=\"manager-script\"/>\n"
		"<user username=\"agent\" password=\"s:cret\" roles=\"manager-script\"/>\n"
		"<user username=\"nobody\" password=\"s:cret\" roles=\"\"/>\n</tomcat-users>\n";
	CLEANUP(freep) char *conf = string_format("%s/conf", host->directory);
	CLEANUP(freep) char *contexts = string_format("%s/Catalina/localhost", conf);
	CLEANUP(freep)
	char *context = string_format("<Context docBase=\"%s\" privileged=\"true\"/>\n", manager);
	server_xml_put(host, conf, plain, port);
	host_file(conf, "tomcat-users.xml", users, sizeof(users) - 1);
	host_file(contexts, "manager.xml", context, strlen(context));
	static const char *const empty[] = {"webapps", "work", "temp", "logs"};
	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		CLEANUP(freep) char *path = string_format("%s/%s", host->directory, empty[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

static struct server_run tomcat_run(const struct host *host, const char *java, uint16_t port)
{
	static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
	CLEANUP(freep) char *base = string_format("-Dcatalina.base=%s", host->directory);
	CLEANUP(freep) char *home = string_format("-Dcatalina.home=%s", catalina);
	CLEANUP(freep) char *temporary = string_format("-Djava.io.tmpdir=%s/temp", host->directory);
	CLEANUP(freep)
	char *path =
		string_format("%s/bin/bootstrap.jar:%s/bin/tomcat-juli.jar", catalina, catalina);
	/* Two that make a start cost less than half of the time. */
	static const char scan[] = "-Dtomcat.util.scan.StandardJarScanFilter.jarsToSkip=*";
	static const char compiler[] = "-XX:TieredStopAtLevel=1";
	const char *const arguments[] = {
		java,	   base, home,
		temporary, scan, compiler,
		"-cp",	   path, "org.apache.catalina.startup.Bootstrap",
		"start",   NULL,
	};
	return server_run(host, arguments, environment, port);
}

static void credentials_put(struct host *host, const char *text)
{
	CLEANUP(closep) int fd = open(host->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error error = {0};
	assert_int_equal(file_write_at(fd, host->directory, "credentials", text, strlen(text),
				       &FILE_ACCESS(0600), FILE_NO_SYNC, &error),
			 0);
	free(host->target.manager_credentials_file);
	host->target.manager_credentials_file = string_format("%s/credentials", host->directory);
}

static void assert_reloads(const struct host *host)
{
	struct error error = {0};
	if (manager_ssl_reload(&host->target, RELOAD_MS, &error) < 0)
		fail_msg("%s; %s", error.message, error.remedy);
}

static void assert_refused(const struct host *host, int code, enum error_class class,
			   const char *words)
{
	struct error error = {0};
	int result = manager_ssl_reload(&host->target, RELOAD_MS, &error);
	if (result != code || error.class != class)
		fail_msg("%d, class %s: %s", result, error_class_name(error.class), error.message);
	assert_says(&error, words);
	assert_null(strstr(error.message, "s:cret"));
}

/* What someone else may put into the keystore's place, and what Tomcat says of it. */
static void check_bad_keystores(struct host *host, uint16_t port)
{
	CLEANUP(freep) char *path = string_format("%s/shop.p12", host->target.snippet_dir);
	struct keystore_content other = {host->key, host->leaf, NULL, "another password"};
	CLEANUP(closep) int fd = open(host->target.snippet_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error error = {0};
	bool replaced = false;
	host_file(host->target.snippet_dir, "shop.p12", "junk", 4);
	assert_refused(host, -EBADMSG, ERROR_DEPLOY, "HTTP 500");
	assert_true(host_serves(host, port, "shop.example"));
	assert_int_equal(
		keystore_commit(fd, &host->target, &host->certificate, &other, &replaced, &error),
		0);
	assert_refused(host, -EBADMSG, ERROR_DEPLOY, "keystore password was incorrect");
	assert_int_equal(unlink(path), 0);
	assert_refused(host, -EBADMSG, ERROR_DEPLOY, path);
	assert_true(host_serves(host, port, "shop.example"));
	free(host_commit(host, 3));
	assert_reloads(host);
}

static void check_bad_managers(struct host *host, uint16_t plain)
{
	credentials_put(host, "agent:wrong\n");
	assert_refused(host, -EACCES, ERROR_AUTHORIZATION, "manager-script");
	credentials_put(host, "nobody:s:cret\n");
	assert_refused(host, -EACCES, ERROR_AUTHORIZATION, "HTTP 403");
	credentials_put(host, "agent:s:cret\n");
	free(host->target.manager_url);
	host->target.manager_url = string_format("http://127.0.0.1:%u/nothing", plain);
	assert_refused(host, -ENOENT, ERROR_CONFIGURATION, "HTTP 404");
}

static void test_tomcat_serves_a_changed_keystore_without_a_restart(void **state)
{
	(void)state;
	const char *java = program_find(javas);
	if (!java || access(catalina, R_OK) < 0 || access(manager, R_OK) < 0)
		skip();
	struct host *host = host_make("tomcat", TARGET_TOMCAT, "it's <a> & \"state\" --");
	uint16_t plain = port_free();
	uint16_t port = port_free();
	host->certificate.authenticated_origin_pulls = true;
	host_generation(host, 1, KEY_ECDSA_P256);
	free(host_commit(host, 1));
	base_make(host, plain, port);
	struct server_run server = tomcat_run(host, java, port);
	host->target.manager_url = string_format("http://127.0.0.1:%u/manager", plain);
	credentials_put(host, "agent:s:cret\n");
	/* The port is bound seconds before anyone answers there. */
	int64_t deadline = clock_monotonic_ms() + SERVER_START_MS;
	while (!host_serves(host, port, "shop.example"))
		assert_true(clock_monotonic_ms() < deadline);
	assert_true(host_serves(host, port, "www.shop.example"));
	assert_client_asked(host, port);

	/* Another key, and another type of key, with the snippet that was there at the start. */
	static const enum key_type types[] = {KEY_ECDSA_P256, KEY_RSA_2048};
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		host_generation(host, 2 + (unsigned)i, types[i]);
		free(host_commit(host, 2 + (unsigned)i));
		assert_false(host_serves(host, port, "shop.example"));
		assert_reloads(host);
		assert_true(host_serves(host, port, "shop.example"));
		assert_true(host_serves(host, port, "www.shop.example"));
	}
	assert_client_asked(host, port);
	check_bad_keystores(host, port);
	check_bad_managers(host, plain);
	/* All that time it was one process. */
	assert_int_equal(waitpid(server.pid, NULL, WNOHANG), 0);
	server_end(&server);
	host_free(host);
}

static void test_tomcat_snippet_has_the_same_bytes_for_every_generation(void **state)
{
	(void)state;
	struct host *host = host_make("tomcat", TARGET_TOMCAT, "state");
	struct buffer first = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	host->certificate.authenticated_origin_pulls = true;
	host_render(host, 0, &first);
	assert_non_null(strstr(buffer_text(&first), HOST_PASSWORD));
	host->certificate.key_type = KEY_RSA_2048;
	host->certificate.validity_days = 7;
	host->certificate.formats = 0;
	for (unsigned number = 1; number < 4; number++) {
		struct buffer other = BUFFER(TEMPLATE_OUTPUT_LIMIT);
		host_render(host, number, &other);
		assert_string_equal(buffer_text(&first), buffer_text(&other));
		buffer_wipe(&other);
	}
	buffer_wipe(&first);
	host_free(host);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tomcat_serves_a_changed_keystore_without_a_restart),
		cmocka_unit_test(test_tomcat_snippet_has_the_same_bytes_for_every_generation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
