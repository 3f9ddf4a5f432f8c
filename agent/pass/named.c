#include "pass/named.h"

#include <string.h>

#include "base/memory.h"
#include "cloudflare/token.h"

struct named {
	const char *state_dir;
	struct string_list *files;
	size_t bytes;
};

static void add(struct named *named, const char *path)
{
	size_t own = strlen(named->state_dir);
	if (!path || path[0] != '/' || named->files->count >= NAMED_FILES_LIMIT ||
	    named->bytes + strlen(path) > NAMED_BYTES_LIMIT ||
	    (strncmp(path, named->state_dir, own) == 0 && path[own] == '/') ||
	    string_list_has(named->files, path))
		return;
	named->bytes += strlen(path);
	string_list_add(named->files, path);
}

bool named_files(const struct config *config, struct string_list *files)
{
	struct named named = {.state_dir = config->agent.state_dir, .files = files};
	bool credential = false;
	for (size_t i = 0; i < config->api_count; i++) {
		CLEANUP(freep) char *token = token_path(config->apis[i]);
		if (token_is_credential(token))
			credential = true;
		else
			add(&named, token);
		add(&named, config->apis[i]->ca_file);
	}
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = config->targets[i];
		add(&named, target->template_name); /* an absolute path or a name, which is not */
		const char *own[CONFIG_TARGET_FILES];
		config_target_files(target, own);
		for (size_t j = 0; j < ARRAY_SIZE(own); j++)
			add(&named, own[j]);
	}
	for (size_t i = 0; i < config->certificate_count; i++) {
		const struct config_certificate *certificate = config->certificates[i];
		add(&named, certificate->private_key_file);
		add(&named, certificate->csr_file);
		add(&named, certificate->keystore_password_file);
		add(&named, certificate->adopt_certificate);
		add(&named, certificate->adopt_key);
	}
	return credential;
}
