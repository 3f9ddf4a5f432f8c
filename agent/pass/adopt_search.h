/* adopt_search.h - certificates that web servers of this host were configured with before. */
#ifndef ORIGIN_CA_PASS_ADOPT_SEARCH_H
#define ORIGIN_CA_PASS_ADOPT_SEARCH_H

#include "config/model.h"
#include "pki/leaf.h"

/* A certificate file that some server's configuration names. */
struct adopt_candidate {
	char *path;
	X509 *leaf;
	struct leaf_facts facts;
};

struct adopt_search {
	struct adopt_candidate *items; /* those that hold a certificate */
	size_t count;
	struct string_list keys; /* paths of key files, and of those that may hold both */
};

/*
 * Reads the configuration of NGINX, Apache and HAProxy in their usual places, as far as this user
 * may, and the certificates that it names. What lies below `state_dir` is ours and left out.
 */
void adopt_search_run(const char *state_dir, struct adopt_search *ret_search);
void adopt_search_free(struct adopt_search *search);

/* The one for exactly these names that lasts longest; NULL when there is none. */
const struct adopt_candidate *adopt_search_find(const struct adopt_search *search,
						const struct string_list *hostnames);

/* The key of a candidate, among the files that are named, and its path, which stays the search's.
 * NULL when none is it; `ret_unread` then gets a path that could not be read, or NULL. Free with
 * EVP_PKEY_free(). */
EVP_PKEY *adopt_search_key(const struct adopt_search *search,
			   const struct adopt_candidate *candidate, const char **ret_path,
			   const char **ret_unread);

#endif
