/*
 * remote.h - targets that are not services of this host (cPanel, Amazon's certificate manager,
 * IIS): what is done there, in one table a kind.
 *
 * For the pass such a target is one like the others. Its snippet, rendered and committed here, says
 * what the target is to have; what a reload is for a server of this host is for it a delivery:
 * remote_deliver() looks what is there, keeps it, places what the snippet asks for and looks again.
 * A delivery that was interrupted, or whose answer was lost, is done again: what is there already
 * is not placed twice. To go back is to deliver what the former snippet asked for; before the first
 * certificate that was verified there, it is what remote_deliver() kept (generation 0).
 */
#ifndef ORIGIN_CA_TARGET_REMOTE_H
#define ORIGIN_CA_TARGET_REMOTE_H

#include <openssl/x509.h>

#include "base/json.h"
#include "config/model.h"
#include "pki/leaf.h"

/* What one remote target is to have for one certificate. */
struct remote_order {
	const struct config_target *target;
	const struct config_certificate *certificate;
	unsigned generation; /* 0: what was there before the first one */
	/* Of that generation; NULL with generation 0. */
	EVP_PKEY *key;
	X509 *leaf;
	X509 *root; /* that signed the leaf, or NULL: it is not known */
	const struct leaf_facts *facts;
	bool first;	     /* none was verified there yet: what is there now is somebody else's */
	int snippets;	     /* directory of the target's snippets */
	int directory;	     /* certificates/NAME: notes are kept in it */
	const char *where;   /* its path, for messages */
	int64_t deadline_ms; /* clock_monotonic_ms() by which the delivery must have ended */
};

enum remote_found {
	REMOTE_OTHER,  /* something else, or nothing */
	REMOTE_WANTED, /* all that the order asks for */
};

/*
 * One kind's. A session is made by open() for one order and ended by close(). Errors are of class
 * transient (with outcome_unknown where a place() may have been carried out), configuration,
 * authorization, local, or deploy where the platform refuses what it was given: in its own words,
 * with a remedy, never with a credential.
 */
struct remote_operations {
	/* How the target is set, a line each ("url = https://..."): to be shown in its snippet, and
	 * whatever differs from before is delivered anew. No secret. */
	void (*describe)(const struct config_target *target, struct string_list *lines);
	/* For `check`: whether the credentials can be read. Asks nobody. */
	int (*check)(const struct config_target *target, struct error *error);
	int (*open)(const struct remote_order *order, void **ret_session, struct error *error);
	/* What is there now. */
	int (*look)(void *session, enum remote_found *ret_found, struct error *error);
	/* Adds what the last look saw, as go_back() will need it. NULL with go_back. */
	int (*keep)(void *session, cJSON *before, struct error *error);
	/* Places what the order asks for. */
	int (*place)(void *session, struct error *error);
	/* Places what was kept; NULL where that cannot be had (the key never comes out again). */
	int (*go_back)(void *session, const cJSON *before, struct error *error);
	void (*close)(void *session);
	/* The directory that all of this reads and writes, where that may hang (a share): it is
	 * then done in a process of its own (apart.h). NULL: what is asked has deadlines of its
	 * own. */
	const char *(*share)(const struct config_target *target);
};

extern const struct remote_operations remote_cpanel;
extern const struct remote_operations remote_aws_acm;
extern const struct remote_operations remote_iis;

/*
 * Brings to the target what the order asks for: 0 when the target itself says that it has it. What
 * was there before the first is kept in certificates/NAME/rollback.TARGET.before; an order of
 * generation 0 puts it back, and does nothing where nothing was kept.
 */
int remote_deliver(const struct remote_order *order, struct error *error);

/* Only looks whether the target has what the order asks for. */
int remote_look(const struct remote_order *order, enum remote_found *ret_found,
		struct error *error);

/* For `check`: whether credentials and directory can be used; never longer than ten seconds. */
int remote_check(const struct config_target *target, struct error *error);

/* Name of the file with what was there before the first; free it. */
char *remote_before_name(const struct config_target *target);

/* A small note of this target in certificates/NAME/ (remote.TARGET.json); an empty object when
 * there is none that can be read. A hint: what it says is asked again. */
cJSON *remote_note_load(const struct remote_order *order);
int remote_note_save(const struct remote_order *order, const cJSON *note, struct error *error);

/* What is left of the order's time, ms; -ETIMEDOUT (class transient) when that is too little. */
int remote_time_left(const struct remote_order *order, int64_t *ret_left, struct error *error);

/*
 * A secret of one line from a file (a token): class configuration, with a remedy, when it is
 * missing, empty, longer than a line, or open to others. `what`: "the API token". Free it with
 * secret_free().
 */
int remote_secret_read(const char *path, const char *what, char **ret_secret, struct error *error);

/* The same of a file of several lines, as it is (emptied first; its limit counts). */
int remote_secret_file(const char *path, const char *what, struct buffer *text,
		       struct error *error);

#endif
