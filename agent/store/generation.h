/*
 * generation.h - immutable numbered directories with one key, its leaf and their exports.
 *
 * A generation begins as certificates/NAME/pending/: first the key (or the user's own request, when
 * the key is on another host), durable before the API is asked, then what the API answered, then
 * one rename to its number. What a crash leaves is either a whole generation or a pending directory
 * from which the next pass goes on. Another password, chain or format of the same key and leaf is
 * another generation: generation_derive(), which asks nobody.
 *
 * A generation without the key ("keyless") has csr.pem in the place of key.pem, and no keystore.
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
#define GENERATION_CSR	     "csr.pem" /* instead of key.pem, when the key is on another host */
#define GENERATION_DER	     "cert.der"
#define GENERATION_P7B	     "cert.p7b"
#define GENERATION_P12	     "keystore.p12"
#define GENERATION_COMBINED  "combined.pem"

enum {
	GENERATION_NAME_SIZE = 12,
	GENERATION_MOST = 99999999
};

/* "0007"; more digits only when needed. Returns `text`. */
const char *generation_name(unsigned number, char text[static GENERATION_NAME_SIZE]);

/* The file of one format: GENERATION_DER ...; NULL for what is no single format. */
const char *generation_format_file(enum certificate_format format);

/* The formats that hold the private key: a keyless generation cannot have them. */
#define GENERATION_KEY_FORMATS ((unsigned)FORMAT_P12 | (unsigned)FORMAT_COMBINED)

/* What a generation is to consist of besides key and leaf. All pointers are the caller's. */
struct generation_files {
	unsigned formats;     /* enum certificate_format */
	X509 *root;	      /* that signed the leaf (root_list_signer()); NULL: not known */
	bool chain_root;      /* chain.pem and fullchain.pem have the root, once it is known; so do
				 keystore.p12 and combined.pem, which are the full chain and the key */
	const char *password; /* of keystore.p12, UTF-8; NULL without FORMAT_P12 */
	const char *name;     /* alias in keystore.p12; the certificate's name */
	EVP_PKEY *key; /* the private key, where a generation was made without and it has come to
			  this host since; NULL otherwise */
	struct file_access access; /* of what holds the key; the rest is the same plus
				      world-readable */
};

/* What is to be asked for. */
struct pending_request {
	enum key_type key_type; /* of a key that is made; no matter with `key` or `csr_pem` */
	const struct string_list *hostnames;
	EVP_PKEY *key;	     /* to be used: the user's own or, for reuse_key, that of the newest
				generation. NULL: made, unless there is csr_pem */
	const char *csr_pem; /* the user's own request; NULL: made. Without `key` the key is on
				another host and the generation will be keyless */
	const struct file_access *access; /* of the key */
	unsigned formats;		  /* for which room is taken */
	bool chain_root;		  /* room for the root, too */
};

/*
 * Makes (or finds) the pending directory: what has to be durable before the API is asked. When it
 * holds the key that is to be used (without a given one: any readable key of `key_type`),
 * *ret_reused is true: an earlier request with it may have been answered. A pending directory
 * without a usable key, or with another one, is emptied first; a key that cannot be read just now
 * (I/O error, permission) is an error and stays. `ret_csr` is PEM text (free() it); a request that
 * we make is not kept on disk, it is made again from the key. `ret_key` has only a public half when
 * the key is on another host.
 *
 * A key that is given may have certificates at the API from before: that *ret_reused is false says
 * only that no earlier request is open.
 *
 * -EINVAL (class configuration, with a remedy) when csr_pem is for another key than `key`, or when
 * `formats` needs a key that is not here; csr_read()'s errors for csr_pem.
 *
 * When this returns 0, the key is durable and the blocks and inodes that the answer will fill are
 * taken: a full disk fails here (-ENOSPC or -EDQUOT, class local, with the remedy), before an
 * issue is asked for, and leaves nothing behind.
 */
int pending_prepare(int certificate, const char *where, const struct pending_request *request,
		    EVP_PKEY **ret_key, char **ret_csr, bool *ret_reused, struct error *error);

/* True when there is a pending directory with a key, or with the request of one elsewhere. */
bool pending_exists(int certificate);

/*
 * The moment when the API was asked with the pending key, 0 when nobody waits for an answer: a pass
 * that is killed in between leaves a request that may still be at work. pending_prepare() keeps it.
 * It is the directory's time of modification, and not worth a sync: a power cut takes longer than a
 * request.
 */
int64_t pending_asked_at(int certificate);
void pending_asked_set(int certificate, int64_t at);

/* True when the key of the pending directory was given, not made for a request. */
bool pending_is_given(int certificate);

int pending_discard(int certificate, const char *where, struct error *error);

/* What a generation knows about its leaf besides the files themselves. */
struct generation_meta {
	unsigned number;
	char *id; /* the API's; NULL for a placeholder */
	bool placeholder;
	int64_t created;		    /* when it was stored, seconds */
	int64_t validity_days;		    /* as asked; 0 for a placeholder */
	bool adopted;			    /* found at the API after a lost answer */
	bool imported;			    /* brought by the administrator, not issued for us */
	bool keyless;			    /* csr.pem instead of key.pem */
	unsigned formats;		    /* enum certificate_format that were made */
	bool chain_root;		    /* chain.pem is the root */
	char root_sha256[SHA256_TEXT_SIZE]; /* of the root that was known, "": none was */
	struct leaf_facts facts;
};

void generation_meta_free(struct generation_meta *meta);

/*
 * Writes leaf, chain, exports and meta.json into pending/, syncs, and renames it to the next free
 * number (ret_number). Origin CA leaves have no intermediate: chain.pem is empty, or the root.
 * Durable when it returns. What holds the key gets mode `files->access`, the other files the same
 * with world read added, directories are 0711.
 *
 * The number is above every one that a directory or state.json has, and at least meta->number, for
 * a caller that knows of higher ones (a restored snippet). meta->number is set to it; id, created
 * and facts are told from the leaf where the caller left them empty; keyless, formats and what
 * concerns the root are set to what was made. -EBADMSG when the leaf does not belong to the pending
 * key, -EINVAL when the key that `files` needs is not here: nothing is written then. -ENOENT when
 * there is no pending key.
 */
int generation_commit(int certificate, const char *where, const char *leaf_pem,
		      struct generation_meta *meta, const struct generation_files *files,
		      unsigned *ret_number, struct error *error);

/*
 * Makes a new generation with the key and the leaf of `number` and other files: with formats that
 * it has not, another chain, another password. Its id, validity, `created` and `adopted` are those
 * of `number`, which stays as it is. The new number is as of generation_commit(), and at least
 * `at_least`. Durable when it returns; a crash leaves a temporary directory for
 * generation_recover(). pending/ is not touched. Errors of `number` as generation_read()'s.
 */
int generation_derive(int certificate, const char *where, unsigned number, unsigned at_least,
		      const struct generation_files *files, unsigned *ret_number,
		      struct error *error);

/*
 * Makes generation 0 with a fresh P-256 key and a self-signed placeholder, unless it is there.
 * files->chain_root and root are of no meaning here. To one that is there, a format that it lacks
 * is added and a keystore with another password is replaced (by one rename, of one file): the only
 * case in which a generation changes, for it never held anything of worth.
 */
int generation_placeholder(int certificate, const char *where, const struct string_list *hostnames,
			   const struct generation_files *files, int64_t now, struct error *error);

/* In what a generation differs from what its files should be. */
enum generation_difference {
	GENERATION_FORMATS = 1 << 0,  /* a format that is wanted is missing, or the key, which is
					 here  now; one too many is none */
	GENERATION_ROOT = 1 << 1,     /* chain.pem has the root and should not, or the other way
					 round; or a file was made with another root than the one
					 known now, or with none */
	GENERATION_PASSWORD = 1 << 2, /* keystore.p12 does not open with the password */
	GENERATION_DAMAGED = 1 << 3,  /* a file that is there does not hold what it should */
};

/*
 * Holds an existing generation against `files`: ret_differences gets enum generation_difference
 * bits, each a reason to derive and none to ask the API. A root that is not known (any more) is no
 * difference. Without `full` only meta.json and the names of the files are looked at, which finds
 * neither GENERATION_PASSWORD nor GENERATION_DAMAGED but an export that is gone; with it, every
 * chain and export is read. A format that is wanted of a keyless generation and needs the key is
 * not missed. Negative errno when something cannot be read just now.
 */
int generation_files_check(int certificate, const char *where, unsigned number,
			   const struct generation_files *files, bool full,
			   unsigned *ret_differences, struct error *error);

/*
 * What a pass does first: removes what a crash left in certificates/NAME/ (temporary files,
 * half-made directories); a pending directory that already holds a leaf matching its key is
 * committed (ret_recovered gets its number, else 0), with PEM files only: generation_files_check()
 * then tells what else is wanted. One with a key only stays: the API may have
 * answered. Numbered directories that are not whole (a restored backup) stay too, unless empty.
 */
int generation_recover(int certificate, const char *where, unsigned *ret_recovered,
		       struct error *error);

/* Numbers of all complete generation directories, ascending, and of those of which that cannot be
 * told just now; free() ret_numbers. */
int generation_list(int certificate, const char *where, unsigned **ret_numbers, size_t *ret_count,
		    struct error *error);

/*
 * Reads a generation from its files: leaf parsed, key (or csr.pem) read and compared with the leaf.
 * meta.json is used for what the files cannot tell; chain and exports are
 * generation_files_check()'s: damage there costs no certificate.
 * -EBADMSG (class local) when key and leaf do not belong together or cannot be parsed, -ENOENT when
 * a file is missing. Makes the directory's place durable, in case the pass that made it was killed
 * just before. generation_is_lost() tells whether an error means that another certificate is
 * needed, or that this one could not be read just now.
 */
int generation_read(int certificate, const char *where, unsigned number,
		    struct generation_meta *ret_meta, struct error *error);
bool generation_is_lost(int result);

/*
 * What meta.json says about a generation or, where it says nothing usable, the leaf: without the
 * key, so anybody may ask, and without holding one against the other. -ENOENT when neither is
 * there. Free with generation_meta_free().
 */
int generation_describe(int certificate, const char *where, unsigned number,
			struct generation_meta *ret_meta, struct error *error);

/* The leaf of a generation. -EBADMSG when it cannot be parsed. Free with X509_free(). */
int generation_leaf(int certificate, const char *where, unsigned number, X509 **ret_leaf,
		    struct error *error);

/* The private key of a generation. -EBADMSG when it cannot be parsed, -ENOENT when it is keyless.
 * Free with EVP_PKEY_free(). */
int generation_key(int certificate, const char *where, unsigned number, EVP_PKEY **ret_key,
		   struct error *error);

/*
 * Owner, group and modes of all files as they should be, exports too; with `repair`, puts them
 * right on the descriptors. `ret_drifted` says whether something differed.
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

/* One fingerprint over the stamps of all of a generation's files (key or request, cert, chain,
 * fullchain, meta, the exports that are there, and the directory); equal text means nothing was
 * touched. -ENOENT when one is missing that every generation has. */
int generation_fingerprint(int certificate, unsigned number, char text[static SHA256_TEXT_SIZE]);

#endif
