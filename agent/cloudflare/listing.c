/* The pages of GET /certificates, from a server that may say anything about them. */
#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "cloudflare/origin_ca.h"
#include "cloudflare/zone.h"

/* Hashes of what was visited; open addressing, never more than half full. */
struct seen {
	uint64_t *slots; /* 0: empty */
	size_t size;	 /* a power of two */
	size_t count;
};

/* FNV-1a, 64 bits: among 100000 certificates two collide once in 10^9 listings. */
static uint64_t hash(const char *text)
{
	uint64_t value = UINT64_C(0xcbf29ce484222325);
	for (; *text; text++)
		value = (value ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	/* FNV's low bits are weak for texts that differ at the end only. */
	value ^= value >> 32;
	return value ? value : 1;
}

static bool slot_fill(uint64_t *slots, size_t size, uint64_t value)
{
	size_t at = value & (size - 1);
	while (slots[at] && slots[at] != value)
		at = (at + 1) & (size - 1);
	bool fresh = slots[at] == 0;
	slots[at] = value;
	return fresh;
}

/* False when it was there. */
static bool seen_add(struct seen *seen, const char *text)
{
	if (seen->count * 2 >= seen->size) {
		size_t size = seen->size ? seen->size * 2 : 256;
		uint64_t *slots = memory_alloc(size, sizeof(*slots));
		for (size_t i = 0; i < seen->size; i++)
			if (seen->slots[i])
				slot_fill(slots, size, seen->slots[i]);
		free(seen->slots);
		seen->slots = slots;
		seen->size = size;
	}
	bool fresh = slot_fill(seen->slots, seen->size, hash(text));
	seen->count += fresh;
	return fresh;
}

static void seen_free(struct seen *seen)
{
	free(seen->slots);
}

struct page {
	size_t entries; /* as the server sent them */
	size_t fresh;	/* that were not on an earlier page */
	int64_t per_page;
	int64_t total_count; /* -1: not said */
	int64_t total_pages;
};

static int entry_visit(const cJSON *entry, struct seen *seen, struct page *page,
		       origin_ca_visit *visit, void *context, struct error *error)
{
	struct origin_certificate certificate = {0};
	page->entries++;
	if (origin_certificate_read(entry, &certificate, NULL) < 0)
		return 0;

	int result = 0;
	if (seen_add(seen, certificate.id ? certificate.id : certificate.pem)) {
		page->fresh++;
		result = visit(&certificate, context, error);
	}
	origin_certificate_free(&certificate);
	return result;
}

static int page_visit(const cJSON *answer, struct seen *seen, struct page *ret_page,
		      origin_ca_visit *visit, void *context, struct error *error)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "result");
	const cJSON *info = cJSON_GetObjectItemCaseSensitive(answer, "result_info");
	struct page page = {
		.per_page = json_integer(info, "per_page", ORIGIN_CA_PAGE),
		.total_count = json_integer(info, "total_count", -1),
		.total_pages = json_integer(info, "total_pages", -1),
	};
	/* An empty list may come as null or not at all, but not as something else. */
	if (list && !cJSON_IsArray(list) && !cJSON_IsNull(list))
		return error_set(error, ERROR_BUG, -EPROTO,
				 "GET /certificates: the answer's result is not a list");

	const cJSON *entry;
	cJSON_ArrayForEach (entry, list) {
		int result = entry_visit(entry, seen, &page, visit, context, error);
		if (result != 0)
			return result;
		if (seen->count > ORIGIN_CA_LIST_LIMIT)
			return error_set(error, ERROR_BUG, -E2BIG,
					 "GET /certificates: more than %d certificates in a zone",
					 ORIGIN_CA_LIST_LIMIT);
	}
	*ret_page = page;
	return 0;
}

/* See origin_ca.h: a doubt costs one more request, a certificate that is missed could cost one. */
static bool is_last(const struct page *page, int64_t number, size_t visited)
{
	if (page->fresh == 0)
		return true;
	int64_t size = page->per_page > 0 && page->per_page < ORIGIN_CA_PAGE ? page->per_page
									     : ORIGIN_CA_PAGE;
	bool is_short = (int64_t)page->entries < size;
	return is_short && page->total_count >= 0 && (int64_t)visited >= page->total_count &&
	       page->total_pages <= number;
}

static int zone_id_check(const char *zone_id, struct error *error)
{
	if (zone_id && strlen(zone_id) == ZONE_ID_SIZE - 1 &&
	    strspn(zone_id, "0123456789abcdefABCDEF") == ZONE_ID_SIZE - 1)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EINVAL, "a zone's id is 32 hexadecimal digits");
	error_remedy(error, "copy `zone_id =` from the zone's overview in the dashboard");
	return -EINVAL;
}

int origin_ca_list(struct client *client, const char *zone_id, origin_ca_visit *visit,
		   void *context, struct error *error)
{
	int result = zone_id_check(zone_id, error);
	if (result < 0)
		return result;

	CLEANUP(seen_free) struct seen seen = {0};
	for (int64_t number = 1; number <= ORIGIN_CA_PAGES_LIMIT; number++) {
		CLEANUP(freep)
		char *path = string_format("/certificates?zone_id=%s&page=%lld&per_page=%d",
					   zone_id, (long long)number, ORIGIN_CA_PAGE);
		CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
		result = client_call(client, "GET", path, NULL, &answer, error);
		if (result < 0)
			return result;

		struct page page = {0};
		result = page_visit(answer, &seen, &page, visit, context, error);
		if (result != 0)
			return result;
		if (is_last(&page, number, seen.count))
			return 0;
	}
	return error_set(error, ERROR_BUG, -E2BIG,
			 "GET /certificates: the list does not end after %d pages",
			 ORIGIN_CA_PAGES_LIMIT);
}
