/* certificate_cloud.c - what is done at Cloudflare besides issuing, and what may come from before.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config/certificate.h"
#include "config/duration.h"

enum {
	GRACE_MOST = 3650, /* days */
};

int certificate_set_revoke_superseded(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	if (strcmp(value->text, "never") == 0) {
		section->certificate->revoke_superseded = -1;
		return 0;
	}
	return value_duration(value, 0, GRACE_MOST * CLOCK_DAY,
			      &section->certificate->revoke_superseded);
}

int certificate_set_ssl_mode(const struct value *value, void *object)
{
	static const struct value_word words[] = {
		{"unmanaged", SSL_UNMANAGED},
		{"strict", SSL_STRICT},
		{"strict-hostnames", SSL_STRICT_HOSTNAMES},
	};
	static const char *const lower[] = {"off", "flexible", "full"};
	struct certificate_section *section = object;
	for (size_t i = 0; i < ARRAY_SIZE(lower); i++)
		if (strcmp(value->text, lower[i]) == 0) {
			value_refuse(value, "the agent only ever raises a zone's mode");
			return value_remedy(value, "set it in the dashboard, and write unmanaged");
		}
	int mode = SSL_UNMANAGED;
	int result = value_choose(value, words, ARRAY_SIZE(words), &mode);
	section->certificate->ssl_mode = (enum ssl_mode)mode;
	return result;
}

static int set_files(const struct value *value, const struct value_items *items,
		     struct config_certificate *certificate)
{
	for (size_t i = 0; i < items->count; i++)
		if (items->items[i].text[0] != '/') {
			value_refuse(value, "not auto, never, or the absolute paths of a "
					    "certificate and its key");
			return value_remedy(value, "write adopt = /path/cert.pem /path/key.pem");
		}
	if (items->count != 2) {
		value_refuse(value, "needs two paths: of the certificate and of its key");
		return value_remedy(value, "where one file holds both, write it twice");
	}
	certificate->adopt = ADOPT_FILES;
	certificate->adopt_certificate = string_copy(items->items[0].text);
	certificate->adopt_key = string_copy(items->items[1].text);
	return 0;
}

int certificate_set_adopt(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	if (strcmp(value->text, "auto") == 0 || strcmp(value->text, "never") == 0) {
		section->certificate->adopt =
			strcmp(value->text, "auto") == 0 ? ADOPT_AUTO : ADOPT_NEVER;
		return 0;
	}
	struct value_items items = {0};
	value_items(value, &items);
	int result = set_files(value, &items, section->certificate);
	value_items_free(&items);
	return result;
}

/* Handshakes decide: without a target that is asked nothing ever happens. */
int certificate_cloud_check(const struct certificate_section *reading)
{
	const struct config_certificate *certificate = reading->certificate;
	struct problem_list *problems = &reading->build->problems;
	bool asked = certificate->target_count > 0;
	for (size_t i = 0; i < certificate->target_count; i++)
		asked &= certificate->targets[i]->probe_host != NULL;
	const char *const keys[] = {
		certificate->revoke_superseded >= 0 ? "revoke_superseded" : NULL,
		certificate->ssl_mode != SSL_UNMANAGED ? "ssl_mode" : NULL,
	};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!keys[i] || asked)
			continue;
		problem_warning(problems, certificate_key_place(reading, keys[i]),
				"\"%s\" has no effect: it waits for a handshake with every "
				"target, and %s",
				keys[i],
				certificate->target_count ? "one has probe = none"
							  : "there is none");
		problem_remedy(problems, "name targets that are probed, or remove the line");
	}
	if (certificate->adopt != ADOPT_FILES || !certificate->csr_file ||
	    certificate->private_key_file)
		return 0;
	problem_error(
		problems, certificate_key_place(reading, "adopt"),
		"\"adopt\" beside \"csr\" without \"private_key\": the key is on another host");
	return problem_remedy(problems, "remove \"adopt\"");
}
