/*
 * serving.h - which servers of this host show a certificate now: handshakes, for commands that are
 * about to take it away.
 */
#ifndef ORIGIN_CA_PASS_SERVING_H
#define ORIGIN_CA_PASS_SERVING_H

#include "config/model.h"
#include "pki/key.h"
#include "pki/serial.h"

enum serving_answer {
	SERVING_NOT,	  /* it shows other certificates, or nobody listens there */
	SERVING_SHOWN,	  /* it shows this one */
	SERVING_UNKNOWN,  /* it could not be asked: see error */
	SERVING_UNPROBED, /* probe = none */
};

struct serving_target {
	const struct config_target *target;
	enum serving_answer answer;
	const char *hostname; /* for which it was shown; the list's */
	struct error error;
};

struct serving {
	struct serving_target *items; /* as config->targets, and then who else shows it */
	size_t count;
};

/* What is looked for: `id` (either form), at most for these names. */
struct serving_question {
	const char *id;
	const struct string_list *hostnames;
	enum key_type key_type; /* KEY_TYPE_COUNT: not known */
};

/*
 * Asks every target of this host for every name until one shows it. Takes at most the targets'
 * probe_timeout each, and a second for every name; the first that is not answered in time ends it.
 * Where no target is probed at 127.0.0.1:443 or :8443 these are asked as well (a target whose last
 * certificate is configured no longer is not there any more), and are in the result when they show
 * it or could not be asked.
 */
int serving_look(const struct config *config, const struct serving_question *question,
		 struct serving *ret_serving, struct error *error);
void serving_free(struct serving *serving);

/* "shown", "not shown", "unknown", "not probed". */
const char *serving_answer_name(enum serving_answer answer);

#endif
