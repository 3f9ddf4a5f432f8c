/*
 * build.h - from sections to the model: what the parts that make a configuration share.
 */
#ifndef ORIGIN_CA_CONFIG_BUILD_H
#define ORIGIN_CA_CONFIG_BUILD_H

#include "config/definitions.h"
#include "config/ini.h"
#include "config/value.h"

enum {
	ACCOUNT_CACHE_SIZE = 16
};

/* Users and groups that were looked up: the same few stand in a thousand sections, and each look
 * reads a file of the system, or asks a directory server. */
struct account_cache {
	struct string_list names; /* "user www-data", "group ssl-cert" */
	unsigned ids[ACCOUNT_CACHE_SIZE];
};

struct build {
	struct config *config;
	struct ini_sections sections;
	struct ini_section **index; /* by kind, name, and then as they were read */
	struct problem_list problems;
	struct account_cache accounts;
	/* config/sources.h */
	unsigned round;
	size_t problems_read;  /* of `problems`: what was found while the files were read */
	bool directory_unread; /* conf_dir cannot be listed */
	struct definitions definitions;
	struct config_place *wrong; /* sections that were refused in an earlier round */
	size_t wrong_count;
	struct problem_list told; /* what is wrong in files that do not count as they are */
};

/* NAME of a section: 1 to 40 of A-Za-z0-9._-, starting with neither a dot nor a dash. */
bool section_name_valid(const char *name);

/* Checks kinds and names, orders the index, and refuses the second of two sections alike. */
void sections_index(struct build *build);

/* The first section "[KIND NAME]" that was read, refused or not; NULL when there is none. */
struct ini_section *sections_find(const struct build *build, const char *kind, const char *name);

/* Reads the drop-ins of conf_dir into the configuration's sources. `conf_dir_line`: where the main
 * file names the directory, 0 for the default, which may be absent. */
void drop_ins_read(struct build *build, unsigned conf_dir_line);

/* The warning about a file or directory of this mode, which anyone may change. */
void mode_check(struct build *build, const char *path, mode_t mode);

/* Each reads one section that is not refused into the configuration, or refuses it. */
int api_read(struct build *build, struct ini_section *section);
int target_read(struct build *build, struct ini_section *section);
int certificate_read(struct build *build, struct ini_section *section);

void config_api_free(struct config_api *api);
void config_target_free(struct config_target *target);
void config_certificate_free(struct config_certificate *certificate);

DEFINE_CLEANUP(struct config_api *, config_api_free)
DEFINE_CLEANUP(struct config_target *, config_target_free)
DEFINE_CLEANUP(struct config_certificate *, config_certificate_free)

/* [api] as if it were written empty. */
void api_add_default(struct build *build);

/*
 * The target that a certificate names at `place`: written, or made because its name is a type's.
 * NULL, and a problem, when there is none that can be used.
 */
const struct config_target *target_choose(struct build *build, const char *name,
					  struct config_place place);

/* Warns of targets that reload one unit in different ways. */
void targets_compare(struct build *build);

/* Setters that several kinds of sections use. */

/* What messages say about a URL. */
struct url_use {
	const char *plain;	 /* what plain http would do: "would show the API token to ..." */
	const char *credentials; /* where they belong instead */
};

/* https, or http for a loopback address, without credentials and query; final slashes go. */
int value_url(const struct value *value, const struct url_use *use, char **ret_url);
int value_url_proxy(const struct value *value, char **ret_url);
int value_owner(const struct value *value, struct account_cache *cache, uid_t *ret_owner);
int value_group(const struct value *value, struct account_cache *cache, gid_t *ret_group);

/* A group that nobody wrote: 0, -ENOENT when there is none, or what the system says. */
int group_look_up(const char *name, struct account_cache *cache, gid_t *ret_group);

/* `forbidden`: bits that must not be set, and `why` not. */
int value_mode(const struct value *value, mode_t forbidden, const char *why, mode_t *ret_mode);

#endif
