#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stop.h"
#include "cloudflare/origin_ca.h"
#include "pass/attempt.h"
#include "pass/issue.h"
#include "pass/job.h"
#include "pass/schedule.h"
#include "pass/wall_clock.h"
#include "store/generation.h"

enum {
	UNANSWERED_LIMIT = 8, /* certificates in a row; then the others are not even tried */
	LOST_TRIES = 3,	      /* of one POST whose outcome stayed unknown, within a pass */
	LOST_WAIT_MS = 2000,  /* at most, before the list is read: it may lag */
	LOOK_AGAIN_MS = 1000, /* between looks for what may still be at work */
};

/*
 * A thousand certificates must not each find out for themselves, at four tries each, that the API
 * is down: after some in a row the others fail at once with the same words.
 */
int attempt_account_usable(struct pass_account *account, struct error *error)
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
	int result = issue_find_lost(attempt->client, attempt->job, attempt->directory,
				     attempt->key, &attempt->pem, &attempt->id, error);
	attempt->adopted = result > 0;
	return result;
}

/*
 * As adopt(), for the request of an earlier pass. One that was killed or stopped may have asked a
 * moment ago, and the API may still be at work on it: before the time is over that an answer is
 * given, a list without the certificate proves nothing.
 */
static int adopt_earlier(struct attempt *attempt, struct error *error)
{
	const struct config_certificate *certificate = attempt->job->certificate;
	int64_t asked_at = pending_asked_at(attempt->directory);
	for (bool told = false;; told = true) {
		int found = adopt(attempt, error);
		int64_t age = clock_now() - asked_at;
		if (found != 0 || age < 0 || age >= certificate->api->timeout)
			return found;
		if (stop_requested())
			return stop_error(error, "the answer to an earlier request is not found");
		if (clock_monotonic_ms() >= attempt->pass->deadline_ms)
			return error_set(error, ERROR_TRANSIENT, -ETIMEDOUT,
					 "an earlier pass asked %lld s ago; whether it was "
					 "answered could not be seen in the time of this pass",
					 (long long)age);
		if (!told)
			log_notice("%s: an earlier pass asked %lld s ago and did not hear the "
				   "answer; looking for it",
				   certificate->name, (long long)age);
		clock_sleep_ms(LOOK_AGAIN_MS);
	}
}

/* Nothing new is begun after a stop: then it is never sent. */
static int create(struct attempt *attempt, struct error *error)
{
	if (stop_requested())
		return stop_error(error, "no certificate is asked for");
	const struct config_certificate *certificate = attempt->job->certificate;
	struct origin_request request = {
		.csr_pem = attempt->csr,
		.hostnames = &certificate->hostnames,
		.key_type = attempt->job->material.key_type,
		.validity_days = certificate->validity_days,
	};
	struct origin_certificate answer = {0};
	int64_t asked_before = pending_asked_at(attempt->directory);
	pending_asked_set(attempt->directory, clock_now());
	int result = origin_ca_create(attempt->client, &request, &answer, error);
	if (result == 0) {
		attempt->pem = TAKE_PTR(answer.pem);
		attempt->id = TAKE_PTR(answer.id);
	} else if (!error->outcome_unknown || (error->code != -ETIMEDOUT && !stop_requested())) {
		/* It was never sent, or nobody is at work on it: there was an answer, or the API
		 * hung up, and not we. */
		pending_asked_set(attempt->directory, asked_before);
	}
	origin_certificate_free(&answer);
	return result;
}

/* No more than the budget allows, whatever asks for more. */
int attempt_budget(const struct pass *pass, const struct pass_job *job, struct error *error)
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
	int result = attempt_budget(attempt->pass, job, error);
	pthread_mutex_unlock(&job->lock);
	return result;
}

static int ask_and_look(struct attempt *attempt, struct error *error)
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
			 * looked for the next time. One that was sent before, and not sent again
			 * now, may still turn up. */
			if (!look || error->class != ERROR_TRANSIENT)
				pending_discard(attempt->directory, attempt->job->where, NULL);
			return result;
		}

		/* It counts as issued until the list says otherwise. */
		if (try == LOST_TRIES || clock_monotonic_ms() >= attempt->pass->deadline_ms ||
		    stop_requested())
			return result;
		log_notice("%s: %s; looking whether the certificate was issued",
			   attempt->job->certificate->name, error->message);
		clock_sleep_ms((int64_t)random_below(LOST_WAIT_MS >> (LOST_TRIES - try)));
		look = true;
	}
}

int attempt_ask(struct attempt *attempt, struct error *error)
{
	int result = wall_clock_agrees(attempt->account, error);
	if (result == 0)
		result = ask_and_look(attempt, error);
	else if (!attempt->reused) /* never sent: there is nothing to be looked for */
		pending_discard(attempt->directory, attempt->job->where, NULL);
	account_heard(attempt->account, result, error);
	return result;
}
