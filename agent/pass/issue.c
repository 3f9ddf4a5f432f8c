#include "pass/issue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "cloudflare/origin_ca.h"
#include "pass/commit.h"
#include "pass/deploy.h"
#include "pass/job.h"
#include "pass/plan.h"
#include "pass/schedule.h"

enum {
	PLACEHOLDER_AFTER_MS = 1000, /* an API that answers at once needs none */
	UNANSWERED_LIMIT = 8,	     /* certificates in a row; then the others are not even tried */
	LOST_TRIES = 3,		     /* of one POST whose outcome stayed unknown, within a pass */
	LOST_WAIT_MS = 2000,	     /* at most, before the list is read: it may lag */
	LOOK_AGAIN_MS = 1000,	     /* between looks for what may still be at work */
};

/* One certificate on its way from nothing to a generation. */
struct attempt {
	struct pass *pass;
	struct pass_job *job;
	struct pass_account *account;
	struct client *client; /* the account's */
	int directory;
	EVP_PKEY *key;
	char *csr;
	bool reused;	/* an earlier request with this key may have been answered */
	bool unseen;	/* a request of this pass may have been carried out */
	char *pem, *id; /* the answer */
	bool adopted;
};

static struct pass_account *account_of(struct pass *pass, const struct config_api *api)
{
	for (size_t i = 0; i < pass->config->api_count; i++)
		if (pass->accounts[i].api == api)
			return &pass->accounts[i];
	return NULL;
}

/* Made before the threads start; then only read. */
static void account_open(struct pass *pass, struct pass_account *account)
{
	if (account->tried)
		return;
	account->tried = true;
	client_new(account->api, pass->deadline_ms, &account->client, &account->error);
}

/*
 * A thousand certificates must not each find out for themselves, at four tries each, that the API
 * is down: after some in a row the others fail at once with the same words.
 */
static int account_usable(struct pass_account *account, struct error *error)
{
	if (!account)
		return error_set(error, ERROR_BUG, -ENOENT, "no account for the certificate");
	pthread_mutex_lock(&account->lock);
	if (!account->client || account->unanswered >= UNANSWERED_LIMIT)
		*error = account->error;
	pthread_mutex_unlock(&account->lock);
	return error->code;
}

static void account_heard(struct pass_account *account, int result, const struct error *error)
{
	pthread_mutex_lock(&account->lock);
	if (result < 0 && error->class == ERROR_TRANSIENT) {
		account->unanswered++;
		account->error = *error;
		account->error.outcome_unknown = false;
	} else {
		account->unanswered = 0;
	}
	pthread_mutex_unlock(&account->lock);
}

/* 1: the answer of an earlier request was found; 0: there is none. */
static int adopt(struct attempt *attempt, struct error *error)
{
	int result = issue_find_lost(attempt->client, attempt->job, attempt->key, &attempt->pem,
				     &attempt->id, error);
	attempt->adopted = result > 0;
	return result;
}

/*
 * As adopt(), for the request of an earlier pass. One that was killed may have asked a moment ago,
 * and the API may still be at work on it: before the time is over that an answer is given, a list
 * without the certificate proves nothing.
 */
static int adopt_earlier(struct attempt *attempt, struct error *error)
{
	const struct config_certificate *certificate = attempt->job->certificate;
	int64_t asked_at = pending_asked_at(attempt->directory);
	for (bool told = false;; told = true) {
		int found = adopt(attempt, error);
		int64_t age = clock_now() - asked_at;
		if (found != 0 || age < 0 || age >= certificate->api->timeout ||
		    clock_monotonic_ms() >= attempt->pass->deadline_ms)
			return found;
		if (!told)
			log_notice("%s: an earlier pass asked %lld s ago and did not live to hear "
				   "the answer; looking for it",
				   certificate->name, (long long)age);
		clock_sleep_ms(LOOK_AGAIN_MS);
	}
}

static int create(struct attempt *attempt, struct error *error)
{
	const struct config_certificate *certificate = attempt->job->certificate;
	struct origin_request request = {
		.csr_pem = attempt->csr,
		.hostnames = &certificate->hostnames,
		.key_type = certificate->key_type,
		.validity_days = certificate->validity_days,
	};
	struct origin_certificate answer = {0};
	pending_asked_set(attempt->directory, clock_now());
	int result = origin_ca_create(attempt->client, &request, &answer, error);
	if (result == 0) {
		attempt->pem = TAKE_PTR(answer.pem);
		attempt->id = TAKE_PTR(answer.id);
	} else {
		pending_asked_set(attempt->directory, 0); /* we lived to hear how it ended */
	}
	origin_certificate_free(&answer);
	return result;
}

/* No more than the budget allows, whatever asks for more. */
static int budget_check(const struct pass *pass, const struct pass_job *job, struct error *error)
{
	const char *name = job->certificate->name;
	int64_t allowed = schedule_budget(&job->state, pass->now);
	if (!allowed)
		return 0;

	char text[CLOCK_TEXT_SIZE];
	error_set(error, ERROR_BUG, -EDQUOT,
		  "%d certificates were issued for %s within a day; no more until %s",
		  SCHEDULE_BUDGET, name, clock_format(allowed, text));
	error->retry_after = allowed - pass->now;
	return error_remedy(error, "see its history in `origin-ca-agent status %s --json`", name);
}

/* A request that nobody can say the fate of is given up: it counts as a certificate. */
static int give_up(struct attempt *attempt, const struct error *reason, struct error *error)
{
	struct pass_job *job = attempt->job;
	log_warning("%s: %s; asking anew all the same, because %s", job->certificate->name,
		    reason->message,
		    job->state.newest ? "the certificate is about to expire"
				      : "there is no certificate yet");
	pthread_mutex_lock(&job->lock);
	if (attempt->unseen)
		state_issue_add(&job->state, attempt->pass->now);
	attempt->unseen = false;
	int result = budget_check(attempt->pass, job, error);
	pthread_mutex_unlock(&job->lock);
	return result;
}

/*
 * Asks, and never twice for one need: before a request is repeated with a key that was sent
 * before, the zone's list says whether the first one was carried out.
 */
static int ask(struct attempt *attempt, struct error *error)
{
	bool look = attempt->reused;

	for (int try = 1;; try++) {
		if (look) {
			struct error lost = *error;
			int found =
				try == 1 ? adopt_earlier(attempt, error) : adopt(attempt, error);
			if (found > 0)
				return 0;
			/* A site about to go dark is worse than a second certificate; but what is
			 * wrong here or passes by itself must not cost one. */
			if (found < 0 &&
			    !(job_emergency(attempt->pass, attempt->job) &&
			      error->class != ERROR_TRANSIENT && error->class != ERROR_LOCAL))
				return found;
			struct error reason = *error;
			error_clear(error);
			if (found < 0 && give_up(attempt, &reason, error) < 0)
				return error->code;
			/* Nobody hung up: it may still be at work, and a later pass looks again. */
			if (found == 0 && lost.code == -ETIMEDOUT) {
				*error = lost;
				return error->code;
			}
			attempt->unseen = false;
		}
		error_clear(error);
		int result = create(attempt, error);
		attempt->unseen = error->outcome_unknown;
		if (result == 0)
			return 0;
		if (!attempt->unseen) {
			/* Refused for certain: no certificate has this key, and none is to be
			 * looked for the next time. */
			pending_discard(attempt->directory, attempt->job->where, NULL);
			return result;
		}

		/* It counts as issued until the list says otherwise. */
		if (try == LOST_TRIES || clock_monotonic_ms() >= attempt->pass->deadline_ms)
			return result;
		log_notice("%s: %s; looking whether the certificate was issued",
			   attempt->job->certificate->name, error->message);
		clock_sleep_ms((int64_t)random_below(LOST_WAIT_MS >> (LOST_TRIES - try)));
		look = true;
	}
}

/* Holds the answer against the request and makes a generation of it. */
static int keep(struct attempt *attempt, struct error *error)
{
	struct pass *pass = attempt->pass;
	struct pass_job *job = attempt->job;
	const struct config_certificate *certificate = job->certificate;
	CLEANUP(X509_freep) X509 *leaf = NULL;
	struct leaf_request request = {
		.key = attempt->key,
		.hostnames = &certificate->hostnames,
		.validity_days = certificate->validity_days,
		.now = clock_now(),
		.roots = &pass->roots,
	};

	int result = leaf_read_pem(attempt->pem, strlen(attempt->pem), &leaf, error);
	if (result == 0)
		result = leaf_check(leaf, &request, &job->notices, error);
	if (result < 0) {
		/* The same key would only find the same wrong leaf again; but with a clock that is
		 * wrong, it is not the leaf that is. */
		int64_t offset = 0;
		bool clock_wrong = result == -ETIME &&
				   client_clock_offset(attempt->client, &offset) &&
				   llabs(offset) > CLOCK_HOUR;
		if (!clock_wrong)
			pending_discard(attempt->directory, job->where, NULL);
		return error_prefix(error,
				    "the certificate %s that the API gave is not what was asked",
				    attempt->id ? attempt->id : "(without id)");
	}

	struct generation_meta meta = {
		.created = request.now,
		.validity_days = certificate->validity_days,
		.adopted = attempt->adopted,
		.number = commit_number_named(pass, job) + 1,
	};
	/* Not in the initializer: cppcheck cannot read a statement expression there. */
	meta.id = TAKE_PTR(attempt->id);
	const struct generation_files files = {.access = certificate->access};
	struct buffer pem = BUFFER(FILE_LIMIT);
	unsigned number = 0;
	result = leaf_facts_read(leaf, &meta.facts, error);
	if (result == 0)
		result = leaf_write_pem(leaf, &pem, error);
	if (result == 0)
		result = generation_commit(attempt->directory, job->where, buffer_text(&pem), &meta,
					   &files, &number, error);
	if (result == 0) {
		meta.number = number;
		job_take_generation(job, attempt->directory, number, &meta, request.now);
		job->state.renew_at =
			schedule_renewal(pass->config, certificate, &meta.facts).moment;
		job->issued = true;
		job->adopted = attempt->adopted;
	}
	buffer_free(&pem);
	generation_meta_free(&meta);
	return result;
}

static int issue_with(struct attempt *attempt, struct error *error)
{
	struct pass *pass = attempt->pass;
	struct pass_job *job = attempt->job;
	const struct config_certificate *certificate = job->certificate;

	const struct pending_request request = {
		.key_type = certificate->key_type,
		.hostnames = &certificate->hostnames,
		.access = &certificate->access,
	};

	/* The token and then the disk, before anything is asked. */
	attempt->account = account_of(pass, certificate->api);
	int result = budget_check(pass, job, error);
	if (result == 0)
		result = account_usable(attempt->account, error);
	if (result == 0) {
		attempt->client = attempt->account->client;
		result = store_certificate_open(&pass->store, certificate->name, true,
						&attempt->directory, error);
	}
	if (result == 0)
		result = pending_prepare(attempt->directory, job->where, &request, &attempt->key,
					 &attempt->csr, &attempt->reused, error);
	if (result == 0) {
		/* The one long wait: meanwhile the job may get its placeholder. */
		pthread_mutex_unlock(&job->lock);
		result = ask(attempt, error);
		pthread_mutex_lock(&job->lock);
		account_heard(attempt->account, result, error);
	}
	/* What may exist at the API counts, whether the answer came or not. */
	if ((result == 0 && !attempt->adopted) || attempt->unseen)
		state_issue_add(&job->state, pass->now);
	return result < 0 ? result : keep(attempt, error);
}

static void record_failure(struct pass *pass, struct pass_job *job, const struct error *error)
{
	CLEANUP(freep) char *fingerprint = plan_fingerprint(job);
	int64_t now = clock_now();
	int64_t next =
		schedule_retry(error, job->state.issue.count + 1, job_emergency(pass, job), now);
	state_attempt_fail(&job->state.issue, error, now, next, fingerprint);
	state_event_add(&job->state, pass->now, "failed", "%s", error->message);
	job->error = *error;
	job->dirty = true;
}

static void issue_one(struct pass *pass, struct pass_job *job)
{
	struct attempt attempt = {.pass = pass, .job = job, .directory = -1};
	struct error error = {0};

	pthread_mutex_lock(&job->lock);
	int result = issue_with(&attempt, &error);
	if (result < 0) {
		record_failure(pass, job, &error);
		deploy_placeholder(pass, job);
	} else {
		job->reissue = 0;
		error_clear(&job->error);
		state_attempt_clear(&job->state.issue);
		state_event_add(&job->state, pass->now, job->adopted ? "adopted" : "issued",
				"generation %u, serial %s", job->state.newest,
				job->state.facts.serial);
	}
	/* Budget, backoff and number must outlive a pass that is killed after this. */
	job_save(pass, job);
	pthread_mutex_unlock(&job->lock);
	EVP_PKEY_free(attempt.key);
	secret_free(attempt.csr);
	free(attempt.pem);
	free(attempt.id);
	closep(&attempt.directory);
}

/* The pool: threads take the next job until there is none. */
struct pool {
	struct pass *pass;
	struct pass_job **jobs;
	size_t count;
	atomic_size_t next, done;
	pthread_mutex_t lock; /* of `over` */
	pthread_cond_t ended;
	bool over;
};

static void *work(void *context)
{
	struct pool *pool = context;
	for (;;) {
		size_t index = atomic_fetch_add(&pool->next, 1);
		if (index >= pool->count)
			return NULL;
		issue_one(pool->pass, pool->jobs[index]);
		log_progress("issuing: %zu of %zu", atomic_fetch_add(&pool->done, 1) + 1,
			     pool->count);
	}
}

/*
 * A server whose configuration already includes a snippet must be able to start while the API is
 * slow or hangs: what has no certificate a moment after the start gets its placeholder.
 */
static void *placeholders(void *context)
{
	struct pool *pool = context;
	struct timespec moment;
	clock_gettime(CLOCK_REALTIME, &moment);
	moment.tv_sec += PLACEHOLDER_AFTER_MS / 1000;

	pthread_mutex_lock(&pool->lock);
	int result = 0;
	while (!pool->over && result != ETIMEDOUT)
		result = pthread_cond_timedwait(&pool->ended, &pool->lock, &moment);
	bool over = pool->over;
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; !over && i < pool->count; i++) {
		struct pass_job *job = pool->jobs[i];
		pthread_mutex_lock(&job->lock);
		deploy_placeholder(pool->pass, job);
		pthread_mutex_unlock(&job->lock);
	}
	return NULL;
}

static void run_pool(struct pool *pool, size_t threads)
{
	pthread_t started[64];
	pthread_t watcher;
	size_t count = 0;

	if (threads > ARRAY_SIZE(started))
		threads = ARRAY_SIZE(started);
	if (threads > pool->count)
		threads = pool->count;
	bool watched = pthread_create(&watcher, NULL, placeholders, pool) == 0;
	for (size_t i = 0; !watched && i < pool->count; i++)
		deploy_placeholder(pool->pass, pool->jobs[i]);
	/* This thread is one of them: a host that refuses new threads still issues. */
	while (count + 1 < threads && pthread_create(&started[count], NULL, work, pool) == 0)
		count++;
	work(pool);
	for (size_t i = 0; i < count; i++)
		pthread_join(started[i], NULL);
	pthread_mutex_lock(&pool->lock);
	pool->over = true;
	pthread_cond_signal(&pool->ended);
	pthread_mutex_unlock(&pool->lock);
	if (watched)
		pthread_join(watcher, NULL);
}

void issue_all(struct pass *pass)
{
	struct pool pool = {
		.pass = pass,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.ended = PTHREAD_COND_INITIALIZER,
	};
	pool.jobs = memory_alloc(pass->job_count, sizeof(struct pass_job *));
	for (size_t i = 0; i < pass->job_count; i++)
		if (pass->jobs[i].reissue && !pass->jobs[i].waiting) {
			struct pass_account *account =
				account_of(pass, pass->jobs[i].certificate->api);
			if (account)
				account_open(pass, account);
			pool.jobs[pool.count++] = &pass->jobs[i];
		}
	if (pool.count)
		run_pool(&pool, pass->config->agent.concurrency);
	log_progress("%s", "");
	free(pool.jobs);
}
