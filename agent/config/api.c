/* api.c - [api] and [api NAME]. */
#include <errno.h>

#include "base/clock.h"
#include "config/build.h"

enum {
	FINGERPRINT_DIGITS = 64,
	ROOT_LIMIT = 20, /* pins of one [api] */
};

static int set_endpoint(const struct value *value, void *object)
{
	static const struct url_use use = {
		.plain = "would show the API token to the network",
		.credentials = "the API token is read from token_file",
	};
	struct config_api *api = object;
	return value_url(value, &use, &api->endpoint);
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

static int set_root_url(const struct value *value, void *object)
{
	static const struct url_use use = {
		.plain = "would let the network change what is read",
		.credentials = "the roots are public, so none are needed",
	};
	struct config_api *api = object;
	return value_url(value, &use, &api->root_url);
}

/* 32 bytes in hexadecimal digits of either case, perhaps with colons between the bytes. */
static int fingerprint_parse(const char *text, char digits[static FINGERPRINT_DIGITS + 1])
{
	size_t count = 0;
	for (; *text && count < FINGERPRINT_DIGITS; text++) {
		if (*text == ':' && count > 0 && count % 2 == 0 && text[-1] != ':')
			continue;
		if (*text >= 'A' && *text <= 'F')
			digits[count++] = (char)(*text - 'A' + 'a');
		else if ((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f'))
			digits[count++] = *text;
		else
			return -EINVAL;
	}
	digits[count] = '\0';
	return *text || count < FINGERPRINT_DIGITS ? -EINVAL : 0;
}

static int root_sha256_add(const struct value *value, struct config_api *api)
{
	char digits[FINGERPRINT_DIGITS + 1];
	if (fingerprint_parse(value->text, digits) < 0) {
		value_refuse(value, "not a SHA-256 fingerprint");
		return value_remedy(value,
				    "write the 64 hexadecimal digits that \"openssl x509 -noout "
				    "-fingerprint -sha256\" prints, with or without colons");
	}
	if (!string_list_has(&api->root_sha256, digits))
		string_list_add(&api->root_sha256, digits);
	return 0;
}

static int set_root_sha256(const struct value *value, void *object)
{
	CLEANUP(value_items_free) struct value_items items = {0};
	value_items(value, &items);
	if (items.count == 0 || items.count > ROOT_LIMIT)
		return value_refuse(value, "must be 1 to %d fingerprints", ROOT_LIMIT);
	int result = 0;
	for (size_t i = 0; i < items.count; i++) {
		struct value item = *value;
		item.text = items.items[i].text;
		item.place.line = items.items[i].line;
		if (root_sha256_add(&item, object) < 0)
			result = -EINVAL;
	}
	return result;
}

/* token_file is secret because people paste the token there. */
static const struct section_key keys[] = {
	{"endpoint", set_endpoint, TEXT_PLAIN},	      {"token_file", set_token_file, TEXT_SECRET},
	{"ca_file", set_ca_file, TEXT_PLAIN},	      {"proxy", set_proxy, TEXT_SECRET},
	{"timeout", set_timeout, TEXT_PLAIN},	      {"root_url", set_root_url, TEXT_PLAIN},
	{"root_sha256", set_root_sha256, TEXT_PLAIN},
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
