/* verify.h - does the target show the leaf that it should? */
#ifndef ORIGIN_CA_PASS_VERIFY_H
#define ORIGIN_CA_PASS_VERIFY_H

#include "pass/pass.h"
#include "target/probe.h"

enum verify_shown {
	VERIFY_PENDING,	 /* not asked yet */
	VERIFY_NEWEST,	 /* the leaf we want */
	VERIFY_PREVIOUS, /* the leaf that was verified here before */
	VERIFY_OTHER,	 /* somebody else's */
	VERIFY_NOTHING,	 /* no handshake */
};

const char *verify_shown_name(enum verify_shown shown);

/* What a target showed for each hostname of a certificate. */
struct verify {
	const struct pass_job *job;
	const struct config_target *target;
	const char *wanted;	   /* SHA-256 of the newest leaf */
	char previous[65];	   /* of the one before, or "" */
	size_t count;		   /* of hostnames */
	enum verify_shown *shown;  /* per hostname */
	struct probe_result *seen; /* per hostname, where shown tells that there was a leaf */
	struct error error;	   /* of the last handshake that failed */
};

void verify_begin(struct verify *verify, const struct pass *pass, const struct pass_job *job,
		  const struct pass_target_job *target_job);
void verify_end(struct verify *verify);

/* One handshake for each hostname that does not show the newest leaf yet. `deadline_ms` bounds
 * them all. */
void verify_look(struct verify *verify, struct probe *probe, int64_t deadline_ms);

/* Begins, and asks for each hostname once, in the time of one look at the target and a second more
 * for each name. For who does not wait for anything to change. */
void verify_now(struct verify *verify, const struct pass *pass, const struct pass_job *job,
		const struct pass_target_job *target_job, struct probe *probe);

/*
 * True when at least one hostname shows the newest leaf and none the previous one. Other leaves
 * do not count: a certificate may cover names that this server does not serve.
 */
bool verify_holds(const struct verify *verify);

/* Waits until the target answers a handshake for the certificate's first name, whatever leaf it
 * shows; at most for its probe_timeout, and until `deadline_ms`. Else the last handshake's error.
 */
int verify_answers(const struct config_target *target, const struct config_certificate *certificate,
		   int64_t deadline_ms, struct error *error);

/* Why verify_holds() is false, as an error of class deploy with what was seen and the remedy;
 * `file` is the path of the snippet. */
int verify_explain(const struct verify *verify, const char *file, struct error *error);

/*
 * 0 when Cloudflare in Full (strict) would meet the newest leaf for every hostname but wildcards,
 * or no TLS at all. -ESTALE, class deploy, for one that is shown another leaf; -EAGAIN for one that
 * could not be asked.
 */
int verify_strict(const struct verify *verify, struct error *error);

#endif
