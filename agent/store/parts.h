/*
 * parts.h - one generation directory and its files, at the level of descriptors (the store's own).
 */
#ifndef ORIGIN_CA_STORE_PARTS_H
#define ORIGIN_CA_STORE_PARTS_H

#include <sys/stat.h>

#include "store/generation.h"

#define GENERATION_PENDING "pending"

/* The mark in pending/ of a key that was given, not made: no one else's request may use it. */
#define GENERATION_GIVEN "given"

/* A generation is complete when it has the first of these, or the second, and the four after. */
enum part {
	PART_KEY,
	PART_CSR,
	PART_CERT,
	PART_CHAIN,
	PART_FULLCHAIN,
	PART_META,
	PART_DER,
	PART_P7B,
	PART_P12,
	PART_COMBINED,
	PART_COUNT,
	PART_EXPORTS = PART_DER, /* the first that only some have */
};

const char *part_name(enum part part);

/* The enum certificate_format that an export is, 0 for any other part. */
unsigned part_format(enum part part);

/* Owner, group and mode of a part, from those of the key: what does not hold the key is
 * world-readable. */
struct file_access part_access(const struct file_access *key, enum part part);

/* 0 for a directory with a key, 1 for one with only a request, -ENOENT for one with neither;
 * another negative errno when that cannot be told just now. */
int parts_keyless(int directory);

bool access_differs(const struct stat *status, const struct file_access *access);

/* Sets owner, group and mode on a descriptor where they differ. */
int access_settle(int fd, const struct file_access *access, bool *ret_changed);

/*
 * Makes DIRECTORY/PART anew (what was there is removed, never followed nor written through) and
 * takes `reserve` bytes of disk for it. The file is empty; not synced.
 */
int part_reserve(int directory, const char *where, enum part part,
		 const struct file_access *key_access, size_t reserve, struct error *error);

/*
 * Fills DIRECTORY/PART: into the empty file that part_reserve() left, or else a new one; a file
 * that holds these very bytes gets them again, so that no crash can take them away. Owner and mode
 * are right before the first byte is in it. Starts writing to disk without waiting; the caller
 * syncs `ret_fd` (then closes it).
 */
int part_write(int directory, const char *where, enum part part, const void *data, size_t length,
	       const struct file_access *key_access, int *ret_fd, struct error *error);

/* fsync, and what to say when it fails. */
int part_sync(int fd, const char *where, enum part part, struct error *error);

/* 1 for a directory in which every part that all have is a regular file, and key (or request), cert
 * and fullchain are not empty; 0 when one is not; a negative errno when that cannot be told just
 * now. */
int parts_complete(int directory);

/* True for errors that say what a file is, not what became of the attempt to look: it is absent, of
 * the wrong kind, or holds what it must not. Any other (no descriptors or memory left, an I/O
 * error, a permission) may pass, and is no reason to give up what may be there. */
bool part_is_lost(int result);

/* Reads the key. -EBADMSG when it is no usable key, -ENOENT when there is none. */
int key_load(int directory, const char *where, EVP_PKEY **ret_key, struct error *error);

/* The same for the request of a key that is elsewhere: the public key of csr.pem. */
int request_load(int directory, const char *where, EVP_PKEY **ret_key, struct error *error);

/* Whichever of the two is there; `ret_keyless` tells. */
int either_load(int directory, const char *where, EVP_PKEY **ret_key, bool *ret_keyless,
		struct error *error);

/* Reads text of a part into `contents`. */
int part_read(int directory, const char *where, enum part part, struct buffer *contents,
	      struct error *error);

/* Takes a leaf from PEM text and compares it with the key. -EBADMSG when they do not belong
 * together or when the text is no leaf. `ret_leaf` may be NULL. */
int leaf_match(const char *leaf_pem, size_t length, const EVP_PKEY *key, const char *where,
	       X509 **ret_leaf, struct leaf_facts *ret_facts, struct error *error);

/*
 * Opens pending/ and reads its key, or the public half of one that is elsewhere. -ENOENT when there
 * is none; a pending/ that certainly holds nothing usable is removed first. One that cannot be read
 * for another reason is left alone.
 */
int pending_open(int certificate, const char *where, int *ret_fd, EVP_PKEY **ret_key,
		 bool *ret_keyless, struct error *error);

/* 1 when pending/ holds a leaf of its key, which is read; 0 when it does not; a negative errno when
 * that cannot be told just now. */
int pending_leaf(int pending, const char *where, const EVP_PKEY *key, X509 **ret_leaf,
		 struct leaf_facts *ret_facts, struct error *error);

/* Syncs certificates/NAME/, and with `parent` the directory that NAME is in. */
int certificate_sync(int certificate, const char *where, bool parent, struct error *error);

/* The number that an entry of certificates/NAME/ stands for, -1 for none; `ret_canonical` when it
 * is written as we write it. */
long generation_parse(const char *text, bool *ret_canonical);

/* A number above every one that is or was in use, as far as this host knows. */
int generation_next(int certificate, const char *where, unsigned at_least, unsigned *ret_number,
		    struct error *error);

enum {
	TEMPORARY_NAME_SIZE = 64
};

/* Makes a directory for what will be `number`, under a name that generation_recover() removes. */
int temporary_make(int certificate, const char *where, unsigned number,
		   char name[static TEMPORARY_NAME_SIZE], int *ret_fd, struct error *error);

/* Gives a finished, synced directory its number, never over anything that is there, and makes that
 * durable; with `first` the directory above, too. */
int number_take(int certificate, const char *where, const char *from, unsigned number, bool first,
		struct error *error);

/* True when certificates/NAME/ holds a numbered entry. */
int generation_any(int certificate, const char *where, bool *ret_any, struct error *error);

/* Removes the temporary files that file_write_at() left when its process was killed. What cannot be
 * removed does no harm. */
void leftovers_remove(int directory);

/* Runs `visit` for every entry but "." and ".."; a negative result ends the walk. */
int directory_walk(int directory, const char *where,
		   int (*visit)(int directory, const char *name, void *context,
				struct error *error),
		   void *context, struct error *error);

#endif
