#include "hostnames.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
	NAME_LENGTH = 253, /* RFC 1035, 2.3.4 */
	LABEL_LENGTH = 63
};

static bool has(const struct string_list *list, const char *hostname)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcasecmp(list->items[i], hostname) == 0)
			return true;
	return false;
}

size_t hostnames_unique(const struct string_list *from, struct string_list *to)
{
	size_t removed = 0;
	for (size_t i = 0; i < from->count; i++) {
		if (has(to, from->items[i]))
			removed++;
		else
			string_list_add(to, from->items[i]);
	}
	return removed;
}

void hostnames_lower(const struct string_list *from, struct string_list *to)
{
	for (size_t i = 0; i < from->count; i++) {
		char *name = string_copy(from->items[i]);
		for (char *at = name; *at; at++)
			*at = (char)tolower((unsigned char)*at);
		string_list_take(to, name);
	}
}

void hostnames_shuffle(struct string_list *list, const char *seed)
{
	uint64_t state = UINT64_C(14695981039346656037); /* FNV-1a of the seed, then a simple LCG */
	for (; *seed; seed++)
		state = (state ^ (unsigned char)*seed) * UINT64_C(1099511628211);
	for (size_t i = list->count; i > 1; i--) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		size_t other = (size_t)(state >> 33) % i;
		char *moved = list->items[i - 1];
		list->items[i - 1] = list->items[other];
		list->items[other] = moved;
	}
}

static bool label_valid(const char *label, size_t length)
{
	if (length == 0 || length > LABEL_LENGTH || label[0] == '-' || label[length - 1] == '-')
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char one = (unsigned char)label[i];
		if (one >= 0x80 || (!isalnum(one) && one != '-' && one != '_'))
			return false;
	}
	return true;
}

bool hostname_valid(const char *hostname)
{
	struct in_addr address;
	if (strlen(hostname) > NAME_LENGTH || inet_pton(AF_INET, hostname, &address) == 1)
		return false;
	if (string_starts(hostname, "*."))
		hostname += 2;
	size_t labels = 0;
	for (const char *label = hostname;; labels++) {
		size_t length = strcspn(label, ".");
		if (!label_valid(label, length))
			return false;
		if (!label[length])
			return labels > 0;
		label += length + 1;
	}
}

static int hostname_allow(struct sandbox *sandbox, const struct request *request,
			  const char *hostname, struct issued *issued, struct reply *reply)
{
	struct zones *zones = &sandbox->zones;
	const struct zone *zone =
		hostname_valid(hostname) ? zones_of_hostname(zones, hostname) : NULL;
	if (!zone || !zone_active(zones, zone) ||
	    !token_may(request->token, PERMISSION_SSL_READ, zone->name)) {
		reply_error(reply, 400, 1010,
			    "Failed to validate requested hostname %.256s: This zone is either not "
			    "part of your account, or you do not have access to it",
			    hostname);
		return -ENOENT;
	}
	if (!token_may(request->token, PERMISSION_SSL_EDIT, zone->name)) {
		reply_error(reply, 400, 1016, "User is not authorized to perform this action");
		return -EACCES;
	}
	if (!string_list_has(&issued->zone_ids, zone->id))
		string_list_add(&issued->zone_ids, zone->id);
	return 0;
}

int hostnames_allow(struct sandbox *sandbox, const struct request *request, struct issued *issued,
		    struct reply *reply)
{
	for (size_t i = 0; i < issued->hostnames.count; i++) {
		int result =
			hostname_allow(sandbox, request, issued->hostnames.items[i], issued, reply);
		if (result < 0)
			return result;
	}
	return 0;
}
