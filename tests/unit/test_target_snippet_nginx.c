/* The packaged template, committed, with a real key and leaf: nginx takes it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "nginx_run.h"
#include "pki/leaf.h"
#include "store/generation.h"
#include "target/snippet.h"
#include "target/template.h"

static char nginx_name[] = "nginx";
static char shop[] = "shop";
static char templates[] = TEST_SOURCE_DIR "/templates";

static void file_put(const char *directory, const char *name, const void *data, size_t length)
{
	struct error error = {0};
	CLEANUP(closep) int fd = -1;
	assert_int_equal(directory_make_path(directory, &FILE_ACCESS(0755), &fd, &error), 0);
	assert_int_equal(file_write_at(fd, directory, name, data, length, &FILE_ACCESS(0644),
				       FILE_NO_SYNC, &error),
			 0);
}

/* Generation `number` of the certificate, as the store would leave it. */
static void generation_put(const char *state_dir, const struct config_certificate *certificate,
			   unsigned number)
{
	char text[GENERATION_NAME_SIZE];
	CLEANUP(freep)
	char *directory = string_format("%s/certificates/%s/%s", state_dir, certificate->name,
					generation_name(number, text));
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	struct buffer key_pem = BUFFER(FILE_LIMIT);
	struct buffer leaf_pem = BUFFER(FILE_LIMIT);
	struct error error = {0};
	if (key_generate(certificate->key_type, &key, &error) < 0 ||
	    key_write_pem(key, &key_pem, &error) < 0 ||
	    leaf_make_placeholder(key, &certificate->hostnames, clock_now(), &leaf_pem, &error) < 0)
		fail_msg("%s", error.message);
	file_put(directory, GENERATION_KEY, key_pem.data, key_pem.length);
	file_put(directory, GENERATION_FULLCHAIN, leaf_pem.data, leaf_pem.length);
	buffer_wipe(&key_pem);
	buffer_free(&leaf_pem);
}

static void snippet_put(const struct config *config, const struct config_target *target,
			const struct config_certificate *certificate, unsigned number,
			const char *state_dir)
{
	struct snippet_template template = {0};
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *file = snippet_file_name(target, certificate);
	struct snippet_input input = {certificate,	     number, state_dir, NULL,
				      certificate->key_type, NULL};
	if (snippet_template_load(config, target, &template, &error) < 0 ||
	    snippet_render(&template, &input, &text, &error) < 0 ||
	    snippet_directory_open(target, &fd, &error) < 0 ||
	    snippet_commit(fd, target, file, &text, FILE_SYNC, &error) < 0)
		fail_msg("%s", error.message);
	assert_int_equal(strncmp(buffer_text(&text), "# Written by origin-ca-agent", 28), 0);
	assert_non_null(strstr(buffer_text(&text), "Do not edit"));
	assert_non_null(strstr(buffer_text(&text), "[certificate shop] in /etc/it's \"$here\";"));
	assert_int_equal(strstr(buffer_text(&text), "placeholder") != NULL, number == 0);
	buffer_free(&text);
	snippet_template_free(&template);
}

static void test_nginx_takes_the_packaged_template_as_committed(void **state)
{
	(void)state;
	const char *nginx = nginx_find();
	if (!nginx) {
		print_message("skipped: nginx is not installed\n");
		skip();
	}
	CLEANUP(freep) char *directory = string_copy("/tmp/origin-ca-nginx-XXXXXX");
	assert_non_null(mkdtemp(directory));
	/* A path that only quoting and escaping bring through. */
	CLEANUP(freep) char *state_dir = string_format("%s/it's; a \"state\\ #{}", directory);
	struct config config = {.template_dir = templates};
	CLEANUP(freep) char *snippets = string_format("%s/snippets", directory);
	struct config_target target = {
		.name = nginx_name,
		.type = TARGET_NGINX,
		.template_name = nginx_name,
		.snippet_dir = snippets,
		.access = FILE_ACCESS(0644),
	};
	struct config_certificate certificate = {
		.name = shop,
		.place = {"/etc/it's \"$here\";", 1},
		.key_type = KEY_ECDSA_P256,
		.validity_days = 90,
	};
	string_list_add(&certificate.hostnames, "shop.example");
	string_list_add(&certificate.hostnames_unicode, "shop.example");

	static const char configuration[] = "pid nginx.pid; error_log stderr; events {}\n"
					    "http { access_log off; server { listen "
					    "unix:nginx.sock ssl; server_name a.example;\n"
					    "include snippets/*.conf; } }\n";
	static const unsigned numbers[] = {0, 7};
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct buffer said = BUFFER(1 << 16);
		snippet_put(&config, &target, &certificate, numbers[i], state_dir);
		assert_false(nginx_test(nginx, directory, configuration, &said));
		assert_non_null(strstr(buffer_text(&said), "cannot load certificate"));
		generation_put(state_dir, &certificate, numbers[i]);
		buffer_free(&said);
		if (!nginx_test(nginx, directory, configuration, &said))
			fail_msg("%s", buffer_text(&said));
		buffer_free(&said);
	}
	string_list_free(&certificate.hostnames);
	string_list_free(&certificate.hostnames_unicode);
	struct error error = {0};
	assert_int_equal(file_remove_at(AT_FDCWD, "", directory, &error), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nginx_takes_the_packaged_template_as_committed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
