/* state_events.h - history, alarms and counters of a state (the store's own). */
#ifndef ORIGIN_CA_STORE_STATE_EVENTS_H
#define ORIGIN_CA_STORE_STATE_EVENTS_H

#include "base/json.h"
#include "store/state.h"

void history_event_free(struct state_event *event);
void state_history_free(struct state *state);

/* Room at the end, empty, after the oldest was dropped where there are STATE_HISTORY. */
struct state_event *state_history_grow(struct state *state);

/* What is missing or of another type is left empty. An array that is too long is cut. */
void state_alarms_read(const cJSON *array, struct state *state);
void state_counts_read(const cJSON *object, struct state_counts *counts);

/* As members of `object`; nothing where there is nothing. */
void state_alarms_write(cJSON *object, const struct state *state);
void state_counts_write(cJSON *object, const struct state_counts *counts);

void state_alarms_free(struct state *state);

#endif
