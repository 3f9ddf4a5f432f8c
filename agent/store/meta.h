/*
 * meta.h - meta.json, and how facts about a leaf stand in JSON (the store's own, like parts.h).
 *
 * Everything in meta.json but `adopted` and `imported` can be told from the leaf, at least nearly:
 * a generation whose meta.json is unreadable is not lost.
 */
#ifndef ORIGIN_CA_STORE_META_H
#define ORIGIN_CA_STORE_META_H

#include "base/json.h"
#include "store/generation.h"

enum {
	META_VERSION = 1,
	META_LIMIT = 1 << 17,	     /* bytes of meta.json */
	META_HOSTNAMES_LIMIT = 1000, /* that are read; Cloudflare takes 200 */
};

/* The facts as members of `object`, and back. What is missing, of another type or impossible is
 * left empty; `ret_facts` is always filled. */
void facts_write_json(cJSON *object, const struct leaf_facts *facts);
void facts_read_json(const cJSON *object, struct leaf_facts *ret_facts);

/* A member that is a number of whole, possible generations; 0 otherwise. */
unsigned json_generation(const cJSON *object, const char *name);

/* meta.json's text; free() it. No secrets. */
char *meta_print(const struct generation_meta *meta);

/* Reads what meta_print() wrote. -EBADMSG when it is not that, or of another version. */
int meta_parse(const char *text, size_t length, struct generation_meta *ret_meta);

/* What meta.json would say, as far as the leaf tells: the API's id is the serial number. */
void meta_from_facts(const struct leaf_facts *facts, struct generation_meta *ret_meta);

#endif
