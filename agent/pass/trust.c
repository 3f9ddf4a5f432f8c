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

static void list_load(const struct pass *pass, const struct pass_account *account,
		      struct root_list *roots, struct string_list *warnings)
{
	CLEANUP(closep) int directory = -1;
	struct error error = {0};
	if (roots_open(&pass->store, false, &directory, NULL) < 0)
		return;
	CLEANUP(freep) char *where = string_format("%s/roots", pass->store.path);
	root_list_free(roots);
	if (root_list_load(directory, where, &account->api->root_sha256, roots, warnings, &error) <
	    0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

static bool account_used(const struct pass *pass, const struct pass_account *account)
{
	for (size_t i = 0; i < pass->job_count; i++)
		if (pass->jobs[i].certificate->api == account->api)
			return true;
	return false;
}

void trust_load(struct pass *pass)
{
	for (size_t i = 0; i < pass->config->api_count && pass->store.fd >= 0; i++) {
		struct pass_account *account = &pass->accounts[i];
		CLEANUP(string_list_free) struct string_list warnings = {0};
		struct error error = {0};
		if (!account_used(pass, account))
			continue;
		if (roots_present(&pass->store, &account->api->root_sha256, &account->published,
				  &warnings, &error) < 0)
			log_failure(LOG_LEVEL_WARNING, &error);
		list_load(pass, account, &account->roots, &warnings);
		warnings_tell(&warnings);
	}
	/* Sought now: threads that issue only read it. */
	for (size_t i = 0; i < pass->job_count; i++)
		trust_client_account(pass, pass->jobs[i].certificate);
}

/* What the jobs of one account miss. */
static unsigned missing_of(const struct pass *pass, const struct pass_account *account)
{
	unsigned wanted = 0;
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		if (job->certificate->api != account->api)
			continue;
		if (issue_is_to_ask(pass, job) || job->derive ||
		    (pass->options.full && !job->reissue))
			wanted |= SIGNING;
		if (job->certificate->authenticated_origin_pulls)
			wanted |= PULL;
	}
	return wanted & ~account->published;
}

static int fetch_one(struct pass *pass, struct pass_account *account, struct published *published,
		     enum root_kind kind, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(PUBLISHED_LIMIT);
	CLEANUP(X509_freep) X509 *root = NULL;
	int result = published_fetch(published, root_publications[kind].file, pass->deadline_ms,
				     &text, error);
	if (result == 0)
		result = root_read_pem(kind, buffer_text(&text), text.length,
				       &account->api->root_sha256, &root, error);
	if (result == 0)
		result = roots_write(&pass->store, kind, root, error);
	if (result == 0)
		account->published |= 1u << kind;
	return result;
}

/* One that is not as it should be does not keep the others away; an address that does not answer
 * is asked once only. */
static void fetch_missing(struct pass *pass, struct pass_account *account, unsigned missing,
			  struct error *first)
{
	CLEANUP(published_closep) struct published *published = NULL;
	int result = published_open(account->api, &published, first);
	for (enum root_kind kind = 0; result == 0 && kind < ROOT_KIND_COUNT; kind++) {
		struct error error = {0};
		if (!(missing & 1u << kind) ||
		    fetch_one(pass, account, published, kind, &error) == 0)
			continue;
		if (!first->code)
			*first = error;
		if (error.class == ERROR_TRANSIENT && error.code != -ENOENT)
			return;
	}
}

/* Which authority it is now; again after something was fetched. */
static void client_ca_find(struct pass *pass, struct pass_account *account)
{
	free(TAKE_PTR(account->client_ca));
	X509_free(account->client_authority);
	account->client_authority = NULL;
	error_clear(&account->client_ca_error);
	account->client_ca_sought = true;
	roots_read(&pass->store, ROOT_PULL, &account->api->root_sha256, &account->client_ca,
		   &account->client_authority, &account->client_ca_error);
}

bool trust_fetch(struct pass *pass)
{
	bool found = false;
	for (size_t i = 0; i < pass->config->api_count; i++) {
		struct pass_account *account = &pass->accounts[i];
		unsigned before = account->published;
		unsigned missing = missing_of(pass, account);
		struct error error = {0};
		if (!missing)
			continue;
		log_progress("fetching the roots from %s", account->api->root_url);
		fetch_missing(pass, account, missing, &error);
		log_progress("%s", "");
		list_load(pass, account, &account->roots, NULL);
		if (missing & PULL)
			client_ca_find(pass, account);
		found |= account->published != before;
		if (!error.code)
			continue;
		if (error.class == ERROR_TRANSIENT)
			error_remedy(
				&error,
				"certificates are issued all the same; let this host reach the "
				"address, set `root_url`, or put the files into %s/roots",
				pass->store.path);
		log_failure(LOG_LEVEL_WARNING, &error);
		account->published_error = error;
	}
	return found;
}

static struct pass_account *account_of(const struct pass *pass, const struct config_api *api)
{
	size_t i = 0;
	while (i + 1 < pass->config->api_count && pass->accounts[i].api != api)
		i++;
	return &pass->accounts[i];
}

const struct root_list *trust_roots(const struct pass *pass,
				    const struct config_certificate *certificate)
{
	return &account_of(pass, certificate->api)->roots;
}

const struct root_list *trust_roots_anew(struct pass *pass,
					 const struct config_certificate *certificate,
					 struct error *ret_unknown)
{
	struct pass_account *account = account_of(pass, certificate->api);
	pthread_mutex_lock(&account->anew_lock);
	if (!account->fetched_anew) {
		account->fetched_anew = true;
		fetch_missing(pass, account, SIGNING, &account->anew_error);
		list_load(pass, account, &account->roots_anew, NULL);
		if (account->anew_error.code)
			log_failure(LOG_LEVEL_WARNING, &account->anew_error);
	}
	*ret_unknown = account->anew_error;
	pthread_mutex_unlock(&account->anew_lock);
	return &account->roots_anew;
}

void trust_take_anew(struct pass *pass)
{
	for (size_t i = 0; i < pass->config->api_count; i++) {
		struct pass_account *account = &pass->accounts[i];
		if (!account->fetched_anew || !account->roots_anew.count)
			continue;
		root_list_free(&account->roots);
		account->roots = account->roots_anew;
		account->roots_anew = (struct root_list){0};
	}
}

struct pass_account *trust_client_account(struct pass *pass,
					  const struct config_certificate *certificate)
{
	if (!certificate->authenticated_origin_pulls)
		return NULL;
	struct pass_account *account = account_of(pass, certificate->api);
	if (!account->client_ca_sought)
		client_ca_find(pass, account);
	return account->client_ca ? account : NULL;
}

int trust_client_ca_missing(struct pass *pass, const struct config_certificate *certificate,
			    struct error *error)
{
	if (!certificate->authenticated_origin_pulls || trust_client_account(pass, certificate))
		return 0;
	const struct pass_account *account = account_of(pass, certificate->api);
	const struct error *absent = &account->client_ca_error;
	bool fetchable = absent->code == -ENOENT;
	error_set(error, fetchable ? ERROR_TRANSIENT : absent->class,
		  fetchable ? -ENOKEY : absent->code, "authenticated_origin_pulls: %s%s%s",
		  absent->message, account->published_error.code ? ": " : "",
		  account->published_error.message);
	return error_remedy(error, "let this host reach `root_url`, or put %s there by hand",
			    root_publications[ROOT_PULL].file);
}
