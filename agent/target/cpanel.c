/*
 * cpanel.c - a hosting account with cPanel (GoDaddy's hosting is one): UAPI's SSL::install_ssl for
 * each of the account's websites, and SSL::installed_hosts to see what they have.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "config/hostname.h"
#include "http/exchange.h"
#include "target/cpanel_api.h"

enum {
	FORM_LIMIT = 256 << 10,
};

struct session {
	struct cpanel_api api;
	const struct remote_order *order;
	struct string_list domains; /* that are to have the certificate */
	cJSON *answer;		    /* of the last look */
	const cJSON *hosts;	    /* in it */
	char sha256[SHA256_TEXT_SIZE];
};

static void describe(const struct config_target *target, struct string_list *lines)
{
	const struct config_remote *remote = &target->remote;
	string_list_take(lines, string_format("url = %s", remote->url));
	string_list_take(lines, string_format("user = %s", remote->user));
	CLEANUP(freep) char *domains = string_list_join(&remote->domains, " ");
	string_list_take(lines,
			 string_format("domains = %s",
				       domains[0] ? domains : "(what the account has of these)"));
}

static int check(const struct config_target *target, struct error *error)
{
	char *token = NULL;
	int result =
		remote_secret_read(target->remote.token_file, "cPanel's API token", &token, error);
	secret_free(token);
	return result;
}

static void session_close(void *opened)
{
	struct session *session = opened;
	cpanel_api_close(&session->api);
	string_list_free(&session->domains);
	cJSON_Delete(session->answer);
	free(session);
}
DEFINE_CLEANUP(struct session *, session_close)

/* Cloudflare: "Do not use the ECC root with Apache cPanel". */
static int key_check(const struct remote_order *order, struct error *error)
{
	enum key_type type = order->generation ? order->facts->key_type : KEY_RSA_2048;
	if ((type != KEY_ECDSA_P256 && type != KEY_ECDSA_P384) || order->target->remote.allow_ecdsa)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EKEYREJECTED,
		  "certificate %s has %s, which Cloudflare advises against for cPanel with Apache",
		  order->certificate->name, key_type_words(type));
	return error_remedy(error,
			    "write \"key_type = rsa-2048\" in [certificate %s], or \"allow_ecdsa = "
			    "yes\" in [target %s] when you know better",
			    order->certificate->name, order->target->name);
}

static int session_open(const struct remote_order *order, void **ret_session, struct error *error)
{
	int result = key_check(order, error);
	if (result < 0)
		return result;
	CLEANUP(session_closep) struct session *session = memory_alloc(1, sizeof(*session));
	session->order = order;
	result = cpanel_api_open(order, &session->api, error);
	if (result == 0 && order->leaf)
		result = leaf_sha256(order->leaf, session->sha256, error);
	if (result == 0)
		*ret_session = TAKE_PTR(session);
	return result;
}

static bool certificate_covers(const struct config_certificate *certificate, const char *domain)
{
	for (size_t i = 0; i < certificate->hostnames.count; i++)
		if (hostname_covers(certificate->hostnames.items[i], domain))
			return true;
	return false;
}

static void domain_take(struct session *session, const cJSON *item)
{
	if (cJSON_IsString(item) &&
	    certificate_covers(session->order->certificate, item->valuestring) &&
	    !string_list_has(&session->domains, item->valuestring))
		string_list_add(&session->domains, item->valuestring);
}

/* What the account has of what the certificate covers. */
static int domains_ask(struct session *session, struct error *error)
{
	static const char *const lists[] = {"addon_domains", "sub_domains", "parked_domains"};
	const struct config_certificate *certificate = session->order->certificate;
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	const cJSON *data = NULL;
	int result =
		cpanel_call(&session->api, "DomainInfo/list_domains", NULL, &answer, &data, error);
	if (result < 0)
		return result;
	const cJSON *main_domain = cJSON_GetObjectItemCaseSensitive(data, "main_domain");
	domain_take(session, main_domain);
	bool blank = !cJSON_IsString(main_domain) || main_domain->valuestring[0] == '\0';
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const cJSON *list = cJSON_GetObjectItemCaseSensitive(data, lists[i]);
		const cJSON *item;
		cJSON_ArrayForEach (item, list)
			domain_take(session, item);
	}
	/* cPanel says nothing at all when it may not read its own list. */
	for (size_t i = 0; blank && i < certificate->hostnames.count; i++)
		if (!string_starts(certificate->hostnames.items[i], "*."))
			string_list_add(&session->domains, certificate->hostnames.items[i]);
	if (session->domains.count > 0)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EINVAL,
		  "%s: the account %s has no domain that certificate %s covers", session->api.what,
		  session->order->target->remote.user, certificate->name);
	return error_remedy(error,
			    "add the domain in cPanel > Domains, or correct `hostnames` of "
			    "[certificate %s] or `user` of [target %s]",
			    certificate->name, session->order->target->name);
}

static int domains_choose(struct session *session, struct error *error)
{
	const struct string_list *given = &session->order->target->remote.domains;
	if (session->domains.count > 0)
		return 0;
	if (given->count == 0)
		return domains_ask(session, error);
	for (size_t i = 0; i < given->count; i++)
		if (certificate_covers(session->order->certificate, given->items[i]))
			string_list_add(&session->domains, given->items[i]);
	if (session->domains.count > 0)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EINVAL,
		  "certificate %s covers none of `domains` of [target %s]",
		  session->order->certificate->name, session->order->target->name);
	return error_remedy(error, "correct `domains`, or leave it out");
}

static bool list_names(const cJSON *host, const char *name, const char *domain)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(host, name);
	const cJSON *item;
	cJSON_ArrayForEach (item, list)
		if (cJSON_IsString(item) && strcasecmp(item->valuestring, domain) == 0)
			return true;
	return false;
}

/* The certificate (PEM) of the website that `domain` is on; NULL when it has none. */
static const char *installed(const struct session *session, const char *domain)
{
	const cJSON *host;
	cJSON_ArrayForEach (host, session->hosts) {
		const char *server = json_string(host, "servername");
		if ((server && strcasecmp(server, domain) == 0) ||
		    list_names(host, "fqdns", domain) || list_names(host, "domains", domain))
			return json_string(host, "certificate_text");
	}
	return NULL;
}

static bool is_leaf(const char *pem, const char *sha256)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	char found[SHA256_TEXT_SIZE];
	return pem && leaf_read_pem(pem, strlen(pem), &leaf, NULL) == 0 &&
	       leaf_sha256(leaf, found, NULL) == 0 && strcmp(found, sha256) == 0;
}

static int hosts_ask(struct session *session, struct error *error)
{
	cJSON_Delete(TAKE_PTR(session->answer));
	session->hosts = NULL;
	return cpanel_call(&session->api, "SSL/installed_hosts", NULL, &session->answer,
			   &session->hosts, error);
}

static int look(void *opened, enum remote_found *ret_found, struct error *error)
{
	struct session *session = opened;
	int result = domains_choose(session, error);
	if (result == 0)
		result = hosts_ask(session, error);
	if (result < 0)
		return result;
	*ret_found = REMOTE_WANTED;
	for (size_t i = 0; i < session->domains.count; i++)
		if (!is_leaf(installed(session, session->domains.items[i]), session->sha256))
			*ret_found = REMOTE_OTHER;
	return 0;
}

/* Only the certificates, which are public: cPanel keeps their keys, and gives them when asked. */
static int keep(void *opened, cJSON *before, struct error *error)
{
	(void)error;
	struct session *session = opened;
	cJSON *list = json_add_array(before, "websites");
	for (size_t i = 0; i < session->domains.count; i++) {
		cJSON *website = json_append_object(list);
		json_add_string(website, "domain", session->domains.items[i]);
		json_add_string(website, "certificate",
				installed(session, session->domains.items[i]));
	}
	return 0;
}

static int install(struct session *session, const char *domain, const char *certificate,
		   const char *key, const char *bundle, struct error *error)
{
	CLEANUP(buffer_wipe) struct buffer form = BUFFER(FORM_LIMIT);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	const cJSON *data = NULL;
	http_form_add(&form, "domain", domain);
	http_form_add(&form, "cert", certificate);
	http_form_add(&form, "key", key);
	if (bundle && bundle[0])
		http_form_add(&form, "cabundle", bundle);
	if (form.failed)
		return error_set(error, ERROR_BUG, -EMSGSIZE,
				 "key and certificate are larger than %d bytes", FORM_LIMIT);
	int result = cpanel_call(&session->api, "SSL/install_ssl", &form, &answer, &data, error);
	if (result < 0 && error->class != ERROR_TRANSIENT)
		error_prefix(error, "%s", domain);
	return result;
}

/* The answer did not come; what cPanel has tells whether the next website's turn has. */
static bool lost_but_done(struct session *session, const char *domain, const char *sha256)
{
	struct error ignored = {0};
	return hosts_ask(session, &ignored) == 0 && is_leaf(installed(session, domain), sha256);
}

static int place(void *opened, struct error *error)
{
	struct session *session = opened;
	const struct remote_order *order = session->order;
	CLEANUP(buffer_wipe) struct buffer key = BUFFER(FORM_LIMIT);
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(FORM_LIMIT);
	CLEANUP(buffer_free) struct buffer root = BUFFER(FORM_LIMIT);
	int result = key_write_pem(order->key, &key, error);
	if (result == 0)
		result = leaf_write_pem(order->leaf, &leaf, error);
	if (result == 0 && order->root)
		result = leaf_write_pem(order->root, &root, error);
	for (size_t i = 0; i < session->domains.count && result == 0; i++) {
		const char *domain = session->domains.items[i];
		/* A website has several domains, and needs it once. */
		if (i > 0)
			result = hosts_ask(session, error);
		if (result == 0 && !is_leaf(installed(session, domain), session->sha256))
			result = install(session, domain, buffer_text(&leaf), buffer_text(&key),
					 buffer_text(&root), error);
		if (result < 0 && error->outcome_unknown &&
		    lost_but_done(session, domain, session->sha256)) {
			error_clear(error);
			result = 0;
		}
	}
	return result;
}

/* One that has run out meanwhile is no way back. */
static bool is_valid(const char *pem)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	struct leaf_facts facts = {0};
	bool valid = pem && leaf_read_pem(pem, strlen(pem), &leaf, NULL) == 0 &&
		     leaf_facts_read(leaf, &facts, NULL) == 0 && facts.not_after > clock_now();
	leaf_facts_free(&facts);
	return valid;
}

static int website_go_back(struct session *session, const char *domain, const char *pem,
			   struct error *error)
{
	CLEANUP(X509_freep) X509 *leaf = NULL;
	char sha256[SHA256_TEXT_SIZE];
	int result = leaf_read_pem(pem, strlen(pem), &leaf, error);
	if (result == 0)
		result = leaf_sha256(leaf, sha256, error);
	if (result < 0 || is_leaf(installed(session, domain), sha256))
		return result;
	CLEANUP(buffer_free) struct buffer form = BUFFER(FORM_LIMIT);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	const cJSON *data = NULL;
	http_form_add(&form, "certificate", pem);
	result = cpanel_call(&session->api, "SSL/fetch_key_and_cabundle_for_certificate", &form,
			     &answer, &data, error);
	if (result < 0)
		return result;
	const char *key = json_string(data, "key");
	if (!key || !key[0])
		return error_set(error, ERROR_DEPLOY, -ENOKEY,
				 "%s has lost the key of the certificate that %s had before",
				 session->api.what, domain);
	result = install(session, domain, pem, key, json_string(data, "cab"), error);
	if (result < 0 && error->outcome_unknown && lost_but_done(session, domain, sha256)) {
		error_clear(error);
		result = 0;
	}
	cJSON *secret = cJSON_GetObjectItemCaseSensitive(data, "key");
	explicit_bzero(secret->valuestring, strlen(secret->valuestring));
	return result;
}

static int go_back(void *opened, const cJSON *before, struct error *error)
{
	struct session *session = opened;
	const cJSON *website;
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(before, "websites");
	int result = 0;
	cJSON_ArrayForEach (website, list) {
		const char *domain = json_string(website, "domain");
		const char *pem = json_string(website, "certificate");
		/* A website that had none keeps the one it has now: to take it away would end TLS
		 * there. */
		if (result < 0 || !domain || !is_valid(pem))
			continue;
		/* Asked for each: what one domain of a website has, the others have as well. */
		result = hosts_ask(session, error);
		if (result == 0)
			result = website_go_back(session, domain, pem, error);
	}
	return result;
}

const struct remote_operations remote_cpanel = {
	.describe = describe,
	.check = check,
	.open = session_open,
	.look = look,
	.keep = keep,
	.place = place,
	.go_back = go_back,
	.close = session_close,
};
