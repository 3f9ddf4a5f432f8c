/*
 * group.h - many certificates of one target at once: one reload for all, and who is to blame when
 * it fails.
 */
#ifndef ORIGIN_CA_PASS_GROUP_H
#define ORIGIN_CA_PASS_GROUP_H

#include "pass/pass.h"

struct group_item {
	struct pass_job *job;
	struct pass_target_job *target_job;
};

struct group {
	struct pass *pass;
	size_t index; /* of the target */
	struct group_item *items;
	size_t count;
	bool searched; /* a part of one that failed, while the culprit is being found */
};

/*
 * Puts all snippets in place, reloads once, and looks until each newest leaf is shown. Each item
 * ends verified, or with its error; `refused` when the server had it and did not want it.
 */
void group_deploy(struct group *group);

/* Puts the former snippet of each item back (the errors are already set), and reloads. */
void group_take_back(struct group *group);

#endif
