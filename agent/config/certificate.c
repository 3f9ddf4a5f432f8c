/* certificate.c - [certificate NAME]. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config/build.h"
#include "config/duration.h"
#include "config/hostnames.h"

/* A section while it is read; lists wait until every key was seen. */
struct certificate_section {
	struct config_certificate *certificate;
	struct build *build;
	struct value_items hostnames;
	struct value_items targets;
	char *api;
	unsigned api_line;
	unsigned renew_before_line;
};

static int set_hostnames(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	value_items(value, &section->hostnames);
	if (section->hostnames.count == 0)
		return value_refuse(value, "names no hostname");
	return 0;
}

static int set_targets(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	value_items(value, &section->targets);
	if (section->targets.count == 0)
		return value_refuse(value, "names no target");
	if (section->targets.count > CONFIG_TARGET_LIMIT)
		return problem_error(value->problems, value->place,
				     "%zu targets, and at most %d are allowed",
				     section->targets.count, CONFIG_TARGET_LIMIT);
	return 0;
}

static int set_api(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	section->api = string_copy(value->text);
	section->api_line = value->entry->line;
	return 0;
}

static int set_zone_id(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	if (strlen(value->text) != 32 || strspn(value->text, "0123456789abcdefABCDEF") != 32) {
		value_refuse(value, "a zone ID is 32 hexadecimal digits");
		return value_remedy(value, "copy it from the zone's overview in the dashboard");
	}
	char *zone_id = string_copy(value->text);
	for (char *digit = zone_id; *digit; digit++)
		if (*digit >= 'A' && *digit <= 'F')
			*digit = (char)(*digit - 'A' + 'a');
	section->certificate->zone_id = zone_id;
	return 0;
}

static int set_key_type(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	struct value_word words[KEY_TYPE_COUNT];
	for (int i = 0; i < KEY_TYPE_COUNT; i++)
		words[i] = (struct value_word){key_type_name((enum key_type)i), i};
	int type = 0;
	int result = value_choose(value, words, ARRAY_SIZE(words), &type);
	if (result == 0)
		section->certificate->key_type = (enum key_type)type;
	return result;
}

static int set_validity(const struct value *value, void *object)
{
	static const int64_t offered[] = {7, 30, 90, 365, 730, 1095, 5475};
	struct certificate_section *section = object;
	int64_t seconds;
	if (duration_parse(value->text, &seconds) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(offered); i++)
			if (seconds == offered[i] * CLOCK_DAY) {
				section->certificate->validity_days = offered[i];
				return 0;
			}
	value_refuse(value, "not a validity that Cloudflare offers");
	return value_remedy(value, "write 7d, 30d, 90d, 365d, 730d, 1095d or 5475d");
}

static int set_renew_before(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	section->renew_before_line = value->entry->line;
	return value_renew_before(value, &section->certificate->renew_before);
}

static int set_owner(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	return value_owner(value, &section->build->accounts, &section->certificate->access.owner);
}

static int set_group(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	return value_group(value, &section->build->accounts, &section->certificate->access.group);
}

static int set_mode(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	int result = value_mode(value, 0007, "anyone on this host could use the private key",
				&section->certificate->access.mode);
	if (result < 0)
		value_remedy(value, "write 0600, or 0640 and a group");
	return result;
}

/* Keys of which one value works: what it means that nothing is done. */
static int set_only(const struct value *value, const char *works, const char *const *coming,
		    size_t count)
{
	if (strcmp(value->text, works) == 0)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (strcmp(value->text, coming[i]) == 0)
			return value_not_built(value);
	return value_refuse(value, "must be \"%s\"; nothing else is built yet in this version",
			    works);
}

static int set_no(const struct value *value, void *object)
{
	(void)object;
	bool yes = false;
	int result = value_yes(value, &yes);
	return result < 0 || !yes ? result : value_not_built(value);
}

static int set_formats(const struct value *value, void *object)
{
	(void)object;
	static const struct value_word words[] = {
		{"pem", 0}, {"der", -1}, {"p7b", -1}, {"p12", -1}, {"combined", -1},
	};
	CLEANUP(value_items_free) struct value_items items = {0};
	value_items(value, &items);
	for (size_t i = 0; i < items.count; i++) {
		struct value item = *value;
		int number = 0;
		item.text = items.items[i].text;
		item.place.line = items.items[i].line;
		int result = value_choose(&item, words, ARRAY_SIZE(words), &number);
		if (result < 0)
			return result;
	}
	return 0;
}

static int set_chain(const struct value *value, void *object)
{
	(void)object;
	static const char *const coming[] = {"root"};
	return set_only(value, "none", coming, ARRAY_SIZE(coming));
}

static int set_revoke_superseded(const struct value *value, void *object)
{
	(void)object;
	int64_t seconds;
	if (duration_parse(value->text, &seconds) == 0)
		return value_not_built(value);
	return set_only(value, "never", NULL, 0);
}

static int set_ssl_mode(const struct value *value, void *object)
{
	(void)object;
	static const char *const coming[] = {"strict", "full", "flexible", "off"};
	return set_only(value, "unmanaged", coming, ARRAY_SIZE(coming));
}

static const struct section_key keys[] = {
	{"hostnames", set_hostnames, false},
	{"targets", set_targets, false},
	{"api", set_api, false},
	{"zone_id", set_zone_id, false},
	{"key_type", set_key_type, false},
	{"validity", set_validity, false},
	{"renew_before", set_renew_before, false},
	{"owner", set_owner, false},
	{"group", set_group, false},
	{"mode", set_mode, false},
	{"formats", set_formats, false},
	{"chain", set_chain, false},
	{"reuse_key", set_no, false},
	{"authenticated_origin_pulls", set_no, false},
	{"revoke_superseded", set_revoke_superseded, false},
	{"ssl_mode", set_ssl_mode, false},
	{"private_key", NULL, false},
	{"csr", NULL, false},
	{"keystore_password_file", NULL, false},
};

static int api_choose(struct build *build, const struct ini_section *section,
		      struct certificate_section *reading)
{
	const char *name = reading->api ? reading->api : "";
	const struct config_api *api = config_api_find(build->config, name);
	if (api) {
		reading->certificate->api = api;
		return 0;
	}
	struct config_place place = section->place;
	if (reading->api)
		place.line = reading->api_line;
	const char *space = name[0] ? " " : "";
	const struct ini_section *wrong = sections_find(build, "api", name);
	if (wrong)
		return problem_error(&build->problems, place, "[api%s%s] is wrong itself, at %s:%u",
				     space, name, wrong->place.file, wrong->place.line);
	problem_error(&build->problems, place, "there is no [api %s]", name);
	return problem_remedy(&build->problems,
			      "write that section, or remove \"api\" to use [api]");
}

/* 1 when `target` is one of the certificate's already (said), negative when it writes the same
 * file as one of them. */
static int target_compare(struct build *build, const struct config_certificate *certificate,
			  const struct config_target *target, struct config_place place)
{
	for (size_t i = 0; i < certificate->target_count; i++) {
		const struct config_target *other = certificate->targets[i];
		if (other == target) {
			problem_warning(&build->problems, place, "target \"%s\" is named twice",
					target->name);
			return 1;
		}
		if (strcmp(other->snippet_dir, target->snippet_dir) == 0) {
			problem_error(&build->problems, place,
				      "targets \"%s\" and \"%s\" would both write %s/%s.conf",
				      other->name, target->name, target->snippet_dir,
				      certificate->name);
			return problem_remedy(&build->problems,
					      "give one of them another snippet_dir");
		}
	}
	return 0;
}

static int targets_choose(struct build *build, const char *file,
			  struct certificate_section *reading)
{
	struct config_certificate *certificate = reading->certificate;
	certificate->targets =
		memory_alloc(reading->targets.count, sizeof(const struct config_target *));
	int result = 0;
	for (size_t i = 0; i < reading->targets.count; i++) {
		const struct value_item *item = &reading->targets.items[i];
		struct config_place place = {file, item->line};
		const struct config_target *target = target_choose(build, item->text, place);
		int same = target ? target_compare(build, certificate, target, place) : -EINVAL;
		if (same < 0)
			result = same;
		else if (same == 0)
			certificate->targets[certificate->target_count++] = target;
	}
	return result;
}

/* Its own, or the agent's; either way it must leave the certificate some life. */
static int renew_before_check(struct build *build, const struct ini_section *section,
			      struct certificate_section *reading)
{
	struct config_certificate *certificate = reading->certificate;
	struct config_place place = {section->place.file, reading->renew_before_line};
	if (reading->renew_before_line == 0) {
		certificate->renew_before = build->config->agent.renew_before;
		place = section->place;
	}
	if (certificate->renew_before.seconds < certificate->validity_days * CLOCK_DAY)
		return 0;
	char text[DURATION_TEXT_SIZE];
	problem_error(&build->problems, place,
		      "renew_before%s is %s, not shorter than the validity of %d days",
		      reading->renew_before_line ? "" : " of [agent]",
		      duration_format(certificate->renew_before.seconds, text),
		      (int)certificate->validity_days);
	return problem_remedy(&build->problems,
			      "write a shorter renew_before in this section, such as 33%%");
}

static struct config_certificate *certificate_new(const struct ini_section *section)
{
	struct config_certificate *certificate = memory_alloc(1, sizeof(*certificate));
	certificate->name = string_copy(section->name);
	certificate->place = section->place;
	certificate->key_type = KEY_ECDSA_P256;
	certificate->validity_days = 90;
	certificate->access = FILE_ACCESS(0600);
	return certificate;
}

void config_certificate_free(struct config_certificate *certificate)
{
	if (!certificate)
		return;
	free(certificate->name);
	string_list_free(&certificate->hostnames);
	string_list_free(&certificate->hostnames_unicode);
	free(certificate->targets);
	free(certificate->zone_id);
	free(certificate->private_key_file);
	free(certificate->csr_file);
	free(certificate->keystore_password_file);
	free(certificate);
}

static void certificate_append(struct config *config, struct config_certificate *certificate)
{
	config->certificates = memory_grow(config->certificates, config->certificate_count,
					   sizeof(struct config_certificate *));
	config->certificates[config->certificate_count++] = certificate;
}

/* All keys are set: what they name, and how they go together. Says everything that is wrong. */
static int certificate_complete(struct build *build, const struct ini_section *section,
				struct certificate_section *reading)
{
	int hostnames = hostnames_read(section, &reading->hostnames, reading->certificate,
				       &build->problems);
	int api = api_choose(build, section, reading);
	int targets = targets_choose(build, section->place.file, reading);
	int renew = renew_before_check(build, section, reading);
	return hostnames < 0 || api < 0 || targets < 0 || renew < 0 ? -EINVAL : 0;
}

int certificate_read(struct build *build, struct ini_section *section)
{
	CLEANUP(config_certificate_freep)
	struct config_certificate *certificate = certificate_new(section);
	struct certificate_section reading = {.certificate = certificate, .build = build};
	int result = section_apply(section, keys, ARRAY_SIZE(keys), &reading, &build->problems);
	if (result == 0)
		result = certificate_complete(build, section, &reading);
	if (result == 0)
		certificate_append(build->config, TAKE_PTR(certificate));
	else
		section->refused = true;
	value_items_free(&reading.hostnames);
	value_items_free(&reading.targets);
	free(reading.api);
	return result;
}
