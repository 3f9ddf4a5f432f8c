/* certificate_key.c - whose private key a certificate has: the agent's, or the administrator's. */
#include <errno.h>

#include "config/certificate.h"

int certificate_set_key_type(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	struct value_word words[KEY_TYPE_COUNT];
	for (int i = 0; i < KEY_TYPE_COUNT; i++)
		words[i] = (struct value_word){key_type_name((enum key_type)i), i};
	int type = 0;
	int result = value_choose(value, words, ARRAY_SIZE(words), &type);
	if (result < 0)
		return result;
	section->certificate->key_type = (enum key_type)type;
	section->certificate->key_type_given = true;
	return 0;
}

int certificate_set_reuse_key(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	return value_yes(value, &section->certificate->reuse_key);
}

int certificate_set_private_key(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	int result = value_path(value, &section->certificate->private_key_file);
	if (result < 0)
		value_remedy(value, "write the path of a PEM file, never the key itself");
	return result;
}

int certificate_set_csr(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	return value_path(value, &section->certificate->csr_file);
}

static int reuse_check(const struct certificate_section *reading)
{
	const struct config_certificate *certificate = reading->certificate;
	if (!certificate->reuse_key || (!certificate->csr_file && !certificate->private_key_file))
		return 0;
	struct problem_list *problems = &reading->build->problems;
	problem_error(problems, certificate_key_place(reading, "reuse_key"),
		      "\"reuse_key = yes\" beside \"%s\", which says already which key every "
		      "renewal has",
		      certificate->csr_file ? "csr" : "private_key");
	return problem_remedy(problems, "remove \"reuse_key\"");
}

/* `what` (of `key`) needs a private key that is not on this host. */
static int key_needed(const struct certificate_section *reading, const char *key, const char *what)
{
	struct problem_list *problems = &reading->build->problems;
	problem_error(problems, certificate_key_place(reading, key),
		      "\"csr\" without \"private_key\": the private key is not on this host, but "
		      "it is needed for %s %s",
		      key, what);
	return problem_remedy(problems,
			      "write \"private_key = FILE\" if the key is here, or remove it from "
			      "\"%s\"",
			      key);
}

static int absent_key_check(const struct certificate_section *reading)
{
	const struct config_certificate *certificate = reading->certificate;
	if (!certificate->csr_file || certificate->private_key_file)
		return 0;
	int result = 0;
	if (certificate->target_count > 0) {
		struct string_list names = {0};
		for (size_t i = 0; i < certificate->target_count; i++)
			string_list_add(&names, certificate->targets[i]->name);
		CLEANUP(freep) char *text = string_list_join(&names, ", ");
		result = key_needed(reading, "targets", text);
		string_list_free(&names);
	}
	unsigned keyed = certificate->formats & (FORMAT_P12 | FORMAT_COMBINED);
	if (keyed) {
		CLEANUP(freep) char *text = certificate_formats_text(keyed);
		result = key_needed(reading, "formats", text);
	}
	return result;
}

/* Cloudflare: "Do not use the ECC root with Apache cPanel". Of a key of the user's own the type is
 * seen when it is read. */
static int cpanel_check(const struct certificate_section *reading)
{
	const struct config_certificate *certificate = reading->certificate;
	bool known = certificate->key_type_given ||
		     (!certificate->private_key_file && !certificate->csr_file);
	bool ecdsa =
		certificate->key_type == KEY_ECDSA_P256 || certificate->key_type == KEY_ECDSA_P384;
	int result = 0;
	for (size_t i = 0; known && ecdsa && i < certificate->target_count; i++) {
		const struct config_target *target = certificate->targets[i];
		if (target->type != TARGET_CPANEL || target->remote.allow_ecdsa)
			continue;
		struct problem_list *problems = &reading->build->problems;
		problem_error(problems,
			      certificate_key_place(reading, certificate->key_type_given
								     ? "key_type"
								     : "targets"),
			      "an ECDSA key for target \"%s\": Cloudflare advises against it for "
			      "cPanel with Apache",
			      target->name);
		result =
			problem_remedy(problems,
				       "write \"key_type = rsa-2048\", or \"allow_ecdsa = yes\" in "
				       "[target %s] when you know better",
				       target->name);
	}
	return result;
}

int certificate_key_check(const struct certificate_section *reading)
{
	int reuse = reuse_check(reading);
	int absent = absent_key_check(reading);
	int cpanel = cpanel_check(reading);
	return reuse < 0 || absent < 0 || cpanel < 0 ? -EINVAL : 0;
}
