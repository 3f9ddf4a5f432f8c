/*
 * roots.h - STATE/roots: what Cloudflare publishes (pki/root.h), fetched once and kept.
 *
 * Files are 0644 and named as published, with the beginning of their SHA-256 before ".pem" where
 * they are others than the published ones; what else stands there (a root that the administrator
 * put there and pinned) is left alone. root_list_load() reads the directory.
 */
#ifndef ORIGIN_CA_STORE_ROOTS_H
#define ORIGIN_CA_STORE_ROOTS_H

#include "pki/root.h"
#include "store/store.h"

/* Opens STATE/roots, with `create` making it (0755, durable). -ENOENT when it is not there. */
int roots_open(const struct store *store, bool create, int *ret_fd, struct error *error);

/*
 * Which of the published files are there and good for an account with these pins (may be NULL), as
 * a set of 1 << enum root_kind. With pins only what they name counts: the day Cloudflare renews a
 * root, the kept former one must not keep the new one from being fetched. Why one that is
 * there is not good is appended to `ret_warnings` (may be NULL). An absent directory has none.
 * Negative errno only when that cannot be told just now.
 */
int roots_present(const struct store *store, const struct string_list *pins, unsigned *ret_kinds,
		  struct string_list *ret_warnings, struct error *error);

/* Writes one, atomically and durably; the directory is made when it is not there. The caller has
 * the certificate from root_read_pem(): what stood around it in the text is not kept. */
int roots_write(const struct store *store, enum root_kind kind, X509 *root, struct error *error);

/* The one that counts for an account: pinned or, else, the published one. Its absolute path and the
 * certificate (free() and X509_free() them). -ENOENT, class local, when there is none. */
int roots_read(const struct store *store, enum root_kind kind, const struct string_list *pins,
	       char **ret_path, X509 **ret_root, struct error *error);

#endif
