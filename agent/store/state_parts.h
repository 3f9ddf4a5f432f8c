/* state_parts.h - reading and writing pieces of state.json (the store's own, like parts.h). */
#ifndef ORIGIN_CA_STORE_STATE_PARTS_H
#define ORIGIN_CA_STORE_STATE_PARTS_H

#include "base/json.h"
#include "store/state.h"

enum {
	STATE_TEXT = 4096, /* bytes of one string that are kept */
};

/* A string member, cut where nothing of ours is that long; NULL when there is none. */
char *state_read_text(const cJSON *object, const char *name);

/* A moment: nothing before 1970. */
int64_t state_read_time(const cJSON *object, const char *name);

void state_read_attempt(const cJSON *parent, const char *name, struct state_attempt *attempt);
void state_write_attempt(cJSON *parent, const char *name, const struct state_attempt *attempt);
void state_attempt_free(struct state_attempt *attempt);

/* Of an array that is too long the end counts: the newest stand there. */
const cJSON *state_last_items(const cJSON *array, size_t most);

/* What concerns revocation, adoption and the zone (state_cloud.c). */
void state_cloud_read(const cJSON *object, struct state *state);
void state_cloud_write(cJSON *object, const struct state *state);
void state_cloud_free(struct state *state);

#endif
