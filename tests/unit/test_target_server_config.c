/* target/server_config.c: what is found in the configuration of a web server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "target/server_config.h"

#define SNIPPETS "/var/lib/origin-ca-agent/snippets/nginx"

struct fixture {
	char path[64];
	const char *directories[3];
};

static int setup(void **context)
{
	struct fixture *fixture = memory_alloc(1, sizeof(*fixture));
	strcpy(fixture->path, "/tmp/server-config.XXXXXX");
	if (!mkdtemp(fixture->path))
		return -1;
	fixture->directories[0] = "/nonexistent/nginx";
	fixture->directories[1] = fixture->path;
	*context = fixture;
	return 0;
}

static int teardown(void **context)
{
	struct fixture *fixture = *context;
	file_remove_at(AT_FDCWD, "", fixture->path, NULL);
	free(fixture);
	return 0;
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char *path = string_format("%s/%s", fixture->path, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void make_directory(const struct fixture *fixture, const char *name)
{
	char *path = string_format("%s/%s", fixture->path, name);
	assert_int_equal(mkdir(path, 0755), 0);
	free(path);
}

static int names(const struct fixture *fixture)
{
	return server_config_names(fixture->directories, SNIPPETS);
}

static void test_without_a_file_nobody_knows(void **context)
{
	const struct fixture *fixture = *context;
	assert_int_equal(names(fixture), -ENOENT);
	make_directory(fixture, "conf.d");
	assert_int_equal(names(fixture), -ENOENT);
}

static void test_name_is_found_in_any_file_but_not_in_comments(void **context)
{
	const struct fixture *fixture = *context;
	make_directory(fixture, "conf.d");
	make_directory(fixture, "sites-available");
	write_file(fixture, "nginx.conf", "include conf.d/*.conf;\n");
	write_file(fixture, "conf.d/a.conf", "\t# include " SNIPPETS "/a.conf;\nlisten 443;\n");
	write_file(fixture, "sites-available/b", "include " SNIPPETS "/b.conf;\n");
	assert_int_equal(names(fixture), 0);
	write_file(fixture, "conf.d/c.conf", "listen 443;\n\tinclude " SNIPPETS "/*.conf;");
	assert_int_equal(names(fixture), 1);
}

static void test_what_cannot_be_read_leaves_it_open(void **context)
{
	const struct fixture *fixture = *context;
	const uid_t user = geteuid();
	CLEANUP(freep) char *path = string_format("%s/secret.conf", fixture->path);
	write_file(fixture, "nginx.conf", "listen 443;\n");
	write_file(fixture, "secret.conf", "include " SNIPPETS "/a.conf;\n");
	assert_int_equal(chmod(path, 0), 0);
	assert_int_equal(chmod(fixture->path, 0755), 0);
	if (user == 0) /* root could read all the same */
		assert_int_equal(seteuid(65534), 0);
	int found = names(fixture);
	assert_int_equal(seteuid(user), 0);
	assert_int_equal(found, -EACCES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_a_file_nobody_knows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_is_found_in_any_file_but_not_in_comments,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_read_leaves_it_open, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
