#include "pass/trust.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cloudflare/published.h"
#include "pass/issue.h"
#include "store/roots.h"

enum {
	SIGNING = 1u << ROOT_ORIGIN_ECC | 1u << ROOT_ORIGIN_RSA,
	PULL = 1u << ROOT_PULL,
};

/* The pins of all accounts: a root is good whichever of them told its digest. */
static void pins_collect(const struct config *config, struct string_list *pins)
{
	for (size_t i = 0; i < config->api_count; i++)
		for (size_t j = 0; j < config->apis[i]->root_sha256.count; j++)
			string_list_add(pins, config->apis[i]->root_sha256.items[j]);
}

/* Both look, at roots and at what is published; a file that is not good is told once. */
static void warnings_tell(const struct string_list *warnings)
{
	for (size_t i = 0; i < warnings->count; i++) {
		bool told = false;
		for (size_t j = 0; j < i; j++)
			told |= strcmp(warnings->items[i], warnings->items[j]) == 0;
		if (!told)
			log_warning("%s", warnings->items[i]);
	}
}

static void list_load(struct pass *pass, const struct string_list *pins,
		      struct string_list *warnings)
{
	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	if (roots_open(&pass->store, false, &directory, NULL) < 0)
		return;
	CLEANUP(freep) char *where = string_format("%s/roots", pass->store.path);
	root_list_free(&pass->roots);
	if (root_list_load(directory, where, pins, &pass->roots, warnings, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

void trust_load(struct pass *pass)
{
	CLEANUP(string_list_free) struct string_list pins = {0};
	CLEANUP(string_list_free) struct string_list warnings = {0};
	struct error error = {0};
	if (pass->store.fd < 0)
		return;
	pins_collect(pass->config, &pins);
	if (roots_present(&pass->store, &pins, &pass->published, &warnings, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
	list_load(pass, &pins, &warnings);
	warnings_tell(&warnings);
}

/* What the jobs of one account miss. */
static unsigned missing_of(const struct pass *pass, const struct config_api *api)
{
	unsigned wanted = 0;
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		if (job->certificate->api != api)
			continue;
		if (issue_is_to_ask(pass, job) || job->derive ||
		    (pass->options.full && !job->reissue))
			wanted |= SIGNING;
		if (job->certificate->authenticated_origin_pulls)
			wanted |= PULL;
	}
	return wanted & ~pass->published;
}

static int fetch_one(struct pass *pass, struct published *published, enum root_kind kind,
		     const struct string_list *pins, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(PUBLISHED_LIMIT);
	CLEANUP(X509_freep) X509 *root = NULL;
	int result = published_fetch(published, root_publications[kind].file, pass->deadline_ms,
				     &text, error);
	if (result == 0)
		result = root_read_pem(kind, buffer_text(&text), text.length, pins, &root, error);
	if (result == 0)
		result = roots_write(&pass->store, kind, root, error);
	if (result == 0)
		pass->published |= 1u << kind;
	return result;
}

static int fetch_missing(struct pass *pass, const struct config_api *api, unsigned missing,
			 struct error *error)
{
	CLEANUP(published_closep) struct published *published = NULL;
	int result = published_open(api, &published, error);
	/* Who does not answer for one does not for the others; who gives a wrong one may give the
	 * right others: they are renewed one by one. */
	for (enum root_kind kind = 0; published && kind < ROOT_KIND_COUNT; kind++) {
		struct error reason = {0};
		if (!(missing & 1u << kind))
			continue;
		int one = fetch_one(pass, published, kind, &api->root_sha256, &reason);
		if (one < 0 && result == 0) {
			*error = reason;
			result = one;
		}
		if (one < 0 && one != -EKEYREJECTED && one != -EBADMSG)
			break;
	}
	return result;
}

bool trust_fetch(struct pass *pass)
{
	unsigned before = pass->published;
	bool fetched = false;
	for (size_t i = 0; i < pass->config->api_count; i++) {
		const struct config_api *api = pass->config->apis[i];
		unsigned missing = missing_of(pass, api);
		struct error error = {0};
		if (!missing)
			continue;
		fetched = true;
		log_progress("fetching the roots from %s", api->root_url);
		int result = fetch_missing(pass, api, missing, &error);
		log_progress("%s", "");
		if (result == 0)
			continue;
		if (error.class == ERROR_TRANSIENT)
			error_remedy(
				&error,
				"certificates are issued all the same; let this host reach the "
				"address, set `root_url`, or put the files into %s/roots",
				pass->store.path);
		log_failure(LOG_LEVEL_WARNING, &error);
		pass->published_error = error;
	}
	if (!fetched)
		return false;
	CLEANUP(string_list_free) struct string_list pins = {0};
	pins_collect(pass->config, &pins);
	list_load(pass, &pins, NULL);
	return pass->published != before;
}

int trust_client_ca(const struct pass *pass, struct error *error)
{
	if (pass->published & PULL)
		return 0;
	CLEANUP(freep) char *path = roots_path(&pass->store, ROOT_PULL);
	error_set(error, ERROR_TRANSIENT, -ENOKEY,
		  "authenticated_origin_pulls: %s is not there%s%s", path,
		  pass->published_error.code ? ": " : "", pass->published_error.message);
	return error_remedy(error, "let this host reach `root_url`, or put %s there by hand",
			    root_publications[ROOT_PULL].file);
}

int trust_client_ca_read(const struct pass *pass, X509 **ret_authority, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(string_list_free) struct string_list pins = {0};
	CLEANUP(buffer_free) struct buffer text = BUFFER(PUBLISHED_LIMIT);
	CLEANUP(freep) char *where = string_format("%s/roots", pass->store.path);
	pins_collect(pass->config, &pins);
	int result = roots_open(&pass->store, false, &directory, error);
	if (result == 0)
		result = file_read_at(directory, where, root_publications[ROOT_PULL].file, &text,
				      error);
	return result < 0 ? result
			  : root_read_pem(ROOT_PULL, buffer_text(&text), text.length, &pins,
					  ret_authority, error);
}
