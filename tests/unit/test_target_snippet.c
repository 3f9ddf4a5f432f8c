/* What a snippet says, and what it depends on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "target/snippet.h"
#include "target/template.h"

static char web[] = "web";
static char other_web[] = "web2";
static char nginx[] = "nginx";
static char shop[] = "shop";
static char other_shop[] = "shop2";

/* A host by hand: a directory with templates/ and state/. */
struct host {
	char *directory, *state_dir;
	const char *password; /* of the keystore */
	struct config config;
	struct config_target target;
	struct config_certificate certificate;
};

static void file_put(const struct host *host, const char *directory, const char *name,
		     const char *text)
{
	struct error error = {0};
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *path = string_format("%s/%s", host->directory, directory);
	assert_int_equal(directory_make_path(path, &FILE_ACCESS(0755), &fd, &error), 0);
	assert_int_equal(file_write_at(fd, path, name, text, strlen(text), &FILE_ACCESS(0644),
				       FILE_NO_SYNC, &error),
			 0);
}

static int host_make(void **state)
{
	struct host *host = memory_alloc(1, sizeof(*host));
	host->directory = string_copy("/tmp/origin-ca-snippet-XXXXXX");
	assert_non_null(mkdtemp(host->directory));
	host->state_dir = string_format("%s/state", host->directory);
	host->config.template_dir = string_format("%s/templates", host->directory);
	host->target = (struct config_target){
		.name = web,
		.type = TARGET_NGINX,
		.template_name = nginx,
		.snippet_dir = string_format("%s/snippets/web", host->state_dir),
		.access = FILE_ACCESS(0644),
	};
	host->certificate = (struct config_certificate){
		.name = shop,
		.place = {"/etc/origin-ca-agent/conf.d/shop.ini", 3},
		.key_type = KEY_ECDSA_P256,
		.validity_days = 90,
	};
	string_list_add(&host->certificate.hostnames, "xn--bcher-kva.example");
	string_list_add(&host->certificate.hostnames, "*.shop.example");
	string_list_add(&host->certificate.hostnames_unicode, "b\xc3\xbc"
							      "cher.example");
	string_list_add(&host->certificate.hostnames_unicode, "*.shop.example");
	file_put(host, "templates", "nginx.mustache", "{{name}}\n");
	*state = host;
	return 0;
}

static int host_drop(void **state)
{
	struct host *host = *state;
	struct error error = {0};
	assert_int_equal(file_remove_at(AT_FDCWD, "", host->directory, &error), 0);
	string_list_free(&host->certificate.hostnames);
	string_list_free(&host->certificate.hostnames_unicode);
	free(host->target.snippet_dir);
	free(host->config.template_dir);
	free(host->state_dir);
	free(host->directory);
	free(host);
	return 0;
}

static int render(const struct host *host, unsigned number, struct buffer *text,
		  struct error *error)
{
	struct snippet_template template = {0};
	CLEANUP(freep)
	char *client_ca = host->certificate.authenticated_origin_pulls
				  ? string_format("%s/roots/authenticated_origin_pull_ca.pem",
						  host->state_dir)
				  : NULL;
	struct snippet_input input = {
		&host->certificate,	    number,   host->state_dir, host->password,
		host->certificate.key_type, client_ca};
	int result = snippet_template_load(&host->config, &host->target, &template, error);
	if (result == 0)
		result = snippet_render(&template, &input, text, error);
	snippet_template_free(&template);
	return result;
}

static void assert_renders(const struct host *host, unsigned number, const char *expected)
{
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	if (render(host, number, &text, &error) < 0)
		fail_msg("%s", error.message);
	assert_string_equal(buffer_text(&text), expected);
	buffer_free(&text);
}

static void assert_fails(const struct host *host, int code, const char *message)
{
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	assert_int_equal(render(host, 7, &text, &error), code);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	if (!strstr(error.message, message))
		fail_msg("\"%s\" is not in \"%s\"", message, error.message);
	assert_int_equal(text.length, 0);
	buffer_free(&text);
}

static void test_a_template_is_given_all_that_the_header_promises(void **state)
{
	struct host *host = *state;
	file_put(
		host, "templates", "nginx.mustache",
		"{{name}} {{target}} {{type}} {{generation}} {{key_type}} {{validity}} {{source}}\n"
		"{{#hostnames}}[{{name}} {{unicode}}{{#wildcard}} any{{/wildcard}}]{{/hostnames}}\n"
		"\"{{template}} {{key}} {{certificate}} {{fullchain}} {{live}}\"\n"
		"{{#placeholder}}placeholder{{/placeholder}}{{^chain}}no chain{{/chain}}\n");
	CLEANUP(freep)
	char *expected = string_format(
		"shop web nginx 7 ecdsa-p256 90 /etc/origin-ca-agent/conf.d/shop.ini\n"
		"[xn--bcher-kva.example b\xc3\xbc"
		"cher.example][*.shop.example *.shop.example any]\n"
		"\"%s/templates/nginx.mustache %s/certificates/shop/0007/key.pem "
		"%s/certificates/shop/0007/cert.pem %s/certificates/shop/0007/fullchain.pem "
		"%s/live/shop\"\nno chain\n",
		host->directory, host->state_dir, host->state_dir, host->state_dir,
		host->state_dir);
	assert_renders(host, 7, expected);
}

static void test_what_only_some_certificates_have_is_missing_for_the_others(void **state)
{
	struct host *host = *state;
	file_put(host, "templates", "nginx.mustache",
		 "{{#combined}}combined {{combined}}{{/combined}}"
		 "{{#client_ca}} ca {{client_ca}}{{/client_ca}}{{#keystore}}k{{/keystore}}"
		 "{{#truststore}}t{{/truststore}}\n"
		 "{{#hostnames}}{{^first}},{{/first}}{{name}}{{#last}}.{{/last}}{{/hostnames}}");
	assert_renders(host, 7, "\nxn--bcher-kva.example,*.shop.example.");
	host->certificate.formats = FORMAT_COMBINED | FORMAT_P12;
	host->certificate.authenticated_origin_pulls = true;
	CLEANUP(freep)
	char *expected = string_format("combined %s/certificates/shop/0007/combined.pem "
				       "ca %s/roots/authenticated_origin_pull_ca.pem\n"
				       "xn--bcher-kva.example,*.shop.example.",
				       host->state_dir, host->state_dir);
	assert_renders(host, 7, expected);
}

static void test_keystores_are_beside_the_snippet_of_kinds_that_have_them(void **state)
{
	struct host *host = *state;
	host->target.type = TARGET_TOMCAT;
	file_put(host, "templates", "nginx.mustache",
		 "{{keystore}} {{keystore_password}} {{truststore}}");
	struct buffer text = BUFFER(1000);
	struct error error = {0};
	assert_int_equal(render(host, 7, &text, &error), -EINVAL);
	assert_int_equal(error.class, ERROR_BUG);
	assert_int_equal(text.length, 0);

	host->password = "Geheim&1";
	CLEANUP(freep)
	char *without = string_format("%s/shop.p12 Geheim&amp;1 ", host->target.snippet_dir);
	assert_renders(host, 7, without);
	host->certificate.authenticated_origin_pulls = true;
	CLEANUP(freep)
	char *with = string_format("%s%s/shop.truststore", without, host->target.snippet_dir);
	assert_renders(host, 7, with);
	buffer_free(&text);
}

static void test_generation_zero_is_the_placeholder(void **state)
{
	struct host *host = *state;
	file_put(host, "templates", "nginx.mustache", "{{#placeholder}}P{{/placeholder}}{{key}}");
	CLEANUP(freep)
	char *zero = string_format("P%s/certificates/shop/0000/key.pem", host->state_dir);
	CLEANUP(freep)
	char *large = string_format("%s/certificates/shop/12345/key.pem", host->state_dir);
	assert_renders(host, 0, zero);
	assert_renders(host, 12345, large);
}

static void test_chain_is_given_only_when_something_is_in_it(void **state)
{
	struct host *host = *state;
	file_put(host, "templates", "nginx.mustache", "{{#chain}}has {{chain}}{{/chain}}");
	file_put(host, "state/certificates/shop/0007", "chain.pem", "");
	assert_renders(host, 7, "");
	file_put(host, "state/certificates/shop/0008", "chain.pem", "-----BEGIN");
	CLEANUP(freep)
	char *expected = string_format("has %s/certificates/shop/0008/chain.pem", host->state_dir);
	assert_renders(host, 8, expected);
}

static void test_partials_come_from_the_template_directories(void **state)
{
	struct host *host = *state;
	file_put(host, "templates", "nginx.mustache", "a\n  {{>tls}}\n");
	assert_fails(host, -ENOENT, "/nginx.mustache:2:3: there is no template tls.mustache in ");

	file_put(host, "templates", "tls.mustache",
		 "{{name}};\n{{#generation}}{{>more}}{{/generation}}");
	file_put(host, "templates", "more.mustache", "x\ny\n");
	assert_renders(host, 7, "a\n  shop;\n  x\ny\n");

	file_put(host, "templates", "more.mustache", "\n{{x");
	assert_fails(host, -EINVAL, "/templates/more.mustache:2:1: this tag does not close");
	file_put(host, "templates", "more.mustache", "{{>../secret}}");
	assert_fails(host, -EINVAL, "/templates/more.mustache:1:1: \"../secret\" is no name");
	file_put(host, "templates", "more.mustache", "{{>tls}}");
	assert_fails(host, -ELOOP, "without an end");
}

static void test_partials_stand_beside_a_template_named_by_its_path(void **state)
{
	struct host *host = *state;
	file_put(host, "templates", "tls.mustache", "of the user");
	file_put(host, "elsewhere", "mine.mustache", "{{>tls}}");
	CLEANUP(freep) char *path = string_format("%s/elsewhere/mine.mustache", host->directory);
	host->target.template_name = path;
	assert_renders(host, 7, "of the user");
	file_put(host, "elsewhere", "tls.mustache", "of mine");
	assert_renders(host, 7, "of mine");
}

static void test_value_that_breaks_out_is_an_error_that_names_the_template(void **state)
{
	struct host *host = *state;
	free(host->state_dir);
	host->state_dir = string_copy("/var/lib/a b");
	file_put(host, "templates", "nginx.mustache", "ssl_certificate_key {{key}};\n");
	assert_fails(host, -EILSEQ, "/nginx.mustache:1:21: the value of \"key\" holds white space");
	file_put(host, "templates", "nginx.mustache", "ssl_certificate_key \"{{key}}\";\n");
	assert_renders(host, 7,
		       "ssl_certificate_key \"/var/lib/a b/certificates/shop/0007/key.pem\";\n");
}

/* The digest of what a rendering would depend on now. */
static char *rendered_from(const struct host *host, unsigned number, const char *state_dir)
{
	struct snippet_template template = {0};
	struct error error = {0};
	if (snippet_template_load(&host->config, &host->target, &template, &error) < 0)
		fail_msg("%s", error.message);
	char *digest = memory_alloc(1, SHA256_TEXT_SIZE);
	CLEANUP(freep)
	char *client_ca = host->certificate.authenticated_origin_pulls
				  ? string_format("%s/roots/authenticated_origin_pull_ca.pem",
						  host->state_dir)
				  : NULL;
	struct snippet_input input = {
		&host->certificate,	    number,   state_dir, host->password,
		host->certificate.key_type, client_ca};
	snippet_rendered_from(&template, &input, digest);
	assert_int_equal(strlen(digest), SHA256_TEXT_SIZE - 1);
	snippet_template_free(&template);
	return digest;
}

static void test_everything_that_a_snippet_depends_on_changes_its_digest(void **state)
{
	struct host *host = *state;
	struct config_certificate *certificate = &host->certificate;
	struct string_list seen = {0};
#define DIFFERS()                                                                                  \
	do {                                                                                       \
		char *differs_digest = rendered_from(host, 7, host->state_dir);                    \
		assert_false(string_list_has(&seen, differs_digest));                              \
		string_list_take(&seen, differs_digest);                                           \
	} while (0)
	file_put(host, "templates", "nginx.mustache", "{{>a}}");
	file_put(host, "templates", "a.mustache", "{{>b}}");
	file_put(host, "templates", "b.mustache", "");
	DIFFERS();
	file_put(host, "templates", "nginx.mustache", "{{>a}} ");
	DIFFERS();
	file_put(host, "templates", "nginx.mustache", "{{>a}}\n");
	DIFFERS();
	file_put(host, "templates", "b.mustache", "x");
	DIFFERS();
	file_put(host, "templates", "b.mustache", "y");
	DIFFERS();
	certificate->name = other_shop;
	DIFFERS();
	certificate->place.file = "/etc/origin-ca-agent/conf.d/shop2.ini";
	DIFFERS();
	certificate->key_type = KEY_RSA_2048;
	DIFFERS();
	certificate->validity_days = 365;
	DIFFERS();
	string_list_add(&certificate->hostnames, "a.example");
	string_list_add(&certificate->hostnames_unicode, "A.example");
	DIFFERS();
	certificate->hostnames_unicode.items[2][0] = 'a';
	DIFFERS();
	host->target.name = other_web;
	DIFFERS();
	certificate->formats = FORMAT_COMBINED;
	DIFFERS();
	certificate->authenticated_origin_pulls = true;
	DIFFERS();
	host->target.type = TARGET_TOMCAT;
	host->password = "one";
	DIFFERS();
	host->password = "two";
	DIFFERS();
	host->target.snippet_dir[0] = '#';
	DIFFERS();
	string_list_take(&seen, rendered_from(host, 8, host->state_dir));
	string_list_take(&seen, rendered_from(host, 7, "/elsewhere"));
#undef DIFFERS
	string_list_sort(&seen);
	for (size_t i = 1; i < seen.count; i++)
		assert_string_not_equal(seen.items[i - 1], seen.items[i]);
	string_list_free(&seen);
}

static void test_what_a_snippet_does_not_depend_on_leaves_its_digest(void **state)
{
	struct host *host = *state;
	CLEANUP(freep) char *before = rendered_from(host, 7, host->state_dir);
	/* A line added above the section, other files, a longer renewal window: no reload. */
	host->certificate.place.line = 99;
	host->certificate.renew_before.percent = 50;
	host->certificate.formats = FORMAT_DER | FORMAT_P7B;
	host->target.snippet_dir[0] = '#'; /* no keystore is there */
	host->password = "of another target";
	file_put(host, "templates", "other.mustache", "x");
	CLEANUP(freep) char *after = rendered_from(host, 7, host->state_dir);
	assert_string_equal(before, after);
}

static void test_loaded_template_does_not_change_under_a_rendering(void **state)
{
	struct host *host = *state;
	file_put(host, "templates", "nginx.mustache", "{{>a}}");
	file_put(host, "templates", "a.mustache", "old");
	struct snippet_template template = {0};
	struct error error = {0};
	struct buffer text = BUFFER(100);
	assert_int_equal(snippet_template_load(&host->config, &host->target, &template, &error), 0);
	file_put(host, "templates", "a.mustache", "new");
	CLEANUP(freep)
	char *client_ca = host->certificate.authenticated_origin_pulls
				  ? string_format("%s/roots/authenticated_origin_pull_ca.pem",
						  host->state_dir)
				  : NULL;
	struct snippet_input input = {&host->certificate,	  7,	    "/s", NULL,
				      host->certificate.key_type, client_ca};
	assert_int_equal(snippet_render(&template, &input, &text, &error), 0);
	assert_string_equal(buffer_text(&text), "old");
	buffer_free(&text);
	snippet_template_free(&template);
	snippet_template_free(&template);
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, host_make, host_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_a_template_is_given_all_that_the_header_promises),
		HOST_TEST(test_what_only_some_certificates_have_is_missing_for_the_others),
		HOST_TEST(test_keystores_are_beside_the_snippet_of_kinds_that_have_them),
		HOST_TEST(test_generation_zero_is_the_placeholder),
		HOST_TEST(test_chain_is_given_only_when_something_is_in_it),
		HOST_TEST(test_partials_come_from_the_template_directories),
		HOST_TEST(test_partials_stand_beside_a_template_named_by_its_path),
		HOST_TEST(test_value_that_breaks_out_is_an_error_that_names_the_template),
		HOST_TEST(test_everything_that_a_snippet_depends_on_changes_its_digest),
		HOST_TEST(test_what_a_snippet_does_not_depend_on_leaves_its_digest),
		HOST_TEST(test_loaded_template_does_not_change_under_a_rendering),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
