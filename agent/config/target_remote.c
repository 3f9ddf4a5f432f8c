/* target_remote.c - the keys of targets that are not services of this host. */
#include <errno.h>
#include <string.h>

#include "config/hostname.h"
#include "config/target.h"

enum {
	CPANEL = 1 << TARGET_CPANEL,
	ACM = 1 << TARGET_AWS_ACM,
	IIS = 1 << TARGET_IIS,
	REMOTE = CPANEL | ACM | IIS,
	LOCAL = ~REMOTE,
	DELIVERY_SECONDS = 60, /* of one certificate to one target, unless reload_timeout says */
	PROBE_SECONDS = 60,    /* what is far away takes its time to show it */
};

/* Which types a key is for; keys that are not here are for all of them. */
static const struct {
	const char *key;
	unsigned types;
	bool needed;
	const char *example; /* of a key that is needed */
} scopes[] = {
	{"url", CPANEL, true, "https://host.example.net:2083"},
	{"user", CPANEL, true, "the name of the cPanel account"},
	{"token_file", CPANEL, true, "/etc/origin-ca-agent/cpanel-token"},
	{"ca_file", CPANEL | ACM, false, NULL},
	{"domains", CPANEL, false, NULL},
	{"allow_ecdsa", CPANEL, false, NULL},
	{"region", ACM, true, "eu-central-1"},
	{"certificate_arn", ACM, false, NULL},
	{"credentials_file", ACM, false, NULL},
	{"profile", ACM, false, NULL},
	{"endpoint", ACM, false, NULL},
	{"probe", ACM | IIS, true,
	 "the address and port of the origin itself, not Cloudflare's edge, or none"},
	{"directory", IIS, true, "/srv/certificates"},
	{"password_file", IIS, true, "/etc/origin-ca-agent/iis.password"},
	{"delivery", IIS, false, NULL},
	{"keystore_encryption", IIS, false, NULL},
	{"unit", (unsigned)LOCAL, false, NULL},
	{"config_test", (unsigned)LOCAL, false, NULL},
	{"reload", (unsigned)LOCAL, false, NULL},
	{"reload_command", (unsigned)LOCAL, false, NULL},
	{"start_stopped", (unsigned)LOCAL, false, NULL},
	{"manager_url", (unsigned)LOCAL, false, NULL},
	{"manager_credentials_file", (unsigned)LOCAL, false, NULL},
};

static struct config_remote *remote_of(void *object)
{
	return &((struct target_section *)object)->target->remote;
}

bool target_type_is_remote(int type)
{
	return type >= 0 && (1U << type) & REMOTE;
}

void target_remote_defaults(struct config_target *target)
{
	target->reload = RELOAD_DELIVER;
	target->reload_timeout = DELIVERY_SECONDS;
	target->probe_timeout = PROBE_SECONDS;
	/* The script and the PFX file that are delivered from here. */
	if (target->type == TARGET_IIS)
		target->access.mode = 0600;
	free(TAKE_PTR(target->probe_host)); /* written, or taken from `url` */
}

void config_remote_free(struct config_remote *remote)
{
	free(remote->url);
	free(remote->user);
	free(remote->token_file);
	free(remote->ca_file);
	string_list_free(&remote->domains);
	free(remote->region);
	free(remote->certificate_arn);
	free(remote->credentials_file);
	free(remote->profile);
	free(remote->endpoint);
	free(remote->directory);
	free(remote->password_file);
}

int target_set_url(const struct value *value, void *object)
{
	static const struct url_use use = {
		.plain = "would show the token and the private key to the network",
		.credentials = "the user is `user`, the token is read from token_file",
	};
	return value_url(value, &use, &remote_of(object)->url);
}

int target_set_endpoint(const struct value *value, void *object)
{
	static const struct url_use use = {
		.plain = "would show the private key to the network",
		.credentials = "credentials are looked for where the aws command does",
	};
	return value_url(value, &use, &remote_of(object)->endpoint);
}

/* One word of these characters: it goes into a header, an address or a file's text. */
static int set_word(const struct value *value, const char *more, size_t most, const char *what,
		    char **ret_word)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789";
	for (const char *at = value->text; *at; at++)
		if (!strchr(letters, *at) && !strchr(more, *at))
			return value_refuse(value, "not %s", what);
	if (strlen(value->text) > most)
		return value_refuse(value, "not %s: longer than %zu characters", what, most);
	free(*ret_word);
	*ret_word = string_copy(value->text);
	return 0;
}

int target_set_user(const struct value *value, void *object)
{
	return set_word(value, "._-@+", 128, "the name of a cPanel account",
			&remote_of(object)->user);
}

int target_set_token_file(const struct value *value, void *object)
{
	int result = value_path(value, &remote_of(object)->token_file);
	if (result < 0)
		value_remedy(value, "write the path of a file that holds the token, never the "
				    "token itself");
	return result;
}

int target_set_ca_file(const struct value *value, void *object)
{
	return value_path(value, &remote_of(object)->ca_file);
}

int target_set_domains(const struct value *value, void *object)
{
	struct string_list *domains = &remote_of(object)->domains;
	struct value_items items = {0};
	int result = 0;
	value_items(value, &items);
	for (size_t i = 0; i < items.count; i++) {
		struct error error = {0};
		char *name = NULL;
		if (hostname_normalise(items.items[i].text, &name, &error) < 0) {
			problem_error(value->problems,
				      (struct config_place){value->place.file, items.items[i].line},
				      "domains: %s", error.message);
			result =
				error.remedy[0] ? value_remedy(value, "%s", error.remedy) : -EINVAL;
			continue;
		}
		if (string_list_has(domains, name))
			free(name);
		else
			string_list_take(domains, name);
	}
	value_items_free(&items);
	return result;
}

int target_set_allow_ecdsa(const struct value *value, void *object)
{
	return value_yes(value, &remote_of(object)->allow_ecdsa);
}

int target_set_region(const struct value *value, void *object)
{
	return set_word(value, "-", 40, "the name of a region, such as eu-central-1",
			&remote_of(object)->region);
}

int target_set_certificate_arn(const struct value *value, void *object)
{
	if (!string_starts(value->text, "arn:") || !strstr(value->text, ":acm:") ||
	    !strstr(value->text, ":certificate/")) {
		value_refuse(value, "not the ARN of a certificate in ACM");
		return value_remedy(value, "it looks like arn:aws:acm:eu-central-1:123456789012:"
					   "certificate/12345678-1234-1234-1234-123456789012");
	}
	return set_word(value, ":/-", 2048, "an ARN", &remote_of(object)->certificate_arn);
}

int target_set_credentials_file(const struct value *value, void *object)
{
	int result = value_path(value, &remote_of(object)->credentials_file);
	if (result < 0)
		value_remedy(value, "write the path of a file that holds the access key, never the "
				    "key itself");
	return result;
}

int target_set_profile(const struct value *value, void *object)
{
	return set_word(value, "._-@+/", 128, "the name of a profile", &remote_of(object)->profile);
}

int target_set_directory(const struct value *value, void *object)
{
	return value_path(value, &remote_of(object)->directory);
}

int target_set_password_file(const struct value *value, void *object)
{
	int result = value_path(value, &remote_of(object)->password_file);
	if (result < 0)
		value_remedy(value, "write the path of a file that holds the password, never the "
				    "password itself");
	return result;
}

int target_set_delivery(const struct value *value, void *object)
{
	static const struct value_word words[] = {
		{"central-store", IIS_CENTRAL_STORE},
		{"script", IIS_SCRIPT},
	};
	int chosen = 0;
	int result = value_choose(value, words, ARRAY_SIZE(words), &chosen);
	if (result == 0)
		remote_of(object)->delivery = (enum iis_delivery)chosen;
	return result;
}

int target_set_keystore_encryption(const struct value *value, void *object)
{
	static const struct value_word words[] = {
		{"aes256", KEYSTORE_AES256},
		{"3des", KEYSTORE_3DES},
	};
	int chosen = 0;
	int result = value_choose(value, words, ARRAY_SIZE(words), &chosen);
	if (result == 0)
		remote_of(object)->encryption = (enum keystore_encryption)chosen;
	return result;
}

static int key_check(const struct target_section *reading, size_t index)
{
	const struct config_target *target = reading->target;
	struct problem_list *problems = &reading->build->problems;
	const char *key = scopes[index].key;
	unsigned line = reading->section ? ini_section_line(reading->section, key) : 0;
	bool mine = scopes[index].types & 1U << target->type;
	if (line == 0) {
		if (!mine || !scopes[index].needed)
			return 0;
		problem_error(problems, target->place,
			      "[target %s]: a target of type %s needs \"%s\"", target->name,
			      target_type_name(target->type), key);
		return problem_remedy(problems, "write \"%s = ...\": %s", key,
				      scopes[index].example);
	}
	/* The probe is known to all types. */
	if (mine || strcmp(key, "probe") == 0)
		return 0;
	problem_error(problems, (struct config_place){reading->section->place.file, line},
		      "\"%s\" has no effect on a target of type %s", key,
		      target_type_name(target->type));
	return problem_remedy(problems, "remove the line");
}

/* cPanel's own host serves the sites, too, unless somebody says otherwise. */
static void probe_from_url(const struct target_section *reading)
{
	struct config_target *target = reading->target;
	if (target->type != TARGET_CPANEL || ini_section_line(reading->section, "probe") ||
	    !target->remote.url)
		return;
	const char *host = target->remote.url + strlen("https://");
	size_t length = host[0] == '[' ? strcspn(host, "]") : strcspn(host, ":/");
	if (host[0] == '[') {
		host++;
		length--;
	}
	target->probe_host = string_copy_n(host, length);
	target->probe_port = 443;
}

int target_remote_check(const struct target_section *reading)
{
	int result = 0;
	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++)
		if (key_check(reading, i) < 0)
			result = -EINVAL;
	if (result < 0 || !reading->section || !target_type_is_remote(reading->target->type))
		return result;
	if (reading->target->remote.url &&
	    !string_starts(reading->target->remote.url, "https://")) {
		struct problem_list *problems = &reading->build->problems;
		problem_error(problems,
			      (struct config_place){reading->section->place.file,
						    ini_section_line(reading->section, "url")},
			      "url: cPanel is asked over https only");
		return problem_remedy(problems, "write https://, and the port 2083");
	}
	probe_from_url(reading);
	return 0;
}
