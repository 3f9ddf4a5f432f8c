/* certificate.c - [certificate NAME]. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config/certificate.h"
#include "config/duration.h"
#include "config/hostnames.h"

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

static int set_chain(const struct value *value, void *object)
{
	static const struct value_word words[] = {{"none", 0}, {"root", 1}};
	struct certificate_section *section = object;
	int root = 0;
	int result = value_choose(value, words, ARRAY_SIZE(words), &root);
	section->certificate->chain_root = root == 1;
	return result;
}

static int set_authenticated_origin_pulls(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	return value_yes(value, &section->certificate->authenticated_origin_pulls);
}

static const struct section_key keys[] = {
	{"hostnames", set_hostnames, TEXT_PLAIN},
	{"targets", set_targets, TEXT_PLAIN},
	{"api", set_api, TEXT_PLAIN},
	{"zone_id", set_zone_id, TEXT_PLAIN},
	{"key_type", certificate_set_key_type, TEXT_PLAIN},
	{"validity", set_validity, TEXT_PLAIN},
	{"renew_before", set_renew_before, TEXT_PLAIN},
	{"owner", set_owner, TEXT_PLAIN},
	{"group", set_group, TEXT_PLAIN},
	{"mode", set_mode, TEXT_PLAIN},
	{"formats", certificate_set_formats, TEXT_PLAIN},
	{"chain", set_chain, TEXT_PLAIN},
	{"reuse_key", certificate_set_reuse_key, TEXT_PLAIN},
	{"authenticated_origin_pulls", set_authenticated_origin_pulls, TEXT_PLAIN},
	{"revoke_superseded", certificate_set_revoke_superseded, TEXT_PLAIN},
	{"ssl_mode", certificate_set_ssl_mode, TEXT_PLAIN},
	{"adopt", certificate_set_adopt, TEXT_PLAIN},
	/* Secret because people write the key, or the password, itself. */
	{"private_key", certificate_set_private_key, TEXT_SECRET},
	{"csr", certificate_set_csr, TEXT_PLAIN},
	{"keystore_password_file", certificate_set_keystore_password_file, TEXT_SECRET},
};

struct config_place certificate_key_place(const struct certificate_section *reading,
					  const char *key)
{
	return (struct config_place){reading->section->place.file,
				     ini_section_line(reading->section, key)};
}

static int api_choose(struct build *build, const struct certificate_section *reading)
{
	const char *name = reading->api ? reading->api : "";
	const struct config_api *api = config_api_find(build->config, name);
	if (api) {
		reading->certificate->api = api;
		return 0;
	}
	struct config_place place = reading->section->place;
	if (reading->api)
		place = certificate_key_place(reading, "api");
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
				      "targets \"%s\" and \"%s\" would both write the snippet of "
				      "this certificate in %s",
				      other->name, target->name, target->snippet_dir);
			return problem_remedy(&build->problems,
					      "give one of them another snippet_dir");
		}
	}
	return 0;
}

static int targets_choose(struct build *build, const struct certificate_section *reading)
{
	struct config_certificate *certificate = reading->certificate;
	certificate->targets =
		memory_alloc(reading->targets.count, sizeof(const struct config_target *));
	int result = 0;
	for (size_t i = 0; i < reading->targets.count; i++) {
		const struct value_item *item = &reading->targets.items[i];
		struct config_place place = {reading->section->place.file, item->line};
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
static int renew_before_check(struct build *build, const struct certificate_section *reading)
{
	struct config_certificate *certificate = reading->certificate;
	struct config_place place = certificate_key_place(reading, "renew_before");
	bool own = place.line > 0;
	if (!own) {
		certificate->renew_before = build->config->agent.renew_before;
		place = reading->section->place;
	}
	if (certificate->renew_before.seconds < certificate->validity_days * CLOCK_DAY)
		return 0;
	char text[DURATION_TEXT_SIZE];
	problem_error(&build->problems, place,
		      "renew_before%s is %s, not shorter than the validity of %d days",
		      own ? "" : " of [agent]",
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
	certificate->revoke_superseded = -1;
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
	free(certificate->adopt_certificate);
	free(certificate->adopt_key);
	free(certificate);
}

static void certificate_append(struct config *config, struct config_certificate *certificate)
{
	config->certificates = memory_grow(config->certificates, config->certificate_count,
					   sizeof(struct config_certificate *));
	config->certificates[config->certificate_count++] = certificate;
}

/* Only a server's snippet asks for the client certificate. */
static void origin_pulls_check(const struct certificate_section *reading)
{
	if (!reading->certificate->authenticated_origin_pulls || reading->targets.count > 0)
		return;
	struct problem_list *problems = &reading->build->problems;
	problem_warning(problems, certificate_key_place(reading, "authenticated_origin_pulls"),
			"\"authenticated_origin_pulls = yes\" has no effect without \"targets\"");
	problem_remedy(problems, "write \"targets = ...\", or remove the line");
}

/* All keys are set: what they name, and how they go together. Says everything that is wrong. */
static int certificate_complete(const struct certificate_section *reading)
{
	struct build *build = reading->build;
	int hostnames = hostnames_read(reading->section, &reading->hostnames, reading->certificate,
				       &build->problems);
	int api = api_choose(build, reading);
	int targets = targets_choose(build, reading);
	int renew = renew_before_check(build, reading);
	origin_pulls_check(reading);
	if (targets < 0)
		return targets; /* what the key and the formats are for is not known */
	int key = certificate_key_check(reading);
	int formats = certificate_formats_check(reading);
	int cloud = certificate_cloud_check(reading);
	return hostnames < 0 || api < 0 || renew < 0 || key < 0 || formats < 0 || cloud < 0
		       ? -EINVAL
		       : 0;
}

int certificate_read(struct build *build, struct ini_section *section)
{
	CLEANUP(config_certificate_freep)
	struct config_certificate *certificate = certificate_new(section);
	struct certificate_section reading = {
		.certificate = certificate, .build = build, .section = section};
	int result = section_apply(section, keys, ARRAY_SIZE(keys), &reading, &build->problems);
	if (result == 0)
		result = certificate_complete(&reading);
	if (result == 0)
		certificate_append(build->config, TAKE_PTR(certificate));
	else
		section->refused = true;
	value_items_free(&reading.hostnames);
	value_items_free(&reading.targets);
	free(reading.api);
	return result;
}
