#include "pass/adopt_search.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "pki/openssl_error.h"
#include "target/server_config.h"

enum {
	PATHS_LIMIT = 2000, /* of certificates, and of keys */
	DIRECTORY_SIZE = 64,
};

static const char *const directories[] = {
	"/etc/nginx", "/etc/apache2", "/etc/httpd", "/etc/haproxy", "/usr/local/nginx/conf", NULL,
};

/* What stands before a path. */
static const struct directive {
	const char *word;
	bool certificate, key;
} directives[] = {
	{"ssl_certificate", true, false},	{"ssl_certificate_key", false, true},
	{"SSLCertificateFile", true, true}, /* Apache takes both in one file */
	{"SSLCertificateKeyFile", false, true}, {"crt", true, true}, /* HAProxy's bind line */
};

struct reading {
	const char *state_dir;
	struct string_list certificates, keys;
};

static void path_add(struct string_list *paths, const char *path)
{
	if (paths->count < PATHS_LIMIT && !string_list_has(paths, path))
		string_list_add(paths, path);
}

/* A relative path is one below the server's own directory. */
static void path_take(struct reading *reading, const struct directive *directive, const char *file,
		      const char *word)
{
	char top[DIRECTORY_SIZE] = "";
	for (size_t i = 0; directories[i]; i++)
		if (string_starts(file, directories[i]))
			snprintf(top, sizeof(top), "%s/", directories[i]);
	size_t length = strlen(word);
	/* A variable, a wildcard or a directory is no file. */
	if (length == 0 || strpbrk(word, "$%*") || word[length - 1] == '/')
		return;
	CLEANUP(freep) char *path = string_format("%s%s", word[0] == '/' ? "" : top, word);
	if (string_starts(path, reading->state_dir))
		return;
	if (directive->certificate)
		path_add(&reading->certificates, path);
	if (directive->key)
		path_add(&reading->keys, path);
}

static int line_read(const char *file, unsigned line, const char *text, void *context)
{
	struct reading *reading = context;
	CLEANUP(freep) char *words = string_copy(text);
	const struct directive *before = NULL;
	char *rest = NULL;
	(void)line;
	for (char *word = strtok_r(words, " \t\r;\"'{}", &rest); word;
	     word = strtok_r(NULL, " \t\r;\"'{}", &rest)) {
		if (word[0] == '#')
			return 0;
		if (before)
			path_take(reading, before, file, word);
		before = NULL;
		for (size_t i = 0; i < ARRAY_SIZE(directives); i++)
			if (strcasecmp(word, directives[i].word) == 0)
				before = &directives[i];
	}
	return 0;
}

static void candidate_read(const char *path, struct adopt_search *search)
{
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
	struct adopt_candidate candidate = {0};
	if (file_read(path, &text, NULL) < 0 ||
	    leaf_read_pem(buffer_text(&text), text.length, &candidate.leaf, NULL) < 0)
		return;
	if (leaf_facts_read(candidate.leaf, &candidate.facts, NULL) < 0) {
		X509_free(candidate.leaf);
		return;
	}
	candidate.path = string_copy(path);
	search->items = memory_grow(search->items, search->count, sizeof(*search->items));
	search->items[search->count++] = candidate;
}

void adopt_search_run(const char *state_dir, struct adopt_search *ret_search)
{
	struct reading reading = {.state_dir = state_dir};
	*ret_search = (struct adopt_search){0};
	server_config_walk(directories, line_read, &reading, NULL);
	for (size_t i = 0; i < reading.certificates.count; i++)
		candidate_read(reading.certificates.items[i], ret_search);
	ret_search->keys = reading.keys;
	string_list_free(&reading.certificates);
}

void adopt_search_free(struct adopt_search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		free(search->items[i].path);
		X509_free(search->items[i].leaf);
		leaf_facts_free(&search->items[i].facts);
	}
	free(search->items);
	string_list_free(&search->keys);
	*search = (struct adopt_search){0};
}

const struct adopt_candidate *adopt_search_find(const struct adopt_search *search,
						const struct string_list *hostnames)
{
	const struct adopt_candidate *found = NULL;
	for (size_t i = 0; i < search->count; i++)
		if (string_list_same_set(&search->items[i].facts.hostnames, hostnames) &&
		    (!found || search->items[i].facts.not_after > found->facts.not_after))
			found = &search->items[i];
	return found;
}

/* Keys are usually beside their certificates. */
static bool is_beside(const char *path, const char *other)
{
	const char *slash = strrchr(path, '/');
	return slash && strncmp(path, other, (size_t)(slash - path) + 1) == 0 &&
	       !strchr(other + (slash - path) + 1, '/');
}

EVP_PKEY *adopt_search_key(const struct adopt_search *search,
			   const struct adopt_candidate *candidate, const char **ret_path,
			   const char **ret_unread)
{
	*ret_unread = NULL;
	for (size_t i = 0; i < search->keys.count; i++) {
		CLEANUP(buffer_wipe) struct buffer text = BUFFER(FILE_LIMIT);
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		const char *path = search->keys.items[i];
		int result = file_read(path, &text, NULL);
		if ((result == -EACCES || result == -EPERM) &&
		    (!*ret_unread || is_beside(candidate->path, path)))
			*ret_unread = path;
		if (result < 0 || key_read_pem(buffer_text(&text), text.length, &key, NULL) < 0 ||
		    EVP_PKEY_eq(key, X509_get0_pubkey(candidate->leaf)) != 1)
			continue;
		*ret_path = path;
		return TAKE_PTR(key);
	}
	return NULL;
}
