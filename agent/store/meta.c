#include "store/meta.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

static const char HEX[] = "0123456789abcdef";

void facts_write_json(cJSON *object, const struct leaf_facts *facts)
{
	json_add_string(object, "serial", facts->serial);
	json_add_string(object, "sha256", facts->sha256);
	json_add_string(object, "spki_sha256", facts->spki_sha256);
	json_add_integer(object, "not_before", facts->not_before);
	json_add_integer(object, "not_after", facts->not_after);
	json_add_string(object, "key_type", key_type_name(facts->key_type));
	json_add_list(object, "hostnames", &facts->hostnames);
}

/* Copies a member that consists of `alphabet` only and fits; else leaves "". */
static void read_word(const cJSON *object, const char *name, const char *alphabet, char *text,
		      size_t size)
{
	const char *value = json_string(object, name);
	size_t length = value ? strlen(value) : 0;
	if (length > 0 && length < size && strspn(value, alphabet) == length)
		memcpy(text, value, length + 1);
}

void facts_read_json(const cJSON *object, struct leaf_facts *ret_facts)
{
	struct leaf_facts facts = {.key_type = KEY_TYPE_COUNT};

	read_word(object, "serial", HEX, facts.serial, sizeof(facts.serial));
	read_word(object, "sha256", HEX, facts.sha256, sizeof(facts.sha256));
	read_word(object, "spki_sha256", HEX, facts.spki_sha256, sizeof(facts.spki_sha256));
	facts.not_before = json_integer(object, "not_before", 0);
	facts.not_after = json_integer(object, "not_after", 0);
	if (key_type_parse(json_string(object, "key_type"), &facts.key_type) < 0)
		facts.key_type = KEY_TYPE_COUNT;

	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(object, "hostnames")) {
		if (cJSON_IsString(item) && facts.hostnames.count < META_HOSTNAMES_LIMIT)
			string_list_add(&facts.hostnames, item->valuestring);
	}
	*ret_facts = facts;
}

static const struct {
	unsigned format;
	const char *name;
} formats[] = {
	{FORMAT_DER, "der"},
	{FORMAT_P7B, "p7b"},
	{FORMAT_P12, "p12"},
	{FORMAT_COMBINED, "combined"},
};

static void formats_write(cJSON *object, unsigned made)
{
	CLEANUP(string_list_free) struct string_list names = {0};
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (made & formats[i].format)
			string_list_add(&names, formats[i].name);
	json_add_list(object, "formats", &names);
}

static unsigned formats_read(const cJSON *object)
{
	unsigned made = 0;
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(object, "formats"))
		for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
			if (cJSON_IsString(item) && strcmp(item->valuestring, formats[i].name) == 0)
				made |= formats[i].format;
	return made;
}

unsigned json_generation(const cJSON *object, const char *name)
{
	int64_t number = json_integer(object, name, 0);
	return number > 0 && number <= GENERATION_MOST ? (unsigned)number : 0;
}

char *meta_print(const struct generation_meta *meta)
{
	CLEANUP(cJSON_Deletep) cJSON *object = json_object();
	json_add_integer(object, "version", META_VERSION);
	json_add_integer(object, "number", meta->number);
	json_add_string(object, "id", meta->id);
	json_add_bool(object, "placeholder", meta->placeholder);
	json_add_bool(object, "adopted", meta->adopted);
	if (meta->imported)
		json_add_bool(object, "imported", true);
	json_add_integer(object, "created", meta->created);
	json_add_integer(object, "validity_days", meta->validity_days);
	json_add_bool(object, "keyless", meta->keyless);
	formats_write(object, meta->formats);
	json_add_bool(object, "chain_root", meta->chain_root);
	json_add_string(object, "root_sha256", meta->root_sha256);
	facts_write_json(json_add_object(object, "leaf"), &meta->facts);
	return json_print(object, true);
}

int meta_parse(const char *text, size_t length, struct generation_meta *ret_meta)
{
	CLEANUP(cJSON_Deletep) cJSON *object = json_parse(text, length);
	if (!cJSON_IsObject(object) || json_integer(object, "version", 0) != META_VERSION)
		return -EBADMSG;

	struct generation_meta meta = {
		.number = json_generation(object, "number"),
		.id = string_copy(json_string(object, "id")),
		.placeholder = json_true(object, "placeholder"),
		.created = json_integer(object, "created", 0),
		.validity_days = json_integer(object, "validity_days", 0),
		.adopted = json_true(object, "adopted"),
		.imported = json_true(object, "imported"),
		.keyless = json_true(object, "keyless"),
		.formats = formats_read(object),
		.chain_root = json_true(object, "chain_root"),
	};
	read_word(object, "root_sha256", HEX, meta.root_sha256, sizeof(meta.root_sha256));
	facts_read_json(cJSON_GetObjectItemCaseSensitive(object, "leaf"), &meta.facts);
	*ret_meta = meta;
	return 0;
}

void meta_from_facts(const struct leaf_facts *facts, struct generation_meta *ret_meta)
{
	/* Cloudflare may date notBefore back a little: the nearest whole number of days. */
	int64_t lifetime = facts->not_after - facts->not_before;
	struct generation_meta meta = {
		.id = facts->serial[0] ? string_copy(facts->serial) : NULL,
		.created = facts->not_before,
		.validity_days = (lifetime + CLOCK_DAY / 2) / CLOCK_DAY,
	};
	leaf_facts_copy(&meta.facts, facts);
	*ret_meta = meta;
}

void generation_meta_free(struct generation_meta *meta)
{
	free(meta->id);
	leaf_facts_free(&meta->facts);
	*meta = (struct generation_meta){0};
}
