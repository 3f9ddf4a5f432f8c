/*
 * generation.h - immutable numbered directories with one key, its leaf and their exports.
 *
 * A generation begins as certificates/NAME/pending/: first the key and the request (durable before
 * the API is asked), then what the API answered, then one rename to its number. What a crash
 * leaves is either a whole generation or a pending directory from which the next pass goes on.
 */
#ifndef ORIGIN_CA_STORE_GENERATION_H
#define ORIGIN_CA_STORE_GENERATION_H

#include "pki/leaf.h"
#include "store/store.h"

#define GENERATION_KEY	     "key.pem"
#define GENERATION_CERT	     "cert.pem"
#define GENERATION_CHAIN     "chain.pem"
#define GENERATION_FULLCHAIN "fullchain.pem"
#define GENERATION_META	     "meta.json"

enum {
	GENERATION_NAME_SIZE = 12,
	GENERATION_MOST = 99999999
};

/* "0007"; more digits only when needed. Returns `text`. */
const char *generation_name(unsigned number, char text[static GENERATION_NAME_SIZE]);

/*
 * Makes (or finds) the pending directory: what has to be durable before the API is asked. When it
 * holds a readable key of `key_type`, that key is used again and *ret_reused is true: an earlier
 * request with it may have been answered. A pending directory without a usable key, or with one of
 * another type, is emptied first; a key that cannot be read just now (I/O error, permission) is an
 * error and stays. `ret_csr` is PEM text (free() it); the request is not kept on disk, it is made
 * again from the key.
 *
 * When this returns 0, the key is durable and the blocks and inodes that the answer will fill are
 * taken: a full disk fails here (-ENOSPC or -EDQUOT, class local, with the remedy), before an
 * issue is asked for, and leaves nothing behind.
 */
int pending_prepare(int certificate, const char *where, enum key_type key_type,
		    const struct string_list *hostnames, const struct file_access *access,
		    EVP_PKEY **ret_key, char **ret_csr, bool *ret_reused, struct error *error);

/* True when there is a pending directory with a key. */
bool pending_exists(int certificate);

/*
 * The moment when the API was asked with the pending key, 0 when nobody waits for an answer: a pass
 * that is killed in between leaves a request that may still be at work. pending_prepare() keeps it.
 * It is the directory's time of modification, and not worth a sync: a power cut takes longer than a
 * request.
 */
int64_t pending_asked_at(int certificate);
void pending_asked_set(int certificate, int64_t at);

int pending_discard(int certificate, const char *where, struct error *error);

/* What a generation knows about its leaf besides the files themselves. */
struct generation_meta {
	unsigned number;
	char *id; /* the API's; NULL for a placeholder */
	bool placeholder;
	int64_t created;       /* when it was stored, seconds */
	int64_t validity_days; /* as asked; 0 for a placeholder */
	bool adopted;	       /* found at the API after a lost answer */
	struct leaf_facts facts;
};

void generation_meta_free(struct generation_meta *meta);

/*
 * Writes leaf, chain and meta.json into pending/, syncs, and renames it to the next free number
 * (ret_number). `chain_pem` may be "" (Origin CA leaves have no intermediate): chain.pem is then
 * empty and fullchain.pem is the leaf. Durable when it returns. The key gets mode `access` (default
 * 0600), the other files the same with world read added, directories are 0711.
 *
 * The number is above every one that a directory or state.json has, and at least meta->number, for
 * a caller that knows of higher ones (a restored snippet). meta->number is set to it; id, created
 * and facts are told from the leaf where the caller left them empty. -EBADMSG when the leaf does
 * not belong to the pending key: nothing is written then. -ENOENT when there is no pending key.
 */
int generation_commit(int certificate, const char *where, const char *leaf_pem,
		      const char *chain_pem, struct generation_meta *meta,
		      const struct file_access *access, unsigned *ret_number, struct error *error);

/* Makes generation 0 with a fresh P-256 key and a self-signed placeholder, unless it is there. */
int generation_placeholder(int certificate, const char *where, const struct string_list *hostnames,
			   const struct file_access *access, int64_t now, struct error *error);

/*
 * What a pass does first: removes what a crash left in certificates/NAME/ (temporary files,
 * half-made directories); a pending directory that already holds a leaf matching its key is
 * committed (ret_recovered gets its number, else 0). One with a key only stays: the API may have
 * answered. Numbered directories that are not whole (a restored backup) stay too, unless empty.
 */
int generation_recover(int certificate, const char *where, unsigned *ret_recovered,
		       struct error *error);

/* Numbers of all complete generation directories, ascending, and of those of which that cannot be
 * told just now; free() ret_numbers. */
int generation_list(int certificate, const char *where, unsigned **ret_numbers, size_t *ret_count,
		    struct error *error);

/*
 * Reads a generation from its files: leaf parsed, key read and compared with the leaf. meta.json
 * is used for what the files cannot tell. -EBADMSG (class local) when key and leaf do not belong
 * together or cannot be parsed, -ENOENT when a file is missing. Makes the directory's place
 * durable, in case the pass that made it was killed just before.
 * generation_is_lost() tells whether an error means that another certificate is needed, or that
 * this one could not be read just now.
 */
int generation_read(int certificate, const char *where, unsigned number,
		    struct generation_meta *ret_meta, struct error *error);
bool generation_is_lost(int result);

/* The private key of a generation. -EBADMSG when it cannot be parsed. */
int generation_key(int certificate, const char *where, unsigned number, EVP_PKEY **ret_key,
		   struct error *error);

/*
 * Owner, group and modes as they should be; with `repair`, puts them right on the descriptors.
 * `ret_drifted` says whether something differed.
 */
int generation_access_check(int certificate, const char *where, unsigned number,
			    const struct file_access *access, bool repair, bool *ret_drifted,
			    struct error *error);

/*
 * Removes generations older than the `keep` newest; never one of `in_use` (numbers that snippets,
 * live/ or a rollback still name).
 */
int generation_prune(int certificate, const char *where, unsigned keep, const unsigned *in_use,
		     size_t in_use_count, struct error *error);

/* One fingerprint over the stamps of all of a generation's files (key, cert, chain, fullchain,
 * meta and the directory); equal text means nothing was touched. -ENOENT when one is missing. */
int generation_fingerprint(int certificate, unsigned number, char text[static SHA256_TEXT_SIZE]);

#endif
