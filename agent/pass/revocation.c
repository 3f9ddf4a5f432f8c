#include "pass/revocation.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cloudflare/origin_ca.h"
#include "pass/attempt.h"
#include "pass/issue.h"
#include "pki/serial.h"

enum {
	REQUESTS_LIMIT = 200, /* of a pass and account; the others are asked in the next one */
	LISTED_FROM = 4,      /* certificates of a zone for which it is listed */
	LISTED_EACH = 50,     /* entries of a list that one request is worth */
};

/* The certificates of one account that are to be asked about. */
struct round {
	struct pass *pass;
	struct pass_account *account;
	struct pass_job **jobs;
	size_t count;
	unsigned requests;
	bool over; /* the account cannot be asked any more */
};

static bool is_due(const struct pass *pass, const struct pass_job *job)
{
	const struct state *state = &job->state;
	int64_t age = pass->now - state->revocation_at;
	return !job->settled && state->newest && state->id && !job->error.code &&
	       !(job->reissue & ~(unsigned)REISSUE_EXPIRING) &&
	       (age >= CLOCK_DAY || age < 0); /* a clock that was set back */
}

static void answered(struct pass *pass, struct pass_job *job, int64_t revoked_at)
{
	struct state *state = &job->state;
	state->revocation_at = pass->now;
	job->dirty = true;
	if (!revoked_at)
		return;
	char text[CLOCK_TEXT_SIZE];
	free(state->revoked_serial);
	state->revoked_serial = string_copy(state->facts.serial);
	state_revoked_add(state, state->facts.serial);
	job->reissue |= REISSUE_REVOKED;
	job->waiting = false;
	state_event_add(state, pass->now, "revoked",
			"generation %u (serial %s) was revoked at Cloudflare at %s; another one is "
			"issued",
			state->newest, state->facts.serial, clock_format(revoked_at, text))
		->generation = state->newest;
}

/* One that is not there, or may not be read, is looked for again in a day. */
static void ask_one(struct round *round, struct pass_job *job)
{
	struct origin_certificate certificate = {0};
	struct error error = {0};
	if (round->over || round->requests >= REQUESTS_LIMIT)
		return;
	round->requests++;
	int result = origin_ca_get(round->account->client, job->state.id, &certificate, &error);
	if (result == 0) {
		answered(round->pass, job, certificate.revoked_at);
	} else if (error.class == ERROR_TRANSIENT) {
		round->over = true; /* it is down: the others would wait for the same */
	} else {
		log_debug("%s: cannot ask whether it is revoked: %s", job->certificate->name,
			  error.message);
		answered(round->pass, job, 0);
	}
	origin_certificate_free(&certificate);
}

/* A listing that answers for many at once. */
struct look {
	struct round *round;
	struct pass_job **jobs; /* NULL: answered */
	size_t count, left;
	size_t entries, most;
};

static int visit(const struct origin_certificate *certificate, void *context, struct error *error)
{
	struct look *look = context;
	char serial[SERIAL_TEXT_SIZE];
	(void)error;
	if (serial_read(certificate->id, serial))
		for (size_t i = 0; i < look->count; i++)
			if (look->jobs[i] &&
			    strcmp(look->jobs[i]->state.facts.serial, serial) == 0) {
				answered(look->round->pass, look->jobs[i], certificate->revoked_at);
				look->jobs[i] = NULL;
				look->left--;
			}
	return look->left == 0 || ++look->entries >= look->most;
}

/* The jobs whose first name lies in `zone`; those are taken out of the round. */
static void list_zone(struct round *round, const struct zone *zone)
{
	struct look look = {.round = round};
	look.jobs = memory_alloc(round->count, sizeof(struct pass_job *));
	for (size_t i = 0; i < round->count; i++)
		if (round->jobs[i] &&
		    zone_holds(zone->name, round->jobs[i]->certificate->hostnames.items[0])) {
			look.jobs[look.count++] = round->jobs[i];
			round->jobs[i] = NULL;
		}
	look.left = look.count;
	look.most = look.count * LISTED_EACH;
	if (look.count >= LISTED_FROM && !round->over) {
		struct error error = {0};
		if (origin_ca_list(round->account->client, zone->id, visit, &look, &error) < 0)
			round->over = error.class == ERROR_TRANSIENT;
		round->requests += (unsigned)(look.entries / LISTED_EACH) + 1;
	}
	for (size_t i = 0; i < look.count; i++)
		if (look.jobs[i])
			ask_one(round, look.jobs[i]);
	free(look.jobs);
}

static void ask_account(struct round *round)
{
	for (size_t i = 0; i < round->count; i++) {
		struct pass_job *job = round->jobs[i];
		const struct zone *zone = NULL;
		if (!job)
			continue;
		/* Few are not worth finding their zones. */
		if (round->count >= LISTED_FROM && !round->over &&
		    zone_cache_find_or(&round->account->zones, round->account->client,
				       job->certificate->hostnames.items[0],
				       job->certificate->zone_id, &zone, NULL) == 0 &&
		    zone_holds(zone->name, job->certificate->hostnames.items[0]))
			list_zone(round, zone);
		else
			ask_one(round, job);
	}
}

void revocation_check(struct pass *pass)
{
	if (!pass->options.full || pass->options.dry_run)
		return;
	for (size_t i = 0; i < pass->config->api_count; i++) {
		struct round round = {.pass = pass, .account = &pass->accounts[i]};
		round.jobs = memory_alloc(pass->job_count, sizeof(struct pass_job *));
		for (size_t j = 0; j < pass->job_count; j++)
			if (pass->jobs[j].certificate->api == round.account->api &&
			    is_due(pass, &pass->jobs[j]))
				round.jobs[round.count++] = &pass->jobs[j];
		if (round.count && issue_account_ready(pass, round.account))
			ask_account(&round);
		free(round.jobs);
	}
}
