#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cloudflare/origin_ca.h"
#include "cloudflare/zone.h"
#include "pass/issue.h"
#include "pki/leaf.h"
#include "store/generation.h"

enum {
	VALIDITY_SLACK = 2 * 24 * 3600, /* seconds, as of an answer (pki/leaf_check.c) */
};

/* What is looked for in a zone's list. */
struct search {
	const struct pass_job *job;
	char spki_sha256[SHA256_TEXT_SIZE];
	bool shared;		  /* older certificates can have the key as well */
	struct string_list known; /* serials of those that are here */
	int64_t now;
	char *pem, *id; /* found */
};

/*
 * A key made for one request is in no other certificate: the key alone identifies. One that is used
 * again, or the user's own, is in those that we have as well, and in what somebody made by hand.
 */
static bool is_answer(const struct search *search, const struct leaf_facts *facts)
{
	const struct leaf_facts *newest = &search->job->state.facts;
	if (strcmp(facts->spki_sha256, search->spki_sha256) != 0 || facts->not_after <= search->now)
		return false;
	if (!search->shared)
		return true;
	int64_t asked = search->job->certificate->validity_days * CLOCK_DAY;
	return !string_list_has(&search->known, facts->serial) &&
	       facts->not_before >= newest->not_before &&
	       llabs(facts->not_after - facts->not_before - asked) <= VALIDITY_SLACK;
}

/* What is not readable is not found twice either: it has another key, or is older. */
static void known_collect(int directory, const struct pass_job *job, struct string_list *known)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	string_list_add(known, job->state.facts.serial);
	generation_list(directory, job->where, &numbers, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		CLEANUP(X509_freep) X509 *leaf = NULL;
		CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
		if (generation_leaf(directory, job->where, numbers[i], &leaf, NULL) == 0 &&
		    leaf_facts_read(leaf, &facts, NULL) == 0)
			string_list_add(known, facts.serial);
	}
}

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
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	if (leaf_facts_read(leaf, &facts, NULL) < 0 || !is_answer(search, &facts))
		return 0;
	search->pem = string_copy(certificate->pem);
	search->id = string_copy(certificate->id);
	return 1;
}

int issue_find_lost(struct client *client, const struct pass_job *job, int directory, EVP_PKEY *key,
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
	search.shared = job->material.key || certificate->reuse_key;
	if (search.shared)
		known_collect(directory, job, &search.known);
	result = origin_ca_list(client, zone_id, visit, &search, error);
	string_list_free(&search.known);
	if (result < 0)
		return error_prefix(error, "cannot look for a certificate whose answer was lost");
	*ret_pem = search.pem;
	*ret_id = search.id;
	return result;
}
