#include "pass/pass.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stop.h"
#include "pass/adopt.h"
#include "pass/awaited.h"
#include "pass/deploy.h"
#include "pass/derive.h"
#include "pass/issue.h"
#include "pass/job.h"
#include "pass/material.h"
#include "pass/metrics.h"
#include "pass/named.h"
#include "pass/note.h"
#include "pass/owed.h"
#include "pass/plan.h"
#include "pass/revocation.h"
#include "pass/schedule.h"
#include "pass/served.h"
#include "pass/settled.h"
#include "pass/ssl_mode.h"
#include "pass/superseded.h"
#include "pass/tell.h"
#include "pass/trust.h"
#include "pass/wall_clock.h"

enum {
	RETRY_PAUSE = 300 /* seconds, for what has no backoff of its own */
};

static void job_init(struct pass *pass, struct pass_job *job,
		     const struct config_certificate *certificate)
{
	job->certificate = certificate;
	pthread_mutex_init(&job->lock, NULL);
	job->where = string_format("%s/certificates/%s", pass->store.path, certificate->name);
	job->target_count = certificate->target_count;
	job->targets = memory_alloc(job->target_count, sizeof(*job->targets));
	for (size_t i = 0; i < job->target_count; i++) {
		job->targets[i].target = certificate->targets[i];
		for (size_t j = 0; j < pass->config->target_count; j++)
			if (pass->config->targets[j] == certificate->targets[i])
				job->targets[i].index = j;
	}
}

static int choose_jobs(struct pass *pass, struct error *error)
{
	const struct config *config = pass->config;
	const struct string_list *names = pass->options.names;

	pass->jobs = memory_alloc(config->certificate_count, sizeof(*pass->jobs));
	if (!names || names->count == 0) {
		for (size_t i = 0; i < config->certificate_count; i++)
			job_init(pass, &pass->jobs[pass->job_count++], config->certificates[i]);
		return 0;
	}
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		if (!config_certificate_find(config, name)) {
			error_set(error, ERROR_CONFIGURATION, -ENOENT,
				  "there is no usable [certificate %s]", name);
			return error_remedy(error, "see `origin-ca-agent check` for the sections "
						   "that are there and what is wrong with them");
		}
	}
	for (size_t i = 0; i < config->certificate_count; i++)
		if (string_list_has(names, config->certificates[i]->name))
			job_init(pass, &pass->jobs[pass->job_count++], config->certificates[i]);
	return 0;
}

static void init(const struct config *config, const struct pass_options *options, struct pass *pass)
{
	*pass = (struct pass){
		.config = config,
		.options = *options,
		.store = {.fd = -1, .certificates = -1, .lock = -1},
		.now = clock_now(),
		.deadline_ms = clock_monotonic_ms() + config->agent.pass_timeout * 1000,
		.jitter = random_u32(),
	};
	pass->targets = memory_alloc(config->target_count, sizeof(*pass->targets));
	for (size_t i = 0; i < config->target_count; i++) {
		pass->targets[i].target = config->targets[i];
		pass->targets[i].directory = -1;
	}
	pass->accounts = memory_alloc(config->api_count, sizeof(*pass->accounts));
	for (size_t i = 0; i < config->api_count; i++) {
		pass->accounts[i].api = config->apis[i];
		pthread_mutex_init(&pass->accounts[i].lock, NULL);
		pthread_mutex_init(&pass->accounts[i].clock_lock, NULL);
		pthread_mutex_init(&pass->accounts[i].anew_lock, NULL);
	}
}

/* What the last pass left for this one. */
static void take_note(struct pass *pass)
{
	struct note note = {0};
	struct error ignored = {0};

	note_load(pass->store.fd, pass->store.path, &note, &ignored);
	pass->full_check_at = note.full_check_at;
	pass->clock.offset = note.clock_offset;
	pass->clock.heard_at = note.clock_heard_at;
	snprintf(pass->clock.source, sizeof(pass->clock.source), "%s", note.clock_source);
	note_free(&note);
}

/* A full look at files and served leaves is due twice a day, or when somebody names names. */
static void decide_full(struct pass *pass)
{
	bool all = !pass->options.names || pass->options.names->count == 0;
	int64_t since = pass->now - pass->full_check_at;
	if (since >= SCHEDULE_FULL_CHECK || since < 0 || !all)
		pass->options.full = true;
}

static void plan_all(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++)
		if (!pass->jobs[i].settled)
			plan_certificate(pass, &pass->jobs[i]);
	served_look(pass, false);
	/* Else when all is done for the servers of this host (deploy.c). */
	if (pass->options.full && pass->options.dry_run)
		served_look(pass, true);
}

/* When something at Cloudflare is due besides renewal. */
static void note_due(struct pass *pass, struct pass_job *job)
{
	if (job->settled)
		return;
	int64_t due = superseded_due(job);
	int64_t mode = ssl_mode_due(pass, job);
	job->due_at = due && (!mode || due < mode) ? due : mode;
}

/* Everything between the plan and the note. */
static void work(struct pass *pass)
{
	trust_load(pass);
	plan_all(pass);
	wall_clock_look(pass);
	revocation_check(pass);
	issue_prepare(pass);
	if (trust_fetch(pass))
		derive_plan_again(pass);
	adopt_all(pass);
	issue_all(pass);
	trust_take_anew(pass);
	wall_clock_learn(pass);
	derive_all(pass);
	for (size_t i = 0; i < pass->job_count; i++)
		if (pass->jobs[i].issued || pass->jobs[i].imported || pass->jobs[i].derived)
			plan_targets(pass, &pass->jobs[i]);
	deploy_all(pass);
	superseded_revoke_all(pass);
	ssl_mode_all(pass);
	tell_collect(pass);
	for (size_t i = 0; i < pass->job_count; i++) {
		note_due(pass, &pass->jobs[i]);
		job_save(pass, &pass->jobs[i]);
	}
}

/* A server is down because of us, or was when a pass was killed. */
static bool some_owed(const struct pass *pass)
{
	bool some = false;
	for (size_t i = 0; i < pass->config->target_count; i++)
		some |= owed_is(pass, pass->config->targets[i], NULL);
	return some;
}

/* Most passes end here: all is as the last one left it. */
static bool all_settled(struct pass *pass, const struct settled *settled)
{
	size_t count = 0;
	for (size_t i = 0; i < pass->job_count; i++) {
		count += settled_holds(settled, pass, &pass->jobs[i]);
		pass->jobs[i].returned = settled_lacks(settled, &pass->jobs[i]);
	}
	return count == pass->job_count && !some_owed(pass);
}

/* The earliest moment at which something is due, and whose it is. */
static void sooner(struct pass *pass, int64_t at, const char *name)
{
	/* What is over already had its chance in this pass: no hot loop over it. */
	if (at && at <= pass->now)
		at = pass->now + RETRY_PAUSE;
	if (at && (!pass->next_at || at < pass->next_at)) {
		pass->next_at = at;
		pass->next_name = name;
	}
}

static void find_next(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		const struct state *state = &job->state;
		const char *name = job->certificate->name;
		if (state->issue.count)
			sooner(pass, state->issue.next, name);
		else if (state->newest)
			sooner(pass, state->renew_at, name);
		else
			sooner(pass, pass->now + CLOCK_HOUR, name);
		sooner(pass, job->due_at, name);
		/* A local failure outside of issuing and deploying is no recorded attempt. */
		if (job->error.code)
			sooner(pass, pass->now + RETRY_PAUSE, name);
		for (size_t j = 0; j < job->target_count; j++) {
			const struct state_target *target =
				state_target_find(state, job->targets[j].target->name);
			if (job->targets[j].error.code && !(target && target->attempt.count))
				sooner(pass, pass->now + RETRY_PAUSE, name);
			if (target && target->attempt.count)
				sooner(pass, target->attempt.next, name);
			sooner(pass, awaited_due(target, state->newest), name);
		}
	}
	if (some_owed(pass))
		sooner(pass, pass->now + RETRY_PAUSE, "with a server to be started");
	if (!pass->next_at || pass->full_check_at + SCHEDULE_FULL_CHECK < pass->next_at) {
		pass->next_at = pass->full_check_at + SCHEDULE_FULL_CHECK;
		pass->next_name = NULL;
	}
}

/* A pass over some certificates knows only of theirs: what is due there sooner than what the last
 * one over everything has found. */
static void bring_forward(struct pass *pass)
{
	struct note note = {0};
	struct error error = {0};
	find_next(pass);
	if (note_load(pass->store.fd, pass->store.path, &note, &error) == 0 && pass->next_name &&
	    pass->next_at < note.next_at) {
		note.next_at = pass->next_at;
		snprintf(note.next_reason, sizeof(note.next_reason), "certificate %s",
			 pass->next_name);
		if (note_save(pass->store.fd, pass->store.path, &note, &error) < 0)
			log_failure(LOG_LEVEL_WARNING, &error);
	}
	pass->next_at = note.next_at;
	note_free(&note);
}

/* Only a pass over everything can say when the next one is due. */
static void leave_note(struct pass *pass)
{
	if (pass->options.names && pass->options.names->count) {
		bring_forward(pass);
		return;
	}
	/* A stop cuts the look short: it is still due. */
	if (pass->options.full && !stop_requested())
		pass->full_check_at = clock_now();
	find_next(pass);

	struct note note = {
		.finished_at = clock_now(),
		.next_at = pass->next_at,
		.full_check_at = pass->full_check_at,
		.certificates = (int64_t)pass->job_count,
		.exit_status = pass_exit_status(pass),
		.clock_offset = pass->clock.offset,
		.clock_heard_at = pass->clock.heard_at,
	};
	snprintf(note.clock_source, sizeof(note.clock_source), "%s", pass->clock.source);
	for (size_t i = 0; i < pass->job_count; i++)
		note.current += pass_job_current(pass, &pass->jobs[i]);
	note.failing = note.certificates - note.current;
	note.credential = named_files(pass->config, &note.files);
	snprintf(note.next_reason, sizeof(note.next_reason), "%s%s",
		 pass->next_name ? "certificate " : "full check",
		 pass->next_name ? pass->next_name : "");
	struct error error = {0};
	if (note_save(pass->store.fd, pass->store.path, &note, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
	note_free(&note);
}

int pass_look(const struct config *config, const struct pass_options *options, struct pass *pass,
	      struct error *error)
{
	init(config, options, pass);
	pass->options.dry_run = true;
	int result = store_open(config->agent.state_dir, false, &pass->store, error);
	if (result == -ENOENT) {
		/* Nothing was ever done here: that is a state, too. */
		error_clear(error);
		pass->store.path = string_copy(config->agent.state_dir);
	} else if (result < 0) {
		return result;
	}
	result = choose_jobs(pass, error);
	if (result < 0)
		return result;
	take_note(pass);
	/* A dry run looks where the pass would, `status` at the files that changed. */
	if (options->dry_run)
		decide_full(pass);
	trust_load(pass);
	plan_all(pass);
	wall_clock_look(pass);
	return 0;
}

static void keep_definitions(const struct pass *pass)
{
	struct error error = {0};
	if (config_keep(pass->config, pass->store.fd, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

int pass_run(const struct config *config, const struct pass_options *options, struct pass *pass,
	     struct error *error)
{
	if (options->dry_run)
		return pass_look(config, options, pass, error);

	init(config, options, pass);
	int result = store_open(config->agent.state_dir, true, &pass->store, error);
	if (result == 0)
		result = store_lock(&pass->store, error);
	if (result == 0)
		result = choose_jobs(pass, error);
	if (result < 0)
		return result;

	keep_definitions(pass);
	take_note(pass);
	decide_full(pass);
	CLEANUP(settled_freep) struct settled *settled = settled_load(pass);
	bool save = settled_is_stale(settled, pass);
	if (!all_settled(pass, settled)) {
		settled_discard(pass);
		work(pass);
		save = true;
	} else {
		wall_clock_look(pass);
	}
	leave_note(pass);
	/* Who finds all settled carries lines of the last file over: it must be there first. */
	if (metrics_write(pass) < 0)
		settled_discard(pass);
	else if (save)
		settled_save(settled, pass);
	return 0;
}

void pass_free(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		for (size_t j = 0; j < job->target_count; j++) {
			buffer_wipe(&job->targets[j].before);
			buffer_wipe(&job->targets[j].keystore_before);
			secret_free(job->targets[j].keystore_password);
		}
		free(job->targets);
		free(job->where);
		material_free(&job->material);
		free(job->placeholder_ca);
		free(job->coming_ca);
		pthread_mutex_destroy(&job->lock);
		state_free(&job->state);
	}
	free(pass->jobs);
	for (size_t i = 0; pass->targets && i < pass->config->target_count; i++) {
		snippet_template_free(&pass->targets[i].template);
		closep(&pass->targets[i].directory);
	}
	free(pass->targets);
	for (size_t i = 0; pass->accounts && i < pass->config->api_count; i++) {
		client_free(pass->accounts[i].client);
		zone_cache_free(&pass->accounts[i].zones);
		root_list_free(&pass->accounts[i].roots);
		free(pass->accounts[i].client_ca);
		X509_free(pass->accounts[i].client_authority);
		pthread_mutex_destroy(&pass->accounts[i].lock);
		pthread_mutex_destroy(&pass->accounts[i].clock_lock);
		pthread_mutex_destroy(&pass->accounts[i].anew_lock);
		root_list_free(&pass->accounts[i].roots_anew);
	}
	free(pass->accounts);
	for (size_t i = 0; i < pass->event_count; i++)
		event_free(&pass->events[i]);
	free(pass->events);
	unit_close(pass->bus);
	store_close(&pass->store);
	*pass = (struct pass){0};
}

bool pass_job_current(const struct pass *pass, const struct pass_job *job)
{
	if (!job->state.newest || job->reissue || job->derive ||
	    job->state.facts.not_after <= pass->now)
		return false;
	for (size_t i = 0; i < job->target_count; i++)
		if (!job->targets[i].verified)
			return false;
	return !job->error.code;
}

enum pass_exit pass_exit_status(const struct pass *pass)
{
	if (config_error_count(pass->config) > 0)
		return PASS_EXIT_CONFIGURATION;
	/* By a wrong clock nobody knows what is current. */
	if (pass->clock.error.code)
		return PASS_EXIT_FAILED;
	for (size_t i = 0; i < pass->job_count; i++)
		if (!pass_job_current(pass, &pass->jobs[i]))
			return PASS_EXIT_FAILED;
	return PASS_EXIT_CURRENT;
}

bool pass_changed(const struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		if (job->issued || job->imported || job->derived || job->recovered ||
		    job->repaired || job->revoked)
			return true;
		for (size_t j = 0; j < job->target_count; j++)
			if (job->targets[j].deployed)
				return true;
	}
	return false;
}
