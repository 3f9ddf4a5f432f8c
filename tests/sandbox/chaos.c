/* chaos.c - faults picked at random, but the same ones for the same seed (declared in faults.h). */
#include <stddef.h>

#include "base/memory.h"
#include "faults.h"

/* What may happen, a weight each; `certificates`: for the Origin CA's own calls only. */
static const struct {
	struct fault fault;
	unsigned weight;
	bool certificates;
} choices[] = {
	{{FAULT_RATE_LIMIT, 1}, 3, false},   {{FAULT_ERROR, 1100}, 4, true},
	{{FAULT_ERROR, 1201}, 2, true},	     {{FAULT_LOSE_ANSWER, 0}, 4, false},
	{{FAULT_RESET_BEFORE, 0}, 2, false}, {{FAULT_HTML, 500}, 2, false},
	{{FAULT_HTML_AFTER, 502}, 2, false}, {{FAULT_SLOW_BODY, 0}, 2, false},
	{{FAULT_CUT_BODY, 0}, 2, false},     {{FAULT_BARE, 0}, 2, false},
	{{FAULT_OTHER_DATE, 0}, 4, false},
};

/* Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators". */
static uint64_t mix(uint64_t value)
{
	value += UINT64_C(0x9e3779b97f4a7c15);
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

void chaos_init(struct chaos *chaos, bool on, uint64_t seed, unsigned rate)
{
	*chaos = (struct chaos){.on = on, .seed = seed, .rate = rate};
	pthread_mutex_init(&chaos->lock, NULL);
}

void chaos_free(struct chaos *chaos)
{
	pthread_mutex_destroy(&chaos->lock);
}

static struct fault choose(uint64_t number, bool certificates)
{
	unsigned total = 0;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		if (certificates || !choices[i].certificates)
			total += choices[i].weight;
	uint64_t left = number % total;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		if (!certificates && choices[i].certificates)
			continue;
		if (left < choices[i].weight)
			return choices[i].fault;
		left -= choices[i].weight;
	}
	return (struct fault){0};
}

struct fault chaos_take(struct chaos *chaos, size_t route, bool certificates)
{
	struct fault fault = {0};
	if (!chaos->on || route >= CHAOS_ROUTES)
		return fault;

	pthread_mutex_lock(&chaos->lock);
	uint64_t number = mix(mix(chaos->seed ^ mix(route)) + chaos->routes[route].count++);
	if (number % 100 < chaos->rate)
		fault = choose(mix(number), certificates);
	if (!fault_loses(fault.kind))
		chaos->routes[route].losing = 0;
	else if (chaos->routes[route].losing++ == CHAOS_LOSING_IN_A_ROW) {
		fault = (struct fault){0};
		chaos->routes[route].losing = 0;
	}
	pthread_mutex_unlock(&chaos->lock);
	return fault;
}
