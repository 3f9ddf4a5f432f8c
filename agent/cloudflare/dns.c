#include "cloudflare/dns.h"

#include "base/memory.h"

enum {
	PER_PAGE = 1000
};

int dns_records_list(struct client *client, const char *zone_id, dns_record_visit *visit,
		     void *context, struct error *error)
{
	for (int page = 1; page <= DNS_RECORDS_LIMIT / PER_PAGE; page++) {
		CLEANUP(freep)
		char *path = string_format("/zones/%.32s/dns_records?page=%d&per_page=%d", zone_id,
					   page, PER_PAGE);
		CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
		int result = client_call(client, "GET", path, NULL, &answer, error);
		if (result < 0) {
			if (error && error->class == ERROR_AUTHORIZATION)
				error_remedy(error, "give the token the permission Zone > DNS > "
						    "Read, or do without");
			return result;
		}
		const cJSON *entry;
		int entries = 0;
		cJSON_ArrayForEach (entry, cJSON_GetObjectItemCaseSensitive(answer, "result")) {
			struct dns_record record = {json_string(entry, "name"),
						    json_string(entry, "type"),
						    json_true(entry, "proxied")};
			entries++;
			result = record.name && record.type ? visit(&record, context) : 0;
			if (result != 0)
				return result;
		}
		if (entries < PER_PAGE)
			return 0;
	}
	return 0;
}
