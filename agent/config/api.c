/* api.c - [api] and [api NAME]. */
#include "base/clock.h"
#include "config/build.h"

static int set_endpoint(const struct value *value, void *object)
{
	struct config_api *api = object;
	return value_url_endpoint(value, &api->endpoint);
}

static int set_token_file(const struct value *value, void *object)
{
	struct config_api *api = object;
	int result = value_path(value, &api->token_file);
	if (result < 0)
		value_remedy(value, "write the path of a file that holds the API token, never the "
				    "token itself");
	return result;
}

static int set_ca_file(const struct value *value, void *object)
{
	struct config_api *api = object;
	return value_path(value, &api->ca_file);
}

static int set_proxy(const struct value *value, void *object)
{
	struct config_api *api = object;
	return value_url_proxy(value, &api->proxy);
}

static int set_timeout(const struct value *value, void *object)
{
	struct config_api *api = object;
	return value_duration(value, 1, CLOCK_HOUR, &api->timeout);
}

/* token_file is secret because people paste the token there. */
static const struct section_key keys[] = {
	{"endpoint", set_endpoint, false}, {"token_file", set_token_file, true},
	{"ca_file", set_ca_file, false},   {"proxy", set_proxy, true},
	{"timeout", set_timeout, false},   {"root_url", NULL, false},
	{"root_sha256", NULL, false},
};

static struct config_api *api_new(const char *name, struct config_place place)
{
	struct config_api *api = memory_alloc(1, sizeof(*api));
	api->name = string_copy(name);
	api->place = place;
	api->endpoint = string_copy("https://api.cloudflare.com/client/v4");
	api->timeout = 30;
	api->root_url = string_copy("https://developers.cloudflare.com/ssl/static");
	return api;
}

static void api_append(struct config *config, struct config_api *api)
{
	config->apis = memory_grow(config->apis, config->api_count, sizeof(struct config_api *));
	config->apis[config->api_count++] = api;
}

void config_api_free(struct config_api *api)
{
	if (!api)
		return;
	free(api->name);
	free(api->endpoint);
	free(api->token_file);
	free(api->ca_file);
	secret_free(api->proxy);
	free(api->root_url);
	string_list_free(&api->root_sha256);
	free(api);
}

void api_add_default(struct build *build)
{
	api_append(build->config, api_new("", (struct config_place){build->config->path, 0}));
}

int api_read(struct build *build, struct ini_section *section)
{
	CLEANUP(config_api_freep) struct config_api *api = api_new(section->name, section->place);
	int result = section_apply(section, keys, ARRAY_SIZE(keys), api, &build->problems);
	if (result < 0) {
		section->refused = true;
		return result;
	}
	api_append(build->config, TAKE_PTR(api));
	return 0;
}
