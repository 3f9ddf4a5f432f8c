/*
 * content.h - what stands in the files of one generation, and filling a directory with it (the
 * store's own, like parts.h).
 */
#ifndef ORIGIN_CA_STORE_CONTENT_H
#define ORIGIN_CA_STORE_CONTENT_H

#include <limits.h>

#include "store/parts.h"

/* All that the files are told by. */
struct content {
	EVP_PKEY *key; /* only its public half when keyless */
	bool keyless;
	X509 *leaf;
	X509 *root;	 /* NULL: not known */
	bool chain_root; /* the chain is `root`, which is not NULL then */
	unsigned formats;
	const char *password, *name; /* of the keystore */
	struct file_access access;   /* of what holds the key */
};

/* Takes what `files` wants of what can be had: without a root there is none in the chain. -EINVAL
 * when a format needs a key that is not here or a password that was not given. */
int content_take(EVP_PKEY *key, bool keyless, X509 *leaf, const struct generation_files *files,
		 struct content *ret_content, struct error *error);

/* What is to stand in a part: PEM, DER or (keystore.p12, with fresh salts) whatever the format
 * says; not for csr.pem and meta.json. Wipe it after use. */
int content_print(const struct content *content, enum part part, struct buffer *text,
		  struct error *error);

/* Sets what meta.json says about the files. */
void content_describe(const struct content *content, struct generation_meta *meta);

/*
 * Writes everything but key and request, removes exports that are not wanted, and syncs all that
 * was written, files first, then the directory. meta->formats and so on are set.
 */
int content_fill(int directory, const char *path, const struct content *content,
		 struct generation_meta *meta, struct error *error);

/* 1 when the part is there and holds what it should, 0 when it does not, -EKEYREJECTED for a
 * keystore with another password; another negative errno when that cannot be told just now. */
int content_compare(int directory, const char *path, const struct content *content, enum part part,
		    struct error *error);

/* Key and leaf of a generation that is in place. */
struct generation_pair {
	EVP_PKEY *key; /* only its public half when keyless */
	bool keyless;
	X509 *leaf;
	struct leaf_facts facts;
};

/* -EBADMSG when they do not belong together or cannot be parsed, -ENOENT when one is missing. */
int pair_load(int directory, const char *path, struct generation_pair *ret_pair,
	      struct error *error);
void pair_free(struct generation_pair *pair);

/* The root that a generation was made with, by its own files; NULL when it has none (any more).
 * Negative errno when that cannot be told just now. */
int made_with_root(int directory, const char *path, const struct generation_meta *meta,
		   X509 **ret_root, struct error *error);

/* Opens the directory of a generation. */
int generation_open(int certificate, const char *where, unsigned number, int *ret_fd,
		    char path[static PATH_MAX], struct error *error);

/* Reads meta.json; takes the facts, which tell what it does not (or, when it is another leaf's,
 * everything). */
int meta_join(int directory, const char *path, struct leaf_facts *facts,
	      struct generation_meta *ret_meta, struct error *error);

/* What the caller left open is told by the leaf; takes its facts. */
void meta_complete(struct generation_meta *meta, struct leaf_facts *facts);

#endif
