#include "pass/reason.h"

#include "base/memory.h"

static const char *const reissue_names[REISSUE_REASONS] = {
	"absent",     "expiring", "hostnames", "key-type", "validity",
	"unreadable", "mismatch", "key",       "forced",   "revoked",
};

static const char *const redeploy_names[REDEPLOY_REASONS] = {
	"new-generation",
	"snippet-missing",
	"snippet-differs",
	"template-changed",
	"permissions",
	"reload-unconfirmed",
	"unverified",
	"other-leaf-served",
	"keystore-differs",
	"formats",
	"chain",
	"keystore-password",
	"format-damaged",
};

static void add_names(unsigned reasons, const char *const *words, size_t count,
		      struct string_list *names)
{
	for (size_t i = 0; i < count; i++)
		if (reasons & 1u << i)
			string_list_add(names, words[i]);
}

void reissue_reason_names(unsigned reasons, struct string_list *names)
{
	add_names(reasons, reissue_names, ARRAY_SIZE(reissue_names), names);
}

void redeploy_reason_names(unsigned reasons, struct string_list *names)
{
	add_names(reasons, redeploy_names, ARRAY_SIZE(redeploy_names), names);
}

static char *join(unsigned reasons, void (*add)(unsigned, struct string_list *))
{
	struct string_list names = {0};
	add(reasons, &names);
	char *text = string_list_join(&names, ", ");
	string_list_free(&names);
	return text;
}

char *reissue_reason_text(unsigned reasons)
{
	return join(reasons, reissue_reason_names);
}

char *redeploy_reason_text(unsigned reasons)
{
	return join(reasons, redeploy_reason_names);
}
