/*
 * stop.h - SIGTERM and SIGINT while something is under way: it is finished or rolled back in a
 * bounded time, and nothing new is begun.
 *
 * From the signal on, what waits has STOP_FORWARD_MS to come to its end, whatever its own deadline.
 * What then has to be taken back asks for STOP_BACK_MS more, once or several times; all together
 * end after STOP_MOST_MS. The supervisor waits longer than that before it kills a pass, and the
 * unit (TimeoutStopSec=) longer than the supervisor.
 */
#ifndef ORIGIN_CA_BASE_STOP_H
#define ORIGIN_CA_BASE_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	STOP_ANSWER_MS = 5 * 1000,   /* for an answer of the API; a lost one is looked up later */
	STOP_FORWARD_MS = 10 * 1000, /* for a reload and the handshakes after it */
	STOP_BACK_MS = 10 * 1000,    /* for the way back */
	STOP_MOST_MS = 30 * 1000,
};

/* From here on the two signals do not end the process. A second SIGINT does. */
void stop_catch(void);

bool stop_requested(void);

/* True when a wait for the API's answer is to be given up. */
bool stop_answer_over(void);

/* A deadline (clock_monotonic_ms()), brought forward when a stop was requested. */
int64_t stop_cut(int64_t deadline_ms);

/* The way back begins: gives it time, unless no stop was requested. */
void stop_turn_back(void);

/* Of a wait until stop_cut(deadline_ms) that has ended: true when a stop has ended it. Also when
 * the deadline itself was made by stop_cut(). To be asked before stop_turn_back(). */
bool stop_cut_off(int64_t deadline_ms);

/* Class transient, -ECANCELED: "WHAT, because the agent is stopping". */
int stop_error(struct error *error, const char *what);

#endif
