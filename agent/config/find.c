/* find.c - by name; the arrays are sorted. */
#include <string.h>

#include "config/model.h"

static int compare_certificate(const void *name, const void *item)
{
	return strcmp(name, (*(struct config_certificate *const *)item)->name);
}

static int compare_target(const void *name, const void *item)
{
	return strcmp(name, (*(struct config_target *const *)item)->name);
}

static int compare_api(const void *name, const void *item)
{
	return strcmp(name, (*(struct config_api *const *)item)->name);
}

/* bsearch(3) that takes an array that was never made. */
static void *find(const char *name, void *const *items, size_t count,
		  int (*compare)(const void *, const void *))
{
	void *const *found = count ? bsearch(name, items, count, sizeof(*items), compare) : NULL;
	return found ? *found : NULL;
}

const struct config_certificate *config_certificate_find(const struct config *config,
							 const char *name)
{
	return find(name, (void *const *)config->certificates, config->certificate_count,
		    compare_certificate);
}

void config_target_files(const struct config_target *target,
			 const char *ret_files[static CONFIG_TARGET_FILES])
{
	const struct config_remote *remote = &target->remote;
	const char *const files[CONFIG_TARGET_FILES] = {
		target->manager_credentials_file,
		remote->token_file,
		remote->password_file,
		remote->ca_file,
		remote->credentials_file,
		target->reload_command.count ? target->reload_command.items[0] : NULL,
	};
	memcpy(ret_files, files, sizeof(files));
}

const struct config_target *config_target_find(const struct config *config, const char *name)
{
	return find(name, (void *const *)config->targets, config->target_count, compare_target);
}

const struct config_api *config_api_find(const struct config *config, const char *name)
{
	return find(name, (void *const *)config->apis, config->api_count, compare_api);
}
