#include "target/aws_budget.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"

#define BUDGET_FILE "acm-imports.json"

enum {
	DAYS = 365,
	BUDGET_LIMIT = 1 << 20, /* bytes of the file */
};

/* Imports in the last 365 days, by the note of this certificate and target. */
static bool own_take(cJSON *note, int64_t now)
{
	cJSON *kept = json_array();
	const cJSON *item;
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(note, "imports"))
		if (cJSON_IsNumber(item) &&
		    item->valuedouble > (double)(now - (int64_t)DAYS * CLOCK_DAY))
			json_append(kept, cJSON_CreateNumber(item->valuedouble));
	bool full = cJSON_GetArraySize(kept) >= AWS_IMPORTS_MOST;
	if (!full)
		json_append(kept, cJSON_CreateNumber((double)now));
	cJSON_DeleteItemFromObjectCaseSensitive(note, "imports");
	cJSON_AddItemToObject(note, "imports", kept);
	return !full;
}

/* {"eu-central-1": {"20420": 3, ...}}: days since 1970. Lost or damaged, it begins anew: the notes
 * of the certificates are there besides. */
static cJSON *days_load(int state, const char *where)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(BUDGET_LIMIT);
	if (file_read_at(state, where, BUDGET_FILE, &text, NULL) < 0)
		return json_object();
	cJSON *json = json_parse(buffer_text(&text), text.length);
	if (cJSON_IsObject(json))
		return json;
	cJSON_Delete(json);
	return json_object();
}

static cJSON *region_of(cJSON *days, const char *region)
{
	cJSON *found = cJSON_GetObjectItemCaseSensitive(days, region);
	if (cJSON_IsObject(found))
		return found;
	cJSON_DeleteItemFromObjectCaseSensitive(days, region);
	return json_add_object(days, region);
}

/* Drops the days that are over; the sum of the others. */
static int64_t region_sum(cJSON *region, int64_t today)
{
	int64_t sum = 0;
	cJSON *next = NULL;
	for (cJSON *day = region->child; day; day = next) {
		next = day->next;
		if (strtoll(day->string, NULL, 10) < today - DAYS || !cJSON_IsNumber(day) ||
		    day->valuedouble < 0)
			cJSON_Delete(cJSON_DetachItemViaPointer(region, day));
		else
			sum += day->valuedouble < AWS_IMPORTS_REGION_MOST
				       ? (int64_t)day->valuedouble
				       : AWS_IMPORTS_REGION_MOST;
	}
	return sum;
}

static int region_take(const struct remote_order *order, int64_t now, struct error *error)
{
	const char *name = order->target->remote.region;
	/* certificates/NAME is in STATE/certificates. */
	CLEANUP(freep) char *where = string_format("%s/../..", order->where);
	CLEANUP(closep)
	int state = openat(order->directory, "../..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (state < 0)
		return error_errno(error, -errno, "cannot open %s", where);
	CLEANUP(cJSON_Deletep) cJSON *days = days_load(state, where);
	cJSON *region = region_of(days, name);
	int64_t today = now / CLOCK_DAY;
	if (region_sum(region, today) >= AWS_IMPORTS_REGION_MOST) {
		error_set(error, ERROR_CONFIGURATION, -EDQUOT,
			  "this host imported %d certificates to %s in 365 days; ACM allows an "
			  "account 5000",
			  AWS_IMPORTS_REGION_MOST, name);
		return error_remedy(error, "look why they change so often (`origin-ca-agent status "
					   "--json`); remove " BUDGET_FILE
					   " from the state directory to go on");
	}
	char day[24];
	snprintf(day, sizeof(day), "%lld", (long long)today);
	int64_t count = json_integer(region, day, 0);
	cJSON_DeleteItemFromObjectCaseSensitive(region, day);
	json_add_integer(region, day, count + 1);
	CLEANUP(freep) char *text = json_print(days, false);
	return file_write_at(state, where, BUDGET_FILE, text, strlen(text), &FILE_ACCESS(0600),
			     FILE_SYNC, error);
}

int aws_budget_take(const struct remote_order *order, cJSON *note, struct error *error)
{
	int64_t now = clock_now();
	if (own_take(note, now))
		return region_take(order, now, error);
	error_set(error, ERROR_CONFIGURATION, -EDQUOT,
		  "certificate %s was imported %d times in 365 days; ACM allows an account 5000",
		  order->certificate->name, AWS_IMPORTS_MOST);
	return error_remedy(error,
			    "look why it changes so often (`origin-ca-agent status --json`); "
			    "remove certificates/%s/remote.%s.json to go on",
			    order->certificate->name, order->target->name);
}
