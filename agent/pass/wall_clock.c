#include "pass/wall_clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config/duration.h"
#include "pass/report.h"

static int tell(struct error *error, int64_t now, int64_t other, const char *whose)
{
	char ours[CLOCK_TEXT_SIZE];
	char theirs[CLOCK_TEXT_SIZE];
	char between[DURATION_TEXT_SIZE];
	error_set(
		error, ERROR_LOCAL, -ETIME,
		"this host's clock is wrong: it says %s, %s %s, which is %s %s; no certificate is "
		"asked for, what is there goes on being deployed and served",
		clock_format(now, ours), whose, clock_format(other, theirs),
		duration_format(llabs(now - other), between), now < other ? "later" : "earlier");
	return error_remedy(error, "set the clock: timedatectl set-ntp true, or chronyc makestep "
				   "where chrony runs; the next pass looks again");
}

int wall_clock_check(int64_t now, int64_t not_before, const char *name, struct error *error)
{
	if (now < clock_build_date)
		return tell(error, now, clock_build_date, "this program was built");
	if (not_before <= now + WALL_CLOCK_TOLERANCE)
		return 0;
	CLEANUP(freep) char *whose = string_format("the certificate %s was issued", name);
	return tell(error, now, not_before, whose);
}

int wall_clock_compare(int64_t now, int64_t offset, const char *label, struct error *error)
{
	if (llabs(offset) <= WALL_CLOCK_TOLERANCE)
		return 0;
	CLEANUP(freep) char *whose = string_format("the clock of %s says", label);
	return tell(error, now, now + offset, whose);
}

void wall_clock_look(struct pass *pass)
{
	struct error *error = &pass->clock.error;
	error_clear(error);
	int result = wall_clock_check(pass->now, 0, NULL, error);
	for (size_t i = 0; result == 0 && i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		if (job->state.newest)
			result = wall_clock_check(pass->now, job->state.facts.not_before,
						  job->certificate->name, error);
	}
}

/* With the lock held. */
static int verdict(const struct pass_account *account, struct error *error)
{
	int64_t offset = 0;
	if (account->clock_error.code) {
		*error = account->clock_error;
		return error->code;
	}
	return client_clock_offset(account->client, &offset)
		       ? wall_clock_compare(clock_now(), offset, client_label(account->client),
					    error)
		       : 0;
}

int wall_clock_agrees(struct pass_account *account, struct error *error)
{
	pthread_mutex_lock(&account->clock_lock);
	/* Who finds that nobody answers finds it for all. */
	if (!account->clock_asked)
		client_clock_ask(account->client, &account->clock_error);
	account->clock_asked = true;
	int result = verdict(account, error);
	pthread_mutex_unlock(&account->clock_lock);
	return result;
}

int wall_clock_heard(struct pass_account *account, struct error *error)
{
	/* While somebody asks, there is nothing to be heard. */
	if (pthread_mutex_trylock(&account->clock_lock) != 0)
		return 0;
	int result = account->clock_asked ? verdict(account, error) : 0;
	pthread_mutex_unlock(&account->clock_lock);
	return result;
}

void wall_clock_learn(struct pass *pass)
{
	struct pass_clock *clock = &pass->clock;
	bool heard = false;
	for (size_t i = 0; i < pass->config->api_count; i++) {
		const struct client *client = pass->accounts[i].client;
		int64_t offset = 0;
		if (!client || !client_clock_offset(client, &offset) ||
		    (heard && llabs(offset) <= llabs(clock->offset)))
			continue;
		heard = true;
		clock->offset = offset;
		clock->heard_at = clock_now();
		snprintf(clock->source, sizeof(clock->source), "%s", client_label(client));
		struct error error = {0};
		if (!clock->error.code &&
		    wall_clock_compare(clock->heard_at, offset, clock->source, &error) < 0)
			clock->error = error;
	}
}

void wall_clock_json(const struct pass *pass, cJSON *parent)
{
	const struct pass_clock *clock = &pass->clock;
	if (!clock->heard_at && !clock->error.code)
		return;
	cJSON *json = json_add_object(parent, "clock");
	if (clock->heard_at) {
		json_add_integer(json, "offset", clock->offset);
		json_add_string(json, "source", clock->source);
		json_add_time(json, "heard_at", clock->heard_at);
	}
	report_error_json(&clock->error, json);
}
