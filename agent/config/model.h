/*
 * model.h - what the administrator asked for, after every key was parsed and checked.
 *
 * DESIGN 5 is the list of keys. Strings are UTF-8 and belong to the configuration; times and
 * durations are seconds. A section that is wrong is not here: it is in `problems`, and so are the
 * certificates that need it. The others stand.
 */
#ifndef ORIGIN_CA_CONFIG_MODEL_H
#define ORIGIN_CA_CONFIG_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/file.h"
#include "base/list.h"

/* Where something stands: "/etc/origin-ca-agent/conf.d/shop.ini", line 12 (from 1; 0: whole file).
 */
struct config_place {
	const char *file; /* the configuration's */
	unsigned line;
};

/* One thing that is wrong (or, as a warning, odd). */
struct config_problem {
	struct config_place place;
	char *message; /* without place: "unknown key \"hostname\" in [certificate shop]" */
	char *remedy;  /* "did you mean \"hostnames\"?", or NULL */
	bool warning;  /* nothing was skipped because of it */
};

enum key_type {
	KEY_ECDSA_P256,
	KEY_ECDSA_P384,
	KEY_RSA_2048,
	KEY_RSA_3072,
	KEY_RSA_4096,
	KEY_TYPE_COUNT,
};

/* "ecdsa-p256" ...; NULL out of range. Parsing gives -EINVAL for another word. */
const char *key_type_name(enum key_type type);
int key_type_parse(const char *name, enum key_type *ret_type);

/* How long before notAfter to renew: a duration, or a share of the lifetime. */
struct renew_before {
	int64_t seconds;  /* > 0, or 0 when `percent` counts */
	unsigned percent; /* 1 to 99 of notAfter - notBefore */
};

struct config_agent {
	char *state_dir; /* absolute */
	char *conf_dir;	 /* absolute */
	struct renew_before renew_before;
	int64_t splay;		   /* -1: a tenth of the renewal window */
	unsigned concurrency;	   /* 1 to 64 */
	unsigned keep_generations; /* 1 to 100 */
	int64_t pass_timeout;
	struct string_list event_hook; /* argv, the first absolute; empty: none */
	char *metrics_file;	       /* absolute, or NULL: STATE/metrics.prom */
};

/* What the default token file gave when it was read beforehand, as root: the agent's user may not.
 */
struct config_token {
	char *text; /* secret; NULL: there is none, and why: */
	struct error error;
};

struct config_api {
	char *name; /* "" for [api] */
	struct config_place place;
	char *endpoint;	  /* without a final slash; https, or http for a loopback address */
	char *token_file; /* absolute, or NULL: systemd credential, else the default path */
	const struct config_token *token; /* the caller's, set after loading, where token_file is
					     NULL; or NULL: the token is read when it is needed */
	char *ca_file;			  /* absolute, or NULL: the system's */
	char *proxy;			  /* or NULL: the usual environment variables */
	int64_t timeout;
	char *root_url; /* directory of the published roots, without a final slash; https, or http
			   for a loopback address */
	struct string_list root_sha256; /* of the DER, lower-case hex: pins beside the published */
};

enum target_type {
	TARGET_NGINX,
	TARGET_APACHE,
	TARGET_TOMCAT,
	TARGET_HAPROXY,
	TARGET_CUSTOM,
	TARGET_CPANEL,
	TARGET_AWS_ACM,
	TARGET_IIS,
	TARGET_TYPE_COUNT,
};
const char *target_type_name(enum target_type type);

enum reload_method {
	RELOAD_RELOAD,
	RELOAD_RESTART,
	RELOAD_SSL,	/* "ssl-reload": Tomcat reads its keystores again (target/manager.h) */
	RELOAD_COMMAND, /* "command": `reload_command` (target/command.h) */
	RELOAD_NONE,
	RELOAD_DELIVER, /* of remote targets (target/remote.h): what is wanted is brought there */
};
const char *reload_method_name(enum reload_method method);

/* Who reads the PKCS#12 files of a target. */
enum keystore_encryption {
	KEYSTORE_AES256, /* PBES2 with AES-256 and SHA-256: what is written today */
	KEYSTORE_3DES,	 /* PKCS#12's own, 3DES and SHA-1: all that Windows Server 2012 to 2016 read
			  */
};

enum iis_delivery {
	IIS_CENTRAL_STORE, /* one PFX file per name, for the Centralized Certificate Store */
	IIS_SCRIPT,	   /* one PFX file and a script that somebody there runs */
};

/* What is known of a target that is not a service of this host; each key is of one or two types. */
struct config_remote {
	char *url;		    /* cpanel: https, without a final slash */
	char *user;		    /* cpanel */
	char *token_file;	    /* cpanel: absolute */
	char *ca_file;		    /* cpanel, aws-acm: absolute, or NULL: the system's */
	struct string_list domains; /* cpanel: A-labels; empty: what the account owns */
	bool allow_ecdsa;	    /* cpanel */
	char *region;		    /* aws-acm */
	char *certificate_arn;	    /* aws-acm, or NULL: found by its tags, or made */
	char *credentials_file;	    /* aws-acm: absolute, or NULL: the usual places */
	char *profile;		    /* aws-acm: of the shared credentials file; or NULL */
	char *endpoint;		    /* aws-acm: without a final slash, or NULL: the region's own */
	char *directory;	    /* iis: absolute, where the files are placed */
	char *password_file;	    /* iis: absolute, of the PFX files */
	enum iis_delivery delivery;
	enum keystore_encryption encryption;
};

struct config_target {
	char *name;
	struct config_place
		place; /* of the section; where a certificate names it when there is none */
	enum target_type type;
	char *unit; /* "nginx.service", or NULL: by type and by which unit exists. A custom target
		       has one, or is RELOAD_COMMAND or RELOAD_NONE */
	enum reload_method reload;
	char *manager_url; /* Tomcat's manager, without a final slash: https, or http for a loopback
			      address; set for RELOAD_SSL */
	char *manager_credentials_file; /* absolute; "USER:PASSWORD"; set for RELOAD_SSL */
	char *config_test; /* the oneshot service that tests the configuration, or NULL: by unit */
	bool untested;	   /* `config_test = none` */
	struct string_list reload_command; /* argv, the first absolute; for RELOAD_COMMAND */
	int64_t reload_timeout;		   /* seconds, of unit, manager or command */
	char *template_name; /* file name without ".mustache", default by type, or absolute path */
	char *snippet_dir;   /* absolute; default STATE/snippets/TARGET */
	char *probe_host;    /* address, or NULL: `probe = none` */
	uint16_t probe_port;
	int64_t probe_timeout;
	bool start_stopped;
	struct file_access access; /* of snippets; default 0644. Tomcat's hold a password: 0640 and
				      the group "tomcat" where there is one, never open to others */
	struct config_remote remote; /* zeroed for servers of this host */
};

/* What a generation has besides PEM files; the files are named in store/generation.h. */
enum certificate_format {
	FORMAT_DER = 1 << 0,	  /* leaf */
	FORMAT_P7B = 1 << 1,	  /* leaf and root */
	FORMAT_P12 = 1 << 2,	  /* key and full chain, encrypted */
	FORMAT_COMBINED = 1 << 3, /* full chain and key, PEM */
};

/* What is done about a zone's SSL/TLS mode once a certificate is seen served. */
enum ssl_mode {
	SSL_UNMANAGED,
	SSL_STRICT,	      /* the zone is brought to Full (strict) */
	SSL_STRICT_HOSTNAMES, /* only the certificate's hostnames, by a configuration rule */
};

/* Where a first certificate may come from besides Cloudflare. */
enum adopt_choice {
	ADOPT_AUTO, /* from the files that the targets' own configuration names */
	ADOPT_NEVER,
	ADOPT_FILES, /* from adopt_certificate and adopt_key */
};

struct config_certificate {
	char *name;
	struct config_place place;
	struct string_list
		hostnames; /* A-labels, lower case, in the order written; no duplicates */
	struct string_list hostnames_unicode; /* the same as the administrator wrote them */
	const struct config_target **targets;
	size_t target_count;
	const struct config_api *api;
	char *zone_id; /* 32 hex digits, or NULL */
	enum key_type key_type;
	bool key_type_given; /* it was written: the user's own key or request must be of it; when it
				was not, that key's type counts and not `key_type` */
	bool reuse_key;	     /* the next generation has the key of this one */
	char *private_key_file; /* absolute, the user's own key; or NULL: made by the agent */
	char *csr_file; /* absolute, the user's own request; or NULL. Without private_key_file
			   its key is not on this host: no targets, FORMAT_P12, FORMAT_COMBINED */
	int64_t validity_days; /* one of Cloudflare's seven */
	struct renew_before renew_before;
	unsigned formats; /* enum certificate_format: asked for, or needed by a target */
	char *keystore_password_file;	 /* absolute; of keystore.p12; or NULL */
	bool chain_root;		 /* chain.pem is the root, not empty */
	bool authenticated_origin_pulls; /* servers ask for Cloudflare's client certificate */
	int64_t revoke_superseded;	 /* seconds after the successor was verified; -1: never */
	enum ssl_mode ssl_mode;
	enum adopt_choice adopt;
	char *adopt_certificate, *adopt_key; /* absolute; or NULL */
	struct file_access access; /* of key.pem; certificates are the same plus world-readable;
				      default 0600 */
};

/* One file of the configuration as it was found; its definitions may be those of an earlier day. */
struct config_source {
	const char *path; /* the configuration's */
	char *text;	  /* NULL: it could not be read */
	size_t length;
	bool good;	   /* nothing in it is wrong */
	int64_t kept_from; /* when what counts instead of it was last right; 0: it counts itself */
};

struct config {
	char *path;	    /* the main file, absolute */
	char *template_dir; /* the user's own: templates/ beside the main file */
	struct config_agent agent;
	struct config_api **apis; /* sorted by name; [api] is there unless it is written wrong */
	size_t api_count;
	struct config_target **targets; /* sorted by name */
	size_t target_count;
	struct config_certificate **certificates; /* sorted by name */
	size_t certificate_count;
	struct config_problem *problems;
	size_t problem_count;
	struct string_list files;      /* all that was read or should have been, in order */
	struct config_source *sources; /* the same */
	size_t source_count;
	struct string_list kept_names; /* what messages call a last good definition */
	/* Names of sections that are written but wrong, sorted: their files are not "no longer
	 * configured". */
	struct string_list broken_certificates;
	/* Some file could not be read (or a header in it): a certificate of which nothing is known
	 * may still be configured. */
	bool incomplete;
};

enum {
	CONFIG_FILE_LIMIT = 1 << 20, /* bytes a file */
	CONFIG_FILES_LIMIT = 10000,  /* drop-in files */
	CONFIG_NAME_LIMIT = 40,	     /* characters of a section's NAME */
	CONFIG_HOSTNAME_LIMIT = 100, /* hostnames a certificate */
	CONFIG_TARGET_LIMIT = 100,   /* targets a certificate */
};

/*
 * Reads the main file and its drop-ins (`*.ini` of conf_dir, in the order of their names; names
 * that start with "." or end in "~", ".dpkg-*", ".rpm*", ".swp", ".tmp" are not read). `path` may
 * be relative. Returns 0 whenever the main file and [agent] could be read; what is wrong below
 * that is in ret_config->problems. For a file with something wrong in it, its last good definition
 * counts where the state directory has one (config/definitions.h), and a warning says so; new
 * sections of it that are right count beside that. A negative errno with class configuration (or
 * local) otherwise.
 */
int config_load(const char *path, struct config **ret_config, struct error *error);

/*
 * Writes down what is good of each file (config/definitions.h), for a day on which it is not: to be
 * called by whoever acts upon the configuration, with the state directory and its lock.
 */
int config_keep(const struct config *config, int state_directory, struct error *error);

/*
 * As above with the text of the main file given, as if it stood at `path` (absolute): for tests,
 * and for asking about a file before it is in place. No drop-ins are read.
 */
int config_load_text(const char *path, const char *text, size_t length, struct config **ret_config,
		     struct error *error);

/*
 * Reads only [agent] of the main file, for the supervisor: no hostnames, no drop-ins, no libidn2.
 * Free with config_agent_free().
 */
int config_agent_load(const char *path, struct config_agent *ret_agent, struct error *error);
void config_agent_free(struct config_agent *agent);

void config_free(struct config *config);

/* NULL when there is none of that name ("" is [api]). The result is the configuration's. */
const struct config_certificate *config_certificate_find(const struct config *config,
							 const char *name);
const struct config_target *config_target_find(const struct config *config, const char *name);

enum {
	CONFIG_TARGET_FILES = 6
};

/* The files that a target names, besides its template: credentials, authorities, programs. NULL
 * where it names none. */
void config_target_files(const struct config_target *target,
			 const char *ret_files[static CONFIG_TARGET_FILES]);

const struct config_api *config_api_find(const struct config *config, const char *name);

/* Problems that are errors, not warnings. */
size_t config_error_count(const struct config *config);

/* Its remedy, else what holds for every error of the configuration; NULL for a warning without one.
 */
const char *config_problem_advice(const struct config_problem *problem);

/* "FILE:LINE: MESSAGE; REMEDY" (or "FILE: ..." for line 0); free() it. */
char *config_problem_text(const struct config_problem *problem);

DEFINE_CLEANUP(struct config *, config_free)

#endif
