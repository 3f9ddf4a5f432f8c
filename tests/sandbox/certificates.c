/* certificates.c - the four calls of the Origin CA (cloudflare/API.md, "Operations"). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "exchange.h"
#include "hostnames.h"

enum {
	VALIDITY_DEFAULT = 5475, /* days */
	PER_PAGE_DEFAULT = 20,
	PER_PAGE_LEAST = 5,
	PER_PAGE_MOST = 50,
	PAGE_MOST = 1000000,
};

enum date_form {
	DATE_GO, /* 2025-04-01 10:11:00 +0000 UTC */
	DATE_RFC3339,
};

static void add_date(cJSON *object, const char *name, int64_t time, enum date_form form)
{
	char text[CLOCK_TEXT_SIZE];
	clock_format(time, text);
	if (form == DATE_RFC3339)
		json_add_string(object, name, text);
	else
		json_add_format(object, name, "%.10s %.8s +0000 UTC", text, text + 11);
}

static void add_revoked_at(cJSON *object, const struct issued *issued)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t at = issued->revoked_at;
	if (at)
		json_add_format(object, "revoked_at", "%.19s.928893Z", clock_format(at, text));
}

/* A certificate as the API shows it; `csr` and `requested_validity` only to its maker. */
static cJSON *certificate_json(const struct request *request, const struct issued *issued,
			       enum date_form form, bool created)
{
	if (request->fault.kind == FAULT_OTHER_DATE)
		form = form == DATE_GO ? DATE_RFC3339 : DATE_GO;
	cJSON *object = json_object();
	json_add_string(object, "id", issued->id);
	json_add_string(object, "certificate", issued->pem);
	json_add_list(object, "hostnames", &issued->hostnames);
	add_date(object, "expires_on", issued->expires_on, form);
	json_add_string(object, "request_type", algorithm_request_type(issued->algorithm));
	if (created) {
		json_add_integer(object, "requested_validity", issued->requested_days);
		json_add_string(object, "csr", issued->csr);
	}
	add_revoked_at(object, issued);
	return object;
}

/* Absent, null, zero or not a number: the longest, without a word. */
static int validity_read(const cJSON *body, int64_t *ret_days)
{
	static const int64_t allowed[] = {7, 30, 90, 365, 730, 1095, 5475};
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "requested_validity");
	*ret_days = VALIDITY_DEFAULT;
	if (!cJSON_IsNumber(item) || item->valuedouble == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		if (item->valuedouble == (double)allowed[i]) {
			*ret_days = allowed[i];
			return 0;
		}
	}
	return -EINVAL;
}

/* Strings of `hostnames`, or the reply. */
static int hostnames_read(const cJSON *body, struct string_list *hostnames, struct reply *reply)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(body, "hostnames");
	const cJSON *item;
	cJSON_ArrayForEach (item, list) {
		if (!cJSON_IsString(item))
			break;
		string_list_add(hostnames, item->valuestring);
	}
	if (!cJSON_IsArray(list) || item || hostnames->count == 0) {
		reply_error(reply, 400, 1004, "hostnames must be a list of at least one hostname");
		return -EINVAL;
	}
	if (hostnames->count > HOSTNAMES_LIMIT) {
		reply_error(reply, 400, 1005, "More than %d hostnames were requested",
			    HOSTNAMES_LIMIT);
		return -E2BIG;
	}
	return 0;
}

static int key_read(const cJSON *body, struct issued *issued, EVP_PKEY **ret_key,
		    struct reply *reply)
{
	const char *csr = json_string(body, "csr");
	if (algorithm_parse(json_string(body, "request_type"), &issued->algorithm) < 0) {
		reply_error(reply, 400, 1004, "request_type must be origin-rsa or origin-ecc");
		return -EINVAL;
	}
	enum algorithm algorithm = ALGORITHM_ECC;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	int result = csr ? csr_read(csr, &key, &algorithm) : -EINVAL;
	if (result == -EINVAL) {
		reply_error(reply, 400, 1007, "Failed to parse the certificate signing request");
		return result;
	}
	if (result < 0 || algorithm != issued->algorithm) {
		reply_error(reply, 400, 1011,
			    "The key of the certificate signing request does not suit %s",
			    algorithm_request_type(issued->algorithm));
		return -ENOTSUP;
	}
	issued->csr = string_copy(csr);
	*ret_key = TAKE_PTR(key);
	return 0;
}

static void dates_choose(const struct sandbox *sandbox, const struct request *request,
			 struct issued *issued, struct leaf_request *leaf)
{
	int64_t days = issued->requested_days;
	if (request->fault.kind == FAULT_WRONG_VALIDITY)
		days = VALIDITY_DEFAULT;
	leaf->not_before = (request->now - sandbox->options.backdate) / CLOCK_MINUTE * CLOCK_MINUTE;
	leaf->not_after = leaf->not_before + days * CLOCK_DAY;
	int64_t most = sandbox->options.max_validity;
	if (most && leaf->not_after > request->now + most)
		leaf->not_after = request->now + most;
	issued->issued_at = request->now;
	issued->expires_on = leaf->not_after;
}

/* Signs and journals. On success the ledger's record. */
static int certificate_issue(struct sandbox *sandbox, const struct request *request,
			     struct issued **issued, EVP_PKEY *key)
{
	static const enum leaf_defect defects[FAULT_KIND_COUNT] = {
		[FAULT_WRONG_KEY] = LEAF_WRONG_KEY,
		[FAULT_NOT_SIGNED] = LEAF_WRONG_SIGNER,
	};
	CLEANUP(string_list_free) struct string_list wrong_names = {0};
	string_list_add(&wrong_names, "wrong.origin-ca-sandbox.invalid");

	struct issued *record = *issued;
	CLEANUP(string_list_free) struct string_list names = {0};
	hostnames_lower(&record->hostnames, &names);
	struct leaf_request leaf = {
		.key = key,
		.algorithm = record->algorithm,
		.hostnames = request->fault.kind == FAULT_WRONG_NAMES ? &wrong_names : &names,
		.defect = defects[request->fault.kind],
	};
	dates_choose(sandbox, request, record, &leaf);
	int result = leaf_sign(&sandbox->authority, &leaf, &record->id, &record->pem);
	if (result < 0)
		return result;
	hostnames_shuffle(&record->hostnames, record->id);
	record->token = string_copy(request->token->name);
	if (request->fault.kind != FAULT_NONE)
		record->fault = string_copy(fault_name(request->fault.kind));
	result = ledger_add(sandbox->ledger, record);
	if (result < 0)
		*issued = NULL;
	return result;
}

void certificates_create(struct sandbox *sandbox, const struct request *request,
			 struct reply *reply)
{
	CLEANUP(cJSON_Deletep) cJSON *body = request_object(request, reply);
	CLEANUP(issued_freep) struct issued *issued = memory_alloc(1, sizeof(*issued));
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(string_list_free) struct string_list asked = {0};
	if (!body || hostnames_read(body, &asked, reply) < 0 ||
	    key_read(body, issued, &key, reply) < 0)
		return;
	if (validity_read(body, &issued->requested_days) < 0) {
		reply_error(reply, 400, 1009,
			    "requested_validity must be 7, 30, 90, 365, 730, 1095 or 5475");
		return;
	}
	size_t duplicates = hostnames_unique(&asked, &issued->hostnames);
	if (hostnames_allow(sandbox, request, issued, reply) < 0)
		return;

	int result = certificate_issue(sandbox, request, &issued, key);
	if (result == -EIO) {
		reply_error(reply, 400, 1201, "Failed to sign certificate");
		return;
	}
	if (result < 0) {
		reply_error(reply, 400, 1100, "Failed to write certificate to Database");
		return;
	}
	reply_result(reply, certificate_json(request, issued, DATE_GO, true));
	if (duplicates > 0)
		reply_message(reply, 1006, "Duplicate hostnames were removed");
	issued = NULL; /* the ledger's */
}

void certificates_list(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	int64_t page = 1;
	int64_t per_page = PER_PAGE_DEFAULT;
	const char *zone_id = request_query(request, "zone_id");
	if (!zone_id || !*zone_id) {
		reply_error(reply, 400, 1012, "The zone_id parameter is missing");
		return;
	}
	const struct zone *zone = zones_by_id(&sandbox->zones, zone_id);
	if (!zone || !token_may(request->token, PERMISSION_SSL_READ, zone->name)) {
		reply_error(reply, 403, 10000, "Authentication error");
		return;
	}
	if (request_query_number(request, "page", 1, PAGE_MOST, &page) < 0 ||
	    request_query_number(request, "per_page", PER_PAGE_LEAST, PER_PAGE_MOST, &per_page) <
		    0) {
		reply_error(reply, 400, 1003, "page must be from 1, per_page from %d to %d",
			    PER_PAGE_LEAST, PER_PAGE_MOST);
		return;
	}
	struct issued *found[PER_PAGE_MOST];
	size_t total = 0;
	bool ignore = request->fault.kind == FAULT_IGNORE_PAGE;
	size_t count = ledger_page(sandbox->ledger, zone_id, ignore ? 0 : (size_t)page - 1,
				   (size_t)per_page, found, &total);
	cJSON *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_append(list, certificate_json(request, found[i], DATE_GO, false));
	reply_page(reply, list, page, per_page, count, total);
}

/* The certificate that parameter 0 names, if the token can reach a zone of it; else the reply. */
static struct issued *certificate_find(struct sandbox *sandbox, const struct request *request,
				       unsigned permission, struct reply *reply)
{
	const char *id = request->parameters[0];
	if (!*id) {
		reply_error(reply, 400, 1013, "The certificate's serial number is missing");
		return NULL;
	}
	struct issued *issued = ledger_find(sandbox->ledger, id);
	bool reach = false;
	bool allowed = false;
	for (size_t i = 0; issued && i < issued->zone_ids.count; i++) {
		const struct zone *zone = zones_by_id(&sandbox->zones, issued->zone_ids.items[i]);
		reach = reach ||
			(zone && token_may(request->token, PERMISSION_SSL_READ, zone->name));
		allowed = allowed || (zone && token_may(request->token, permission, zone->name));
	}
	if (!reach)
		reply_error(reply, 400, 1101, "Failed to read certificate from Database");
	else if (!allowed)
		reply_error(reply, 400, 1016, "User is not authorized to perform this action");
	return allowed ? issued : NULL;
}

void certificates_get(struct sandbox *sandbox, const struct request *request, struct reply *reply)
{
	const struct issued *issued =
		certificate_find(sandbox, request, PERMISSION_SSL_READ, reply);
	if (issued)
		reply_result(reply, certificate_json(request, issued, DATE_RFC3339, false));
}

void certificates_revoke(struct sandbox *sandbox, const struct request *request,
			 struct reply *reply)
{
	struct issued *issued = certificate_find(sandbox, request, PERMISSION_SSL_EDIT, reply);
	if (!issued)
		return;
	int result = ledger_revoke(sandbox->ledger, issued, request->now);
	if (result == -EALREADY) {
		reply_error(reply, 400, 1014, "The certificate is already revoked");
		return;
	}
	if (result < 0) {
		reply_error(reply, 400, 1100, "Failed to write certificate to Database");
		return;
	}
	cJSON *object = json_object();
	json_add_string(object, "id", issued->id);
	add_revoked_at(object, issued);
	reply_result(reply, object);
}
