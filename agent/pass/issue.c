#include "pass/issue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/stop.h"
#include "pass/attempt.h"
#include "pass/deploy.h"

enum {
	PLACEHOLDER_AFTER_MS = 1000, /* an API that answers at once needs none */
};

/* Made before the threads start; then only read. */
static void account_open(struct pass *pass, struct pass_account *account)
{
	if (account->tried)
		return;
	account->tried = true;
	client_new(account->api, pass->deadline_ms, &account->client, &account->error);
}

bool issue_account_ready(struct pass *pass, struct pass_account *account)
{
	if (!account)
		return false;
	account_open(pass, account);
	return account->client != NULL;
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
		if (stop_requested())
			stop_error(&pool->jobs[index]->error, "no certificate is asked for");
		else
			attempt_run(pool->pass, pool->jobs[index]);
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
	/* Not by a clock that somebody may set meanwhile. */
	clock_gettime(CLOCK_MONOTONIC, &moment);
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

void issue_prepare(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		struct pass_account *account = attempt_account(pass, job->certificate->api);
		if (job->reissue && !job->waiting && account)
			account_open(pass, account);
	}
}

bool issue_is_to_ask(const struct pass *pass, const struct pass_job *job)
{
	if (!job->reissue || job->waiting)
		return false;
	for (size_t i = 0; i < pass->config->api_count; i++)
		if (pass->accounts[i].api == job->certificate->api)
			return pass->accounts[i].client != NULL;
	return false;
}

void issue_all(struct pass *pass)
{
	struct pool pool = {
		.pass = pass,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool.ended, &attributes);
	pthread_condattr_destroy(&attributes);
	pool.jobs = memory_alloc(pass->job_count, sizeof(struct pass_job *));
	for (size_t i = 0; i < pass->job_count; i++)
		if (pass->jobs[i].reissue && !pass->jobs[i].waiting)
			pool.jobs[pool.count++] = &pass->jobs[i];
	if (pool.count)
		run_pool(&pool, pass->config->agent.concurrency);
	log_progress("%s", "");
	pthread_cond_destroy(&pool.ended);
	free(pool.jobs);
}
