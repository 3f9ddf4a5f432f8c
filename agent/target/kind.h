/*
 * kind.h - what differs between the kinds of servers: one row each, so that nothing else asks which
 * kind a target is.
 */
#ifndef ORIGIN_CA_TARGET_KIND_H
#define ORIGIN_CA_TARGET_KIND_H

#include "config/model.h"
#include "target/remote.h"
#include "target/template.h"

struct target_kind {
	const char *suffix;	  /* of a snippet's file: "conf", "xml" */
	const char *const *units; /* candidates, the first that is loaded is it */
	size_t unit_count;	  /* 0: `unit` must be configured */
	/* How an administrator names a snippet in this server's configuration, with one %s for its
	 * path, to follow "put ": "`include %s;` in the server block of that name". For remedies.
	 */
	const char *include;
	/* Where its configuration usually lies, ended by NULL; NULL: that is not known. */
	const char *const *configuration;
	/* What shows why it refused a reload, where its unit keeps that from the journal. */
	const char *ask_why;
	/* Where it says what it died of, when it does not tell systemd. */
	const char *const *logs;
	size_t log_count;
	enum template_escape escape;
	bool keystore; /* a keystore at a stable path beside the snippet (keystore.h) */
	/* A snippet that changed is read at the next start only: a reload of certificates
	 * (RELOAD_SSL) does not take it up. */
	bool read_at_start;
	/* It tests all that it reads before it takes up any of it: a reload with a key that does
	 * not belong to its certificate fails, and it goes on with what it had. */
	bool endures;
	/* It goes after all that are not, each certificate by itself, and neither waits for others
	 * nor lets them wait (pass/deploy.h). */
	bool alone;
	/* It may take long to show what it was given, and is then looked at again by the schedule
	 * (pass/awaited.h); who hangs for one certificate of it hangs for all. */
	bool slow;
	/* What is done at a target that is no service of this host (remote.h); NULL: it is one. */
	const struct remote_operations *remote;
	/* Remedy when it shows another leaf though the platform has the right one; NULL: what it
	 * includes (`include`) is wrong. */
	const char *elsewhere;
};

const struct target_kind *target_kind(enum target_type type);

/*
 * How long one look by handshakes for so many hostnames may take, ms: `probe_timeout`, but of a
 * remote target a few seconds at most. There it is the time that the platform has to show what it
 * was given, which may be an hour, and nothing may wait for one that does not answer.
 */
int64_t target_look_ms(const struct config_target *target, size_t hostnames);

/* True where what was there before the first certificate can be put back (go_back of remote.h). */
bool target_keeps_before(enum target_type type);

/* True for a unit that is a candidate of some kind: what is packaged (polkit rule, test) lists it.
 */
bool target_unit_is_packaged(const char *unit);

/* kind->include with `path` in it; free it. */
char *target_include(enum target_type type, const char *path);

#endif
