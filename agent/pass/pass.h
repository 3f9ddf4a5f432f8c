/*
 * pass.h - one walk over the certificates: recover, plan, issue, deploy, probe, record.
 *
 * The only room that knows the whole story. `--renew-now` and the agent's child run the very same
 * pass (DESIGN 3). Issuing runs on threads; everything else is straight-line and blocking.
 */
#ifndef ORIGIN_CA_PASS_PASS_H
#define ORIGIN_CA_PASS_PASS_H

#include <pthread.h>

#include "base/event.h"
#include "cloudflare/client.h"
#include "cloudflare/zone_cache.h"
#include "config/model.h"
#include "pass/reason.h"
#include "pki/root.h"
#include "store/state.h"
#include "store/store.h"
#include "target/snippet.h"
#include "target/unit.h"

/* What `adopt` brings: a leaf and its private key, as read from two files. */
struct pass_adoption {
	const char *certificate_path, *key_path;
	X509 *leaf;
	EVP_PKEY *key;
};

struct pass_options {
	const struct string_list *names;      /* only these certificates; NULL or empty: all */
	bool now;			      /* do not wait for splay and backoff */
	bool force;			      /* issue anew though nothing is due; needs names */
	bool dry_run;			      /* plan only: nothing is written, nobody is asked */
	bool full;			      /* look at every file and every served leaf */
	const struct pass_adoption *adoption; /* for the one certificate named; or NULL */
	bool force_adoption;		      /* also in the place of another certificate */
};

/* One target of one certificate in this pass. */
struct pass_target_job {
	const struct config_target *target;
	size_t index;	      /* of the target in the configuration and in struct pass */
	unsigned reasons;     /* enum redeploy_reason */
	bool waiting;	      /* there are reasons, but backoff says later */
	bool deployed;	      /* the snippet was replaced and stands */
	bool verified;	      /* the newest generation is confirmed here */
	struct error error;   /* why it is not */
	unsigned previous;    /* generation of the snippet before this pass touched it */
	struct buffer before; /* its bytes then, while they may be needed to go back */
	bool had_before;
	struct buffer keystore_before; /* the bytes of its keystore, for kinds that have one */
	char *keystore_password;       /* of the keystore beside its snippet, once it was needed */
	bool refused; /* the server had the newest generation and did not want it */
	bool held;    /* it keeps what it had, because another target refused (siblings.h) */
	bool awaited; /* it has its delivery and does not show it yet: no failure (awaited.h) */
	int64_t looked_ms; /* how long the last look went on for it */
};

/* What the administrator brings to a certificate (material.h). */
struct material {
	bool loaded;
	EVP_PKEY *key; /* the own private key, or the public one of the own request; NULL: none */
	char *csr_pem; /* the own request, or NULL */
	bool keyless;  /* the private key is on another host */
	enum key_type key_type; /* what the key is to be of */
	char *password;		/* of keystore.p12, or NULL */
	struct error error;	/* why it cannot be used */
};

/* One certificate in this pass. Its errors and results are what report.h shows. */
struct pass_job {
	const struct config_certificate *certificate;
	char *where; /* STATE/certificates/NAME, for messages */
	struct state state;
	bool settled;	      /* as the last pass left it (settled.h); its state was not read */
	bool returned;	      /* its section was not there in the last pass */
	bool dirty;	      /* state differs from the file */
	bool state_unread;    /* what the file holds is not known: it is not written over */
	unsigned reissue;     /* enum reissue_reason */
	unsigned derive;      /* enum redeploy_reason: the files are made anew of key and leaf */
	bool waiting;	      /* there are reasons, but backoff or budget says later */
	bool issued, adopted; /* in this pass */
	bool imported;	      /* a pair that was on this host was taken over in this pass */
	bool revoked;	      /* superseded certificates were revoked in this pass */
	int64_t due_at;	      /* when something besides renewal is due; 0: nothing */
	struct error notice;  /* what could not be done at Cloudflare besides: serving goes on */
	bool derived;	      /* its files were made anew, in a generation of their own */
	bool recovered;	      /* a pending generation of an earlier pass was finished */
	bool repaired;	      /* owner, group or mode of its files were put right */
	unsigned notices;     /* enum leaf_notice of an issued leaf */
	struct material material;
	char *placeholder_ca; /* whose clients a placeholder takes: nobody's */
	char *coming_ca;      /* path of an authority that is not there yet */
	pthread_mutex_t lock; /* of state and targets, while certificates are being issued */
	struct error error;   /* why issuing failed, or why the certificate cannot be looked at */
	struct pass_target_job *targets;
	size_t target_count;
	size_t first_event, event_count; /* of pass->events */
};

/* One target in this pass, shared by all certificates that name it. */
struct pass_target {
	const struct config_target *target;
	struct snippet_template template;
	int directory; /* of its snippets; -1 while it was not needed or cannot be opened */
	bool loaded;
	bool mute;		  /* nobody answered a probe in this pass */
	bool slow;		  /* a remote one: it did not show what it was given (awaited.h) */
	struct error error;	  /* why the template cannot be used */
	struct error unreachable; /* a remote one: nobody answered a delivery in this pass */
};

/* What is known of this host's clock (wall_clock.h). */
struct pass_clock {
	int64_t offset;	    /* an API's clock minus ours, seconds: the largest that was heard */
	int64_t heard_at;   /* when that was, by our clock, perhaps in an earlier pass; 0: never */
	char source[64];    /* who said so, "[api]" */
	struct error error; /* why no certificate is asked for; code 0 while it is plausible */
};

/* One account of the API. */
struct pass_account {
	const struct config_api *api;
	struct client *client; /* made when first needed */
	pthread_mutex_t lock;  /* of what follows, while certificates are being issued */
	unsigned unanswered;   /* certificates in a row that failed because nobody answered */
	unsigned published;    /* 1 << enum root_kind of those that are kept and good */
	bool tried;	       /* to make the client */
	bool client_ca_sought;
	bool fetched_anew; /* the roots, under anew_lock */
	bool clock_asked;  /* under clock_lock */
	struct error error;
	struct zone_cache zones;
	struct root_list roots;	      /* that are good for it; read only while issuing */
	struct error published_error; /* why others could not be fetched */
	char *client_ca;	      /* path of the authority of Cloudflare's client certificate */
	X509 *client_authority;	      /* itself */
	struct error client_ca_error;
	pthread_mutex_t anew_lock;   /* held while one fetches the roots anew for all */
	struct root_list roots_anew; /* what came of it; only grows from empty, under the lock */
	struct error anew_error;     /* what is published and not pinned */
	pthread_mutex_t clock_lock;  /* held while one asks what time it is for all */
	struct error clock_error;    /* nobody answered */
};

struct pass {
	const struct config *config;
	struct pass_options options;
	struct store store;
	int64_t now;	     /* when the pass began */
	int64_t deadline_ms; /* clock_monotonic_ms() by which it must end */
	uint32_t jitter;     /* of all that is to be tried again */
	struct pass_job *jobs;
	size_t job_count;
	struct pass_target *targets;   /* as config->targets */
	struct pass_account *accounts; /* as config->apis */
	struct unit_bus *bus;	       /* made when first needed */
	bool untested_told;	       /* that no configuration test could be made */
	struct pass_clock clock;
	bool only_tested; /* the last reload failed in the test of the configuration (reload.h) */
	unsigned reloads; /* jobs asked of systemd, for the report and the tests */
	int64_t full_check_at;
	int64_t next_at; /* when something is due next; pass/schedule.h */
	const char *next_name;
	struct event *events; /* what somebody is to be told of; tell.h */
	size_t event_count;
};

enum pass_exit { /* DESIGN 6 */
	PASS_EXIT_CURRENT = 0,
	PASS_EXIT_FAILED = 1,
	PASS_EXIT_USAGE = 2,
	PASS_EXIT_CONFIGURATION = 3,
	PASS_EXIT_LOCKED = 4,
};

/*
 * Runs a pass. 0 when it came to its end, however the certificates fared (see the jobs); a
 * negative errno when it could not begin: -EWOULDBLOCK when another pass holds the lock, -ENOENT
 * with class configuration for a name that is not configured, class local when the state
 * directory cannot be used. The pass is to be freed with pass_free() either way.
 */
int pass_run(const struct config *config, const struct pass_options *options, struct pass *pass,
	     struct error *error);

/* Only looks: opens the store without a lock and plans, as `status` and `--dry-run` do. */
int pass_look(const struct config *config, const struct pass_options *options, struct pass *pass,
	      struct error *error);

void pass_free(struct pass *pass);

/* PASS_EXIT_CURRENT, _FAILED or (problems in the configuration) _CONFIGURATION. */
enum pass_exit pass_exit_status(const struct pass *pass);

/* True when anything was issued, deployed or repaired. */
bool pass_changed(const struct pass *pass);

/* True when the newest generation is whole, in time and verified on all its targets. */
bool pass_job_current(const struct pass *pass, const struct pass_job *job);

#endif
