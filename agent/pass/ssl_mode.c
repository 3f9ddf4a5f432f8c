#include "pass/ssl_mode.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "cloudflare/rules.h"
#include "cloudflare/settings.h"
#include "pass/attempt.h"
#include "pass/issue.h"
#include "pass/schedule.h"
#include "pass/verify.h"

/* What it is carried out for: the mode and the names. */
static void digest_of(const struct config_certificate *certificate,
		      char digest[static SHA256_TEXT_SIZE])
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(64 << 10);
	CLEANUP(string_list_free) struct string_list names = {0};
	buffer_add_format(&text, "%d\n", (int)certificate->ssl_mode);
	string_list_copy(&names, &certificate->hostnames);
	string_list_sort(&names);
	for (size_t i = 0; i < names.count; i++)
		buffer_add_format(&text, "%s\n", names.items[i]);
	digest_sha256(buffer_text(&text), text.length, digest);
}

static bool is_done(const struct pass_job *job)
{
	char digest[SHA256_TEXT_SIZE];
	digest_of(job->certificate, digest);
	return job->state.ssl_mode_done && strcmp(job->state.ssl_mode_done, digest) == 0;
}

/* Every target was asked, and shows it. */
static bool is_confirmed(const struct pass *pass, const struct pass_job *job)
{
	if (job->target_count == 0 || !pass_job_current(pass, job))
		return false;
	for (size_t i = 0; i < job->target_count; i++)
		if (!job->targets[i].target->probe_host)
			return false;
	return true;
}

/* What somebody decided for the zone stands: 0 when it may be changed. */
static int automatic_check(struct client *client, const struct zone *zone, struct error *error)
{
	char value[SETTING_SIZE];
	int result = setting_get(client, zone->id, SETTING_AUTOMATIC, value, error);
	if (result < 0)
		return error_prefix(error,
				    "zone %s is left alone, as its automatic mode cannot be read",
				    zone->name);
	if (strcmp(value, "auto") != 0)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EPERM,
		  "zone %s is left alone: its automatic SSL/TLS mode is on, Cloudflare changes the "
		  "mode by itself",
		  zone->name);
	return error_remedy(error, "choose a custom mode in the dashboard, or write ssl_mode = "
				   "unmanaged");
}

static int zone_strict(struct pass *pass, struct pass_job *job, struct client *client,
		       const struct zone *zone, struct error *error)
{
	char value[SETTING_SIZE];
	int result = setting_get(client, zone->id, SETTING_SSL, value, error);
	if (result < 0 || setting_is_strict(value))
		return result < 0 ? error_prefix(error, "zone %s", zone->name) : 0;
	result = automatic_check(client, zone, error);
	if (result == 0)
		result = setting_set(client, zone->id, SETTING_SSL, "strict", error);
	if (result < 0)
		return error_prefix(error, "ssl_mode");
	state_event_add(&job->state, pass->now, "ssl-mode",
			"zone %s was brought from \"%s\" to Full (strict)", zone->name, value);
	return 0;
}

static int names_strict(struct pass *pass, struct pass_job *job, struct client *client,
			const struct zone *zone, const struct string_list *names,
			struct error *error)
{
	CLEANUP(freep) char *expression = NULL;
	CLEANUP(freep) char *stale = NULL;
	CLEANUP(freep)
	char *description = string_format("origin-ca-agent %s", job->certificate->name);
	int result = rule_expression(names, &expression, error);
	if (result == 0)
		result = automatic_check(client, zone, error);
	if (result == 0)
		result = rule_ssl_strict(client, zone->id, expression, description, &stale, error);
	if (result < 0)
		return error_prefix(error, "ssl_mode");
	if (stale)
		log_warning(
			"%s: an earlier configuration rule \"%s\" of zone %s still stands (%s); "
			"remove it when its names are not served any more",
			job->certificate->name, description, zone->name, stale);
	if (result == 0)
		return 0;
	state_event_add(
		&job->state, pass->now, "ssl-mode",
		"a configuration rule of zone %s brings its hostnames to Full (strict): %.200s",
		zone->name, expression);
	return 0;
}

/* Zone by zone; what one of them refuses does not keep the others back. */
static int carry_out(struct pass *pass, struct pass_job *job, struct pass_account *account,
		     struct error *error)
{
	const struct config_certificate *certificate = job->certificate;
	CLEANUP(string_list_free) struct string_list done = {0};
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		const struct zone *zone = NULL;
		struct error failure = {0};
		CLEANUP(string_list_free) struct string_list names = {0};
		int result = zone_cache_find_or(&account->zones, account->client,
						certificate->hostnames.items[i],
						certificate->zone_id, &zone, &failure);
		if (result == 0 && string_list_has(&done, zone->id))
			continue;
		if (result == 0) {
			string_list_add(&done, zone->id);
			for (size_t j = 0; j < certificate->hostnames.count; j++)
				if (certificate->zone_id ||
				    zone_holds(zone->name, certificate->hostnames.items[j]))
					string_list_add(&names, certificate->hostnames.items[j]);
			result = certificate->ssl_mode == SSL_STRICT
					 ? zone_strict(pass, job, account->client, zone, &failure)
					 : names_strict(pass, job, account->client, zone, &names,
							&failure);
		}
		if (result < 0 && !error->code)
			*error = failure;
	}
	return error->code;
}

/* A target counts as verified when it shows the newest for one name; one that it serves with
 * another certificate would be answered with error 526. */
static int names_look(const struct pass *pass, const struct pass_job *job, struct error *error)
{
	CLEANUP(probe_freep) struct probe *probe = NULL;
	int result = probe_new(&probe, error);
	for (size_t i = 0; result == 0 && i < job->target_count; i++) {
		const struct config_target *target = job->targets[i].target;
		struct verify verify;
		verify_now(&verify, pass, job, &job->targets[i], probe);
		result = verify_strict(&verify, error);
		verify_end(&verify);
		if (result < 0) {
			error_prefix(error, "ssl_mode waits");
			error_remedy(error,
				     "let [target %s] serve every name of `hostnames` with this "
				     "certificate, or take the name out of [certificate %s]",
				     target->name, job->certificate->name);
		}
	}
	return result;
}

static void mode_one(struct pass *pass, struct pass_job *job)
{
	struct state *state = &job->state;
	struct pass_account *account = attempt_account(pass, job->certificate->api);
	struct error error = {0};
	int result = names_look(pass, job, &error);
	if (result == 0)
		result = issue_account_ready(pass, account)
				 ? carry_out(pass, job, account, &error)
				 : attempt_account_usable(account, &error);
	job->dirty = true;
	if (result == 0) {
		char digest[SHA256_TEXT_SIZE];
		digest_of(job->certificate, digest);
		free(state->ssl_mode_done);
		state->ssl_mode_done = string_copy(digest);
		state_attempt_clear(&state->ssl_mode);
		return;
	}
	if (stop_requested()) /* it may have cut that off: nobody's failure */
		return;
	job->notice = error;
	int64_t next = schedule_retry(&error, state->ssl_mode.count + 1, SCHEDULE_NEVER,
				      pass->jitter, pass->now);
	state_attempt_fail(&state->ssl_mode, &error, pass->now, next, NULL);
}

int64_t ssl_mode_due(const struct pass *pass, const struct pass_job *job)
{
	if (job->certificate->ssl_mode == SSL_UNMANAGED || !is_confirmed(pass, job) || is_done(job))
		return 0;
	return job->state.ssl_mode.count ? job->state.ssl_mode.next : pass->now;
}

void ssl_mode_all(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count && !stop_requested(); i++) {
		struct pass_job *job = &pass->jobs[i];
		if (job->settled)
			continue;
		int64_t due = ssl_mode_due(pass, job);
		/* Somebody who asks for a pass has perhaps given the token its permission. */
		if (due && (pass->now >= due || pass->options.now))
			mode_one(pass, job);
	}
}
