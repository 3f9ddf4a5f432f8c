#include "ledger.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "journal.h"

struct ledger {
	pthread_mutex_t lock;
	struct issued **all; /* in the order of issuing */
	size_t count, allocated;
	struct issued **table; /* by id, open addressing; `slots` is a power of two */
	size_t slots;
	size_t revoked;
	int issued_fd, revoked_fd;
};

void issued_free(struct issued *issued)
{
	if (!issued)
		return;
	free(issued->id);
	free(issued->pem);
	free(issued->csr);
	string_list_free(&issued->hostnames);
	string_list_free(&issued->zone_ids);
	free(issued->token);
	free(issued->fault);
	free(issued);
}

static uint64_t id_hash(const char *id)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	for (; *id; id++)
		hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
	return hash;
}

/* The slot where `id` is, or would be. */
static struct issued **slot_of(const struct ledger *ledger, const char *id)
{
	size_t at = id_hash(id) & (ledger->slots - 1);
	while (ledger->table[at] && strcmp(ledger->table[at]->id, id) != 0)
		at = (at + 1) & (ledger->slots - 1);
	return &ledger->table[at];
}

static void keep(struct ledger *ledger, struct issued *issued)
{
	if (ledger->count == ledger->allocated) {
		ledger->allocated = ledger->allocated ? 2 * ledger->allocated : 64;
		ledger->all = memory_resize(ledger->all, ledger->allocated, sizeof(void *));
	}
	ledger->all[ledger->count++] = issued;

	if (2 * ledger->count > ledger->slots) {
		free(ledger->table);
		ledger->slots = ledger->slots ? 2 * ledger->slots : 128;
		ledger->table = memory_alloc(ledger->slots, sizeof(void *));
		for (size_t i = 0; i < ledger->count; i++)
			*slot_of(ledger, ledger->all[i]->id) = ledger->all[i];
	} else {
		*slot_of(ledger, issued->id) = issued;
	}
}

static cJSON *issued_line(const struct issued *issued)
{
	cJSON *line = json_object();
	json_add_string(line, "id", issued->id);
	json_add_time(line, "issued_at", issued->issued_at);
	json_add_time(line, "expires_on", issued->expires_on);
	json_add_list(line, "hostnames", &issued->hostnames);
	json_add_list(line, "zone_ids", &issued->zone_ids);
	json_add_string(line, "request_type", algorithm_request_type(issued->algorithm));
	json_add_integer(line, "requested_validity", issued->requested_days);
	json_add_string(line, "token", issued->token);
	json_add_string(line, "fault", issued->fault);
	json_add_string(line, "certificate", issued->pem);
	json_add_string(line, "csr", issued->csr);
	return line;
}

static int issued_read(const cJSON *line, void *context)
{
	struct ledger *ledger = context;
	CLEANUP(issued_freep) struct issued *issued = memory_alloc(1, sizeof(*issued));
	issued->id = string_copy(json_string(line, "id"));
	issued->pem = string_copy(json_string(line, "certificate"));
	issued->csr = string_copy(json_string(line, "csr"));
	issued->token = string_copy(json_string(line, "token"));
	issued->fault = string_copy(json_string(line, "fault"));
	json_string_list(line, "hostnames", &issued->hostnames);
	json_string_list(line, "zone_ids", &issued->zone_ids);
	issued->requested_days = json_integer(line, "requested_validity", 0);
	if (!issued->id || !issued->pem || !issued->csr ||
	    algorithm_parse(json_string(line, "request_type"), &issued->algorithm) < 0 ||
	    clock_parse(json_string(line, "issued_at"), &issued->issued_at) < 0 ||
	    clock_parse(json_string(line, "expires_on"), &issued->expires_on) < 0)
		return -EINVAL;
	if (ledger->slots > 0 && *slot_of(ledger, issued->id))
		return -EEXIST;
	keep(ledger, TAKE_PTR(issued));
	return 0;
}

static int revoked_read(const cJSON *line, void *context)
{
	struct ledger *ledger = context;
	const char *id = json_string(line, "id");
	struct issued *issued = id && ledger->slots > 0 ? *slot_of(ledger, id) : NULL;
	int64_t at = 0;
	if (!issued || issued->revoked_at || clock_parse(json_string(line, "revoked_at"), &at) < 0)
		return -EINVAL;
	issued->revoked_at = at;
	ledger->revoked++;
	return 0;
}

int ledger_open(int directory, const char *where, struct ledger **ret_ledger, struct error *error)
{
	struct ledger *ledger = memory_alloc(1, sizeof(*ledger));
	pthread_mutex_init(&ledger->lock, NULL);
	ledger->issued_fd = -1;
	ledger->revoked_fd = -1;
	int result = journal_open(directory, where, "issued.jsonl", issued_read, ledger,
				  &ledger->issued_fd, error);
	if (result == 0)
		result = journal_open(directory, where, "revoked.jsonl", revoked_read, ledger,
				      &ledger->revoked_fd, error);
	if (result < 0) {
		ledger_free(ledger);
		return result;
	}
	*ret_ledger = ledger;
	return 0;
}

void ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	for (size_t i = 0; i < ledger->count; i++)
		issued_free(ledger->all[i]);
	free(ledger->all);
	free(ledger->table);
	closep(&ledger->issued_fd);
	closep(&ledger->revoked_fd);
	pthread_mutex_destroy(&ledger->lock);
	free(ledger);
}

int ledger_add(struct ledger *ledger, struct issued *issued)
{
	CLEANUP(cJSON_Deletep) cJSON *line = issued_line(issued);
	pthread_mutex_lock(&ledger->lock);
	int result = journal_append(ledger->issued_fd, line);
	if (result == 0)
		keep(ledger, issued);
	pthread_mutex_unlock(&ledger->lock);
	if (result < 0)
		issued_free(issued);
	return result;
}

struct issued *ledger_find(struct ledger *ledger, const char *id)
{
	pthread_mutex_lock(&ledger->lock);
	struct issued *issued = ledger->slots > 0 ? *slot_of(ledger, id) : NULL;
	pthread_mutex_unlock(&ledger->lock);
	return issued;
}

int ledger_revoke(struct ledger *ledger, struct issued *issued, int64_t now)
{
	CLEANUP(cJSON_Deletep) cJSON *line = json_object();
	json_add_string(line, "id", issued->id);
	json_add_time(line, "revoked_at", now);

	pthread_mutex_lock(&ledger->lock);
	int result = issued->revoked_at ? -EALREADY : journal_append(ledger->revoked_fd, line);
	if (result == 0) {
		issued->revoked_at = now;
		ledger->revoked++;
	}
	pthread_mutex_unlock(&ledger->lock);
	return result;
}

size_t ledger_page(struct ledger *ledger, const char *zone_id, size_t page, size_t size,
		   struct issued **page_of, size_t *ret_total)
{
	size_t total = 0;
	size_t found = 0;
	pthread_mutex_lock(&ledger->lock);
	for (size_t i = ledger->count; i-- > 0;) {
		if (!string_list_has(&ledger->all[i]->zone_ids, zone_id))
			continue;
		if (total / size == page)
			page_of[found++] = ledger->all[i];
		total++;
	}
	pthread_mutex_unlock(&ledger->lock);
	*ret_total = total;
	return found;
}

size_t ledger_count(struct ledger *ledger, size_t *ret_revoked)
{
	pthread_mutex_lock(&ledger->lock);
	size_t count = ledger->count;
	*ret_revoked = ledger->revoked;
	pthread_mutex_unlock(&ledger->lock);
	return count;
}
