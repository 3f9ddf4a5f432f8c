/*
 * command.h - the commands of the program (DESIGN 6), one file each, and what they share.
 */
#ifndef ORIGIN_CA_COMMANDS_COMMAND_H
#define ORIGIN_CA_COMMANDS_COMMAND_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "base/list.h"
#include "config/model.h"
#include "pass/pass.h"

/* What goes with `init` alone. */
struct init_options {
	struct string_list hostnames; /* items, or several of them in one, with blanks or commas */
	struct string_list targets;
	const char *token_file; /* "-": standard input */
	const char *endpoint;
	const char *ca_file;
	bool enable, no_enable; /* the service */
	bool given;		/* any of them */
};

struct command_options {
	const char *config_path;
	const char *program;		  /* argv[0] */
	const struct config_token *token; /* read while we were root; or NULL */
	bool json;
	bool force;
	bool dry_run;
	bool yes;	  /* ask nothing */
	const char *name; /* of the certificate, where it would follow from something else */
	const char *zone; /* name or id, or NULL */
	struct init_options init;
	bool html, watch;
	struct string_list arguments; /* behind the command */
};

/* Who a command that root runs is run by (become.h). */
enum command_user {
	USER_OWNER,  /* the owner of the state directory */
	USER_MAKES,  /* the same, and the state directory is made for the agent's user */
	USER_CALLER, /* root: it does nothing by itself, writes what is root's, or becomes the
			owner when it has read what only root may */
};

/* Options that some commands take and the others refuse. */
enum command_option {
	TAKES_FORCE = 1 << 0,
	TAKES_DRY_RUN = 1 << 1,
	TAKES_YES = 1 << 2,
	TAKES_ZONE = 1 << 3,
	TAKES_NAME = 1 << 4,
	TAKES_INIT = 1 << 5, /* those of struct init_options */
	TAKES_PAGE = 1 << 6, /* --html, --watch */
};

struct command {
	const char *name;
	const char *synopsis; /* of its arguments; NULL hides the command */
	const char *summary;
	int (*run)(const struct command_options *options); /* gives the exit status */
	size_t least, most;				   /* arguments */
	enum command_user user;
	unsigned takes; /* enum command_option */
};

extern const struct command commands[];
extern const size_t command_count;

int command_run(const struct command_options *options);
int command_pass(const struct command_options *options);
int command_renew(const struct command_options *options);
int command_check(const struct command_options *options);
int command_status(const struct command_options *options);
int command_render(const struct command_options *options);
int command_init(const struct command_options *options);
int command_probe(const struct command_options *options);
int command_list(const struct command_options *options);
int command_show(const struct command_options *options);
int command_revoke(const struct command_options *options);
int command_adopt(const struct command_options *options);
int command_prune(const struct command_options *options);

/*
 * Reads the configuration and tells each problem once on standard error. NULL, after a message,
 * when there is nothing to go on with (exit status 3; command_fail() was called).
 */
struct config *command_config(const struct command_options *options);

/* Hands the token that was read beforehand to the accounts that read the default file. */
void command_give_token(const struct command_options *options, const struct config *config);

/*
 * Nothing could be done: one line on standard error, and with --json {"version", "exit_status",
 * "error": {"class", "message", "remedy"}} on standard output. Gives `status`.
 */
int command_fail(const struct command_options *options, int status, const struct error *error);

/* Names a certificate that is not configured on standard error; true when all are. */
bool command_names_known(const struct command_options *options, const struct config *config);

/* Standard output, whole or with a message on standard error and a false. */
bool command_print(const char *text);
bool command_print_json(const cJSON *json);

#endif
