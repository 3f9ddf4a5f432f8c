/*
 * server_host.h - a host by hand for tests with real servers: state directory, generations,
 * keystores, snippets, and an authority of client certificates. Include after cmocka.h.
 */
#ifndef ORIGIN_CA_TESTS_SERVER_HOST_H
#define ORIGIN_CA_TESTS_SERVER_HOST_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "pki/root.h"
#include "pki_fixture.h"
#include "store/generation.h"
#include "target/keystore.h"
#include "target/kind.h"
#include "target/snippet.h"
#include "target/truststore.h"

#define HOST_PASSWORD "Geheim0123456789"

struct host {
	char *directory, *state_dir;
	struct config config;
	struct config_target target;
	struct config_certificate certificate;
	EVP_PKEY *authority_key; /* of client certificates */
	X509 *authority;
	EVP_PKEY *client_key;
	X509 *client;
	EVP_PKEY *key; /* of the newest generation */
	X509 *leaf;
};

static inline void host_file(const char *directory, const char *name, const void *data,
			     size_t length)
{
	struct error error = {0};
	CLEANUP(closep) int fd = -1;
	if (directory_make_path(directory, &FILE_ACCESS(0755), &fd, &error) < 0 ||
	    file_write_at(fd, directory, name, data, length, &FILE_ACCESS(0644), FILE_NO_SYNC,
			  &error) < 0)
		fail_msg("%s", error.message);
}

static inline X509 *host_leaf(EVP_PKEY *key, EVP_PKEY *authority, const char *common_name,
			      const char *names)
{
	int64_t now = clock_now();
	return make_leaf(&(struct recipe){
		.key = key,
		.authority = authority,
		.names = names,
		.common_name = common_name,
		.not_before = now - CLOCK_HOUR,
		.not_after = now + CLOCK_DAY,
	});
}

static inline void host_authority(struct host *host)
{
	host->authority_key = make_key(KEY_ECDSA_P256);
	host->authority = host_leaf(host->authority_key, NULL, "Test Authority", NULL);
	add_extension(host->authority, NID_basic_constraints, "critical,CA:TRUE");
	sign_leaf(host->authority, host->authority_key);
	host->client_key = make_key(KEY_ECDSA_P256);
	host->client = host_leaf(host->client_key, host->authority_key, "client", NULL);
	struct buffer pem = BUFFER(FILE_LIMIT);
	struct error error = {0};
	assert_int_equal(leaf_write_pem(host->authority, &pem, &error), 0);
	CLEANUP(freep) char *roots = string_format("%s/roots", host->state_dir);
	host_file(roots, root_publications[ROOT_PULL].file, pem.data, pem.length);
	buffer_free(&pem);
}

/* `state` is the state directory's name below a new directory; "" for none of its own. */
static inline struct host *host_make(const char *name, enum target_type type, const char *state)
{
	struct host *host = memory_alloc(1, sizeof(*host));
	host->directory = string_copy("/tmp/origin-ca-server-XXXXXX");
	assert_non_null(mkdtemp(host->directory));
	/* A server that starts as root reads and writes as its own user. */
	assert_int_equal(chmod(host->directory, 0755), 0);
	host->state_dir = string_format("%s/%s", host->directory, state);
	host->config.template_dir = string_copy(TEST_SOURCE_DIR "/templates");
	host->target = (struct config_target){
		.name = string_copy(name),
		.type = type,
		.template_name = string_copy(target_type_name(type)),
		.snippet_dir = string_format("%s/snippets", host->state_dir),
		.access = FILE_ACCESS(0644),
	};
	host->certificate = (struct config_certificate){
		.name = string_copy("shop"),
		.place = {"/etc/origin-ca-agent/conf.d/shop.ini", 1},
		.key_type = KEY_ECDSA_P256,
		.validity_days = 90,
		.formats = FORMAT_COMBINED,
	};
	string_list_add(&host->certificate.hostnames, "shop.example");
	string_list_add(&host->certificate.hostnames, "*.shop.example");
	string_list_copy(&host->certificate.hostnames_unicode, &host->certificate.hostnames);
	host_authority(host);
	return host;
}

static inline void host_free(struct host *host)
{
	struct error error = {0};
	if (file_remove_at(AT_FDCWD, "", host->directory, &error) < 0)
		print_message("%s\n", error.message);
	string_list_free(&host->certificate.hostnames);
	string_list_free(&host->certificate.hostnames_unicode);
	free(host->certificate.name);
	free(host->config.template_dir);
	free(host->target.name);
	free(host->target.template_name);
	free(host->target.snippet_dir);
	free(host->target.manager_url);
	free(host->target.manager_credentials_file);
	EVP_PKEY_free(host->authority_key);
	EVP_PKEY_free(host->client_key);
	EVP_PKEY_free(host->key);
	X509_free(host->authority);
	X509_free(host->client);
	X509_free(host->leaf);
	free(host->state_dir);
	free(host->directory);
	free(host);
}

/* A new key and leaf, as generation `number` has them. */
static inline void host_generation(struct host *host, unsigned number, enum key_type type)
{
	char text[GENERATION_NAME_SIZE];
	CLEANUP(freep)
	char *directory = string_format("%s/certificates/%s/%s", host->state_dir,
					host->certificate.name, generation_name(number, text));
	struct buffer key = BUFFER(FILE_LIMIT);
	struct buffer chain = BUFFER(FILE_LIMIT);
	struct error error = {0};

	EVP_PKEY_free(host->key);
	X509_free(host->leaf);
	host->key = make_key(type);
	host->leaf = host_leaf(host->key, host->authority_key, "CloudFlare Origin Certificate",
			       "DNS:shop.example,DNS:*.shop.example");
	assert_int_equal(key_write_pem(host->key, &key, &error), 0);
	assert_int_equal(leaf_write_pem(host->leaf, &chain, &error), 0);
	host_file(directory, GENERATION_KEY, key.data, key.length);
	host_file(directory, GENERATION_FULLCHAIN, chain.data, chain.length);
	buffer_add(&chain, key.data, key.length);
	host_file(directory, GENERATION_COMBINED, chain.data, chain.length);
	buffer_wipe(&key);
	buffer_wipe(&chain);
}

static inline void host_render(const struct host *host, unsigned number, struct buffer *text)
{
	struct snippet_template template = {0};
	struct error error = {0};
	CLEANUP(freep)
	char *client_ca = host->certificate.authenticated_origin_pulls
				  ? string_format("%s/roots/authenticated_origin_pull_ca.pem",
						  host->state_dir)
				  : NULL;
	struct snippet_input input = {&host->certificate,
				      number,
				      host->state_dir,
				      target_kind(host->target.type)->keystore ? HOST_PASSWORD
									       : NULL,
				      host->certificate.key_type,
				      client_ca};
	if (snippet_template_load(&host->config, &host->target, &template, &error) < 0 ||
	    snippet_render(&template, &input, text, &error) < 0)
		fail_msg("%s", error.message);
	snippet_template_free(&template);
}

/* Renders and commits; for a kind with keystores, those before it. Returns the snippet's path. */
static inline char *host_commit(const struct host *host, unsigned number)
{
	struct buffer text = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	CLEANUP(closep) int fd = -1;
	CLEANUP(freep) char *file = snippet_file_name(&host->target, &host->certificate);
	struct keystore_content content = {host->key, host->leaf, NULL, HOST_PASSWORD};
	bool replaced;
	int result = snippet_directory_open(&host->target, &fd, &error);
	if (result == 0 && target_kind(host->target.type)->keystore) {
		result = keystore_commit(fd, &host->target, &host->certificate, &content, &replaced,
					 &error);
		if (result == 0)
			result = truststore_commit(fd, &host->target, &host->certificate,
						   host->authority, &replaced, &error);
	}
	if (result < 0)
		fail_msg("%s", error.message);
	host_render(host, number, &text);
	if (snippet_commit(fd, &host->target, file, &text, FILE_SYNC, &error) < 0)
		fail_msg("%s", error.message);
	buffer_wipe(&text);
	return string_format("%s/%s", host->target.snippet_dir, file);
}

#endif
