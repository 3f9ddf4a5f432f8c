#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cloudflare/origin_ca.h"
#include "cloudflare/zone.h"
#include "pass/issue.h"
#include "pki/leaf.h"

/* What is looked for in a zone's list. */
struct search {
	const struct pass_job *job;
	char spki_sha256[SHA256_TEXT_SIZE];
	int64_t now;
	char *pem, *id; /* found */
};

static int visit(const struct origin_certificate *certificate, void *context, struct error *error)
{
	struct search *search = context;
	(void)error;

	if (certificate->revoked_at || !certificate->pem ||
	    !string_list_same_set(&certificate->hostnames, &search->job->certificate->hostnames))
		return 0;

	CLEANUP(X509_freep) X509 *leaf = NULL;
	if (leaf_read_pem(certificate->pem, strlen(certificate->pem), &leaf, NULL) < 0)
		return 0;
	struct leaf_facts facts = {0};
	int result = 0;
	/* A key made for one request is in no other certificate: the key alone identifies. One that
	 * is used again, or the user's own, is in those that we have as well. */
	const struct leaf_facts *newest = &search->job->state.facts;
	if (leaf_facts_read(leaf, &facts, NULL) == 0 && facts.not_after > search->now &&
	    strcmp(facts.spki_sha256, search->spki_sha256) == 0 &&
	    strcmp(facts.serial, newest->serial) != 0 && facts.not_before >= newest->not_before) {
		search->pem = string_copy(certificate->pem);
		search->id = string_copy(certificate->id);
		result = 1;
	}
	leaf_facts_free(&facts);
	return result;
}

int issue_find_lost(struct client *client, const struct pass_job *job, EVP_PKEY *key,
		    char **ret_pem, char **ret_id, struct error *error)
{
	const struct config_certificate *certificate = job->certificate;
	struct search search = {.job = job, .now = clock_now()};
	int result = key_spki_sha256(key, search.spki_sha256, error);
	if (result < 0)
		return result;

	struct zone zone = {0};
	const char *zone_id = certificate->zone_id;
	if (!zone_id) {
		result = zone_find(client, certificate->hostnames.items[0], &zone, error);
		if (result < 0)
			return error_prefix(error,
					    "cannot look for a certificate whose answer was lost");
		zone_id = zone.id;
	}
	result = origin_ca_list(client, zone_id, visit, &search, error);
	if (result < 0)
		return error_prefix(error, "cannot look for a certificate whose answer was lost");
	*ret_pem = search.pem;
	*ret_id = search.id;
	return result;
}
