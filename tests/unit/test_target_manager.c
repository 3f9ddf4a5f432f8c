/* Tomcat's manager: success is "OK -" and nothing else, whatever answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "scripted_server.h"
#include "target/manager.h"

enum {
	LONG_MS = 20 * 1000
};

static const char secret[] = "s:cret";

/* A server that plays one answer, and a target that asks it. */
struct play {
	struct server server;
	struct script_step step;
	struct config_target target;
	char *credentials;
	char *url;
};

static void credentials_put(const struct play *play, const char *text, mode_t mode)
{
	unlink(play->credentials);
	int fd = open(play->credentials, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int play_make(void **state)
{
	struct play *play = memory_alloc(1, sizeof(*play));
	server_start(&play->server, &play->step, 1, NULL);
	play->credentials = string_copy("/tmp/origin-ca-manager-XXXXXX");
	close(mkstemp(play->credentials));
	play->url = string_format("http://127.0.0.1:%u/manager", play->server.port);
	static char name[] = "tomcat";
	play->target = (struct config_target){
		.name = name,
		.type = TARGET_TOMCAT,
		.manager_url = play->url,
		.manager_credentials_file = play->credentials,
	};
	credentials_put(play, "agent:s:cret\n", 0600);
	*state = play;
	return 0;
}

static int play_drop(void **state)
{
	struct play *play = *state;
	server_stop(&play->server);
	unlink(play->credentials);
	free(play->credentials);
	free(play->url);
	free(play);
	return 0;
}

static int ask(struct play *play, struct script_step step, int64_t timeout_ms, struct error *error)
{
	pthread_mutex_lock(&play->server.lock);
	play->step = step;
	pthread_mutex_unlock(&play->server.lock);
	int result = manager_ssl_reload(&play->target, timeout_ms, error);
	assert_null(strstr(error->message, secret));
	assert_null(strstr(error->remedy, secret));
	for (const char *at = error->message; *at; at++)
		assert_true((unsigned char)*at >= 0x20 && *at != 0x7f);
	return result;
}

static void assert_answer(struct play *play, struct script_step step, int code,
			  enum error_class class, const char *words)
{
	struct error error = {0};
	int result = ask(play, step, LONG_MS, &error);
	if (result != code || error.class != class)
		fail_msg("%d, class %s: %s", result, error_class_name(error.class), error.message);
	if (!strstr(error.message, words))
		fail_msg("\"%s\" is not in \"%s\"", words, error.message);
	assert_non_null(strstr(error.message, play->url));
}

static struct script_step said(int status, const char *body)
{
	return (struct script_step){SCRIPT_ANSWER, status, NULL, body, 0};
}

static void test_only_ok_with_status_200_is_success(void **state)
{
	struct play *play = *state;
	struct error error = {0};
	struct script_step step = said(200, "OK - Reloaded TLS configuration\n");
	assert_int_equal(ask(play, step, LONG_MS, &error), 0);
	assert_int_equal(error.class, ERROR_NONE);
	const char *request = play->server.requests[0];
	assert_true(string_starts(request, "GET /manager/text/sslReload HTTP/1.1\r\n"));
	/* agent:s:cret */
	assert_non_null(strstr(request, "\r\nAuthorization: Basic YWdlbnQ6czpjcmV0\r\n"));
	assert_null(strstr(request, secret));

	assert_answer(play, said(200, "FAIL - Failed to reload TLS configuration\n"), -EBADMSG,
		      ERROR_DEPLOY, "refused: FAIL - Failed to reload TLS configuration");
	assert_answer(play, said(200, "FAIL - x\033[31m\001\n"), -EBADMSG, ERROR_DEPLOY,
		      "FAIL - x [31m");
	assert_answer(play, said(200, "<html>Welcome</html>"), -EPROTO, ERROR_DEPLOY,
		      "no answer of a manager: \"<html>Welcome</html>\"");
	assert_answer(play, said(200, ""), -EPROTO, ERROR_DEPLOY, "no answer of a manager");
	assert_answer(play, said(200, "\nOK - late"), -EPROTO, ERROR_DEPLOY, "no answer");
	assert_answer(play, said(200, "ok - small"), -EPROTO, ERROR_DEPLOY, "no answer");
	assert_answer(play, said(202, "OK - of another kind"), -EPROTO, ERROR_DEPLOY, "status 202");
	assert_answer(play, said(500, "OK - but"), -EBADMSG, ERROR_DEPLOY, "HTTP 500");
}

static void test_tomcat_s_own_words_are_told(void **state)
{
	struct play *play = *state;
	static const char page[] =
		"<html><body><p><b>Message</b> Error creating SSLContext</p>"
		"<p><b>Exception</b></p><pre>java.lang.IllegalArgumentException: Error\n\tat x"
		"</pre><p><b>Root Cause</b></p><pre>java.io.FileNotFoundException: "
		"&#47;a&#47;b.p12 "
		"(No such file)\n\tat y</pre></body></html>";
	assert_answer(play, said(500, page), -EBADMSG, ERROR_DEPLOY,
		      "refused: java.io.FileNotFoundException: /a/b.p12 (No such file)");
	assert_answer(play, said(500, "<p><b>Message</b> short &amp; &lt;clear&gt;</p>"), -EBADMSG,
		      ERROR_DEPLOY, "refused: short & <clear>");
	assert_answer(play, said(500, "<b>Root Cause</b></p><pre>"), -EBADMSG, ERROR_DEPLOY,
		      "does not say why");
	assert_answer(play, said(503, "<b>Message</b> stopped"), -EPROTO, ERROR_DEPLOY,
		      "unexpected HTTP status 503: stopped");
}

static void test_statuses_have_their_class_and_remedy(void **state)
{
	struct play *play = *state;
	struct error error = {0};
	assert_answer(play, said(404, "FAIL - nothing"), -ENOENT, ERROR_CONFIGURATION, "HTTP 404");
	assert_int_equal(ask(play, said(401, ""), LONG_MS, &error), -EACCES);
	assert_int_equal(error.class, ERROR_AUTHORIZATION);
	assert_non_null(strstr(error.remedy, "manager-script"));
	assert_int_equal(ask(play, said(403, ""), LONG_MS, &error), -EACCES);
	assert_int_equal(error.class, ERROR_AUTHORIZATION);
	assert_non_null(strstr(error.remedy, "manager-script"));
}

static void test_redirection_is_not_followed(void **state)
{
	struct play *play = *state;
	CLEANUP(freep) char *location = string_format("Location: %s/text/list\r\n", play->url);
	struct script_step step = {SCRIPT_ANSWER, 302, location, "OK - moved", 0};
	assert_answer(play, step, -EPROTO, ERROR_DEPLOY, "status 302");
	assert_int_equal(server_count(&play->server, "GET "), 1);
}

static void test_endless_and_cut_bodies_are_no_success(void **state)
{
	struct play *play = *state;
	struct buffer large = BUFFER(1 << 20);
	buffer_add_text(&large, "OK - ");
	while (large.length < MANAGER_BODY_LIMIT + 10)
		buffer_add_text(&large, "and so on ");
	assert_answer(play, said(200, buffer_text(&large)), -EPROTO, ERROR_DEPLOY,
		      "larger than 65536 bytes");
	buffer_free(&large);
	struct script_step cut = {SCRIPT_CUT, 200, NULL, "OK - Reloaded and more", 9};
	assert_answer(play, cut, -EPROTO, ERROR_DEPLOY, "");
	struct script_step trickle = {SCRIPT_TRICKLE, 200, NULL, "OK - Reloaded", 0};
	struct error error = {0};
	assert_int_equal(ask(play, trickle, 400, &error), -ETIMEDOUT);
	assert_int_equal(error.class, ERROR_DEPLOY);
}

static void test_what_is_no_http_is_refused(void **state)
{
	struct play *play = *state;
	static const char *const raws[] = {
		"",
		"OK - Reloaded\n", /* HTTP/0.9 */
		"HTTP/1.1 \r\n\r\nOK - x",
		"\001\002\377\000",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nOK - x",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nOK - x",
		"SSH-2.0-OpenSSH_9.2\r\n",
	};
	for (size_t i = 0; i < ARRAY_SIZE(raws); i++)
		assert_answer(play, (struct script_step){SCRIPT_RAW, 0, NULL, raws[i], 0}, -EPROTO,
			      ERROR_DEPLOY, "");
	struct script_step reset = {.kind = SCRIPT_RESET};
	assert_answer(play, reset, -EPROTO, ERROR_DEPLOY, "");
	struct script_step silent = {.kind = SCRIPT_SILENT};
	assert_answer(play, silent, -EPROTO, ERROR_DEPLOY, "");
}

static void test_time_is_bounded(void **state)
{
	struct play *play = *state;
	struct error error = {0};
	struct script_step hang = {.kind = SCRIPT_HANG};
	int64_t start = clock_monotonic_ms();
	assert_int_equal(ask(play, hang, 300, &error), -ETIMEDOUT);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_true(clock_monotonic_ms() - start < 10000);
	/* 0 would be "no limit" to libcurl. */
	assert_int_equal(ask(play, hang, 0, &error), -ETIMEDOUT);
	assert_int_equal(ask(play, hang, -1, &error), -ETIMEDOUT);
}

static void test_nobody_there_says_so(void **state)
{
	struct play *play = *state;
	struct error error = {0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	/* Bound and not listening: nobody else gets this port meanwhile. */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	CLEANUP(freep)
	char *url = string_format("http://127.0.0.1:%u/manager", ntohs(address.sin_port));
	play->target.manager_url = url;
	/* An environment's proxy is not asked. */
	setenv("http_proxy", play->url, 1);
	assert_int_equal(manager_ssl_reload(&play->target, LONG_MS, &error), -ECONNREFUSED);
	unsetenv("http_proxy");
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(strstr(error.remedy, "manager_url"));
	close(fd);
	/* A label of 64 bytes: no resolver has to be asked. */
	char unknown[] =
		"http://"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/manager";
	play->target.manager_url = unknown;
	assert_int_equal(manager_ssl_reload(&play->target, LONG_MS, &error), -EHOSTUNREACH);
	assert_int_equal(server_count(&play->server, ""), 0);
}

static void assert_credentials(struct play *play, const char *text, mode_t mode, int code,
			       const char *words)
{
	struct error error = {0};
	credentials_put(play, text, mode);
	assert_int_equal(ask(play, said(200, "OK - x"), LONG_MS, &error), code);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, play->credentials));
	assert_true(error.remedy[0] != '\0');
	if (!strstr(error.message, words))
		fail_msg("\"%s\" is not in \"%s\"", words, error.message);
}

static void test_credentials_that_cannot_be_used_are_refused_unsent(void **state)
{
	struct play *play = *state;
	assert_credentials(play, "", 0600, -EINVAL, "empty");
	assert_credentials(play, "\nagent:s:cret\n", 0600, -EINVAL, "empty");
	assert_credentials(play, "agent\n", 0600, -EINVAL, "USER:PASSWORD");
	assert_credentials(play, ":s:cret\n", 0600, -EINVAL, "USER:PASSWORD");
	assert_credentials(play, "agent:s:cret\x01\n", 0600, -EINVAL, "control character");
	assert_credentials(play, "agent:s:cret\n", 0644, -EPERM, "mode 0644");
	assert_credentials(play, "agent:s:cret\n", 0660, -EPERM, "mode 0660");
	struct buffer large = BUFFER(1 << 16);
	buffer_add_text(&large, "agent:");
	while (large.length <= 4096)
		buffer_add_text(&large, "s:cret");
	assert_credentials(play, buffer_text(&large), 0600, -EFBIG, "larger");
	buffer_free(&large);

	unlink(play->credentials);
	struct error error = {0};
	assert_int_equal(ask(play, said(200, "OK - x"), LONG_MS, &error), -ENOENT);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_int_equal(mkfifo(play->credentials, 0600), 0);
	assert_int_equal(ask(play, said(200, "OK - x"), LONG_MS, &error), -EINVAL);
	assert_int_equal(server_count(&play->server, ""), 0);

	credentials_put(play, "agent:s:cret\r\nsecond line\n", 0600);
	assert_int_equal(ask(play, said(200, "OK - x"), LONG_MS, &error), 0);
	assert_non_null(strstr(play->server.requests[0], "Basic YWdlbnQ6czpjcmV0\r\n"));
}

#define PLAY_TEST(name) cmocka_unit_test_setup_teardown(name, play_make, play_drop)

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		PLAY_TEST(test_only_ok_with_status_200_is_success),
		PLAY_TEST(test_tomcat_s_own_words_are_told),
		PLAY_TEST(test_statuses_have_their_class_and_remedy),
		PLAY_TEST(test_redirection_is_not_followed),
		PLAY_TEST(test_endless_and_cut_bodies_are_no_success),
		PLAY_TEST(test_what_is_no_http_is_refused),
		PLAY_TEST(test_time_is_bounded),
		PLAY_TEST(test_nobody_there_says_so),
		PLAY_TEST(test_credentials_that_cannot_be_used_are_refused_unsent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
