/*
 * init.h - the first run (`init`), in parts: what is asked, what is checked, what is written.
 *
 * Nothing is written before all is known and the API has taken the token; what was written is taken
 * back when the rest cannot be. Files that are there are kept, or replaced after a question.
 */
#ifndef ORIGIN_CA_COMMANDS_INIT_H
#define ORIGIN_CA_COMMANDS_INIT_H

#include "commands/command.h"

/* A file of ours, and what was in its place. */
struct init_file {
	char *path;
	bool existed, written;
	struct buffer before; /* its bytes, when it existed */
	struct file_access access;
};

struct init {
	const struct command_options *options;
	bool interactive;	       /* there is somebody to ask */
	struct config *config;	       /* as it is before us; an empty one without a main file */
	struct config *preview;	       /* of the drop-in alone, without targets */
	const struct config_api *api;  /* of the certificate */
	struct string_list hostnames;  /* as they were given */
	char *name;		       /* of the certificate */
	struct string_list targets;    /* names; none: it is kept for whoever reads it */
	char *token;		       /* a new one, or NULL: what is in place stays */
	char *token_origin;	       /* what messages call the place that it came from */
	struct init_file token_file;   /* where it is, or comes */
	struct init_file drop_in_file; /* of the certificate */
	struct init_file main_file;    /* written only when there is none */
};

/* From options, or asked for: hostnames and with them the name; servers; the token. */
int init_names(struct init *init, struct error *error);
int init_targets(struct init *init, struct error *error);
int init_token(struct init *init, struct error *error);

/* Whether Cloudflare takes the token, and has the zones of the names. */
int init_api(const struct init *init, struct error *error);

/* Reads the drop-in as it would be: sets `preview` and `api`. Before that of init_files(). */
int init_preview(struct init *init, struct error *error);

/* What stands where the files are to come, and whether it may be replaced; asks when it must. */
int init_files(struct init *init, struct error *error);

/* All files or none: reads the configuration anew, which must have the certificate then, and
 * takes back what was written otherwise. */
int init_write(struct init *init, struct error *error);

/* A pass for the certificate, as `--renew-now NAME`; gives its exit status. */
int init_pass(const struct init *init, struct error *error);

/* Enables and starts (reloads) the service, and waits for its first pass, for a while. */
int init_service(const struct config *config, struct error *error);

#endif
