/* names.c - the words of the configuration for what the model holds as numbers. */
#include <errno.h>
#include <string.h>

#include "config/model.h"

static const char *const key_types[KEY_TYPE_COUNT] = {
	[KEY_ECDSA_P256] = "ecdsa-p256", [KEY_ECDSA_P384] = "ecdsa-p384",
	[KEY_RSA_2048] = "rsa-2048",	 [KEY_RSA_3072] = "rsa-3072",
	[KEY_RSA_4096] = "rsa-4096",
};

static const char *const target_types[] = {
	[TARGET_NGINX] = "nginx",     [TARGET_APACHE] = "apache", [TARGET_TOMCAT] = "tomcat",
	[TARGET_HAPROXY] = "haproxy", [TARGET_CUSTOM] = "custom", [TARGET_CPANEL] = "cpanel",
	[TARGET_AWS_ACM] = "aws-acm", [TARGET_IIS] = "iis",
};

static const char *const reload_methods[] = {
	[RELOAD_RELOAD] = "reload",   [RELOAD_RESTART] = "restart", [RELOAD_SSL] = "ssl-reload",
	[RELOAD_COMMAND] = "command", [RELOAD_NONE] = "none",	    [RELOAD_DELIVER] = "deliver",
};

static const char *word(const char *const *words, size_t count, unsigned index)
{
	return index < count ? words[index] : NULL;
}

const char *key_type_name(enum key_type type)
{
	return word(key_types, ARRAY_SIZE(key_types), (unsigned)type);
}

int key_type_parse(const char *name, enum key_type *ret_type)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(key_types); i++)
		if (strcmp(name, key_types[i]) == 0) {
			*ret_type = (enum key_type)i;
			return 0;
		}
	return -EINVAL;
}

const char *target_type_name(enum target_type type)
{
	return word(target_types, ARRAY_SIZE(target_types), (unsigned)type);
}

const char *reload_method_name(enum reload_method method)
{
	return word(reload_methods, ARRAY_SIZE(reload_methods), (unsigned)method);
}
