/*
 * faults.h - misbehaviour on purpose: ordered one by one (--fault, POST /sandbox/faults), or picked
 * at random from a seed (--chaos).
 */
#ifndef ORIGIN_CA_SANDBOX_FAULTS_H
#define ORIGIN_CA_SANDBOX_FAULTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

enum fault_kind {
	FAULT_NONE,
	/* Nothing is done. */
	FAULT_RESET_BEFORE, /* the connection is reset */
	FAULT_HANG,	    /* no answer for `value` seconds, then none at all */
	FAULT_ERROR,	    /* HTTP 400 with error code `value` */
	FAULT_REFUSED_OK,   /* HTTP 200 with success false and error code `value` */
	FAULT_RATE_LIMIT,   /* 429, Retry-After `value` */
	FAULT_HTML,	    /* an HTML page with HTTP status `value` */
	/* It is done, and journalled. */
	FAULT_SLOW_WORK,   /* after `value` seconds, though the client may be gone by then */
	FAULT_LOSE_ANSWER, /* the connection is closed without an answer */
	FAULT_HANG_AFTER,
	FAULT_HTML_AFTER, /* an HTML page with HTTP status `value` */
	FAULT_SLOW_BODY,  /* the body drips for `value` seconds */
	FAULT_CUT_BODY,	  /* the connection ends in the middle of the body */
	FAULT_EMPTY_BODY,
	FAULT_BARE,	  /* `errors` and `messages` are left out */
	FAULT_OTHER_DATE, /* the other form of expires_on */
	/* It is done wrongly; elsewhere than where it applies, nothing happens. */
	FAULT_WRONG_NAMES,
	FAULT_WRONG_VALIDITY, /* 15 years whatever was asked for */
	FAULT_WRONG_KEY,
	FAULT_NOT_SIGNED, /* signed by nobody's key in the root's name */
	FAULT_IGNORE_PAGE,
	FAULT_KIND_COUNT
};

struct fault {
	enum fault_kind kind;
	int64_t value;
};

/* "lose-answer" ... as written in specifications. */
const char *fault_name(enum fault_kind kind);

/* True when the client cannot learn the outcome, or must ask again. */
bool fault_loses(enum fault_kind kind);

struct fault_rule;

struct faults {
	pthread_mutex_t lock;
	struct fault_rule *rules;
	size_t count;
};

void faults_init(struct faults *faults);
void faults_free(struct faults *faults);

/*
 * "METHOD PATH:KIND[=VALUE][:COUNT]". METHOD can be *; PATH is below /client/v4, with * for
 * anything; KIND is a name, an error code (four digits or more), 429, or 500 to 599 (an
 * empty-handed HTML page); COUNT is a number (default 1) or `always`. -EINVAL otherwise.
 */
int faults_add(struct faults *faults, const char *specification, struct error *error);
void faults_clear(struct faults *faults);

/* The first rule that is for this request and not used up; uses it once. */
struct fault faults_take(struct faults *faults, const char *method, const char *path);

/* [{"fault": specification, "remaining": N (-1: always), "used": N}] */
cJSON *faults_json(struct faults *faults);

enum {
	CHAOS_ROUTES = 64,
	CHAOS_LOSING_IN_A_ROW = 3
};

struct chaos {
	pthread_mutex_t lock;
	bool on;
	uint64_t seed;
	unsigned rate; /* percent */
	struct {
		uint64_t count;
		unsigned losing;
	} routes[CHAOS_ROUTES];
};

void chaos_init(struct chaos *chaos, bool on, uint64_t seed, unsigned rate);
void chaos_free(struct chaos *chaos);

/*
 * What happens to the next request of a route: decided by seed, route and how many came before.
 * Never loses more than CHAOS_LOSING_IN_A_ROW in a row. `certificates`: errors of the Origin CA are
 * possible.
 */
struct fault chaos_take(struct chaos *chaos, size_t route, bool certificates);

#endif
