#include "pass/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/paths.h"
#include "pass/metrics_carry.h"
#include "pass/tell.h"

enum {
	METRICS_LIMIT = 256 << 20, /* bytes: 100000 certificates */
};

/* Those of certificates and targets come last: unchanged(). */
enum metric_id {
	BUILD_INFO,
	PASS_END,
	PASS_DURATION,
	PASS_NEXT,
	PASS_EXIT,
	PASS_RELOADS,
	CERTIFICATES,
	PROBLEMS,
	CLOCK_WRONG,
	API_REMAINING,
	CLOCK_OFFSET,
	NOT_BEFORE,
	NOT_AFTER,
	RENEWAL,
	CURRENT,
	ACTIVE,
	NEWEST,
	ATTEMPTS,
	FAILURES,
	SUCCESS,
	STUCK,
	TARGET_GENERATION,
	TARGET_VERIFIED,
	TARGET_VERIFIED_AT,
	TARGET_NOT_AFTER,
	METRIC_COUNT,
};

const struct metric metrics[METRIC_COUNT] = {
	[BUILD_INFO] = {"origin_ca_build_info", "gauge", METRIC_OF_AGENT,
			"1, with the version of origin-ca-agent as a label."},
	[PASS_END] = {"origin_ca_pass_end_seconds", "gauge", METRIC_OF_AGENT,
		      "When the last pass ended, Unix time."},
	[PASS_DURATION] = {"origin_ca_pass_duration_seconds", "gauge", METRIC_OF_AGENT,
			   "How long the last pass took."},
	[PASS_NEXT] = {"origin_ca_pass_next_seconds", "gauge", METRIC_OF_AGENT,
		       "When the next pass is due, Unix time; 0 while no pass has looked at all "
		       "certificates."},
	[PASS_EXIT] =
		{"origin_ca_pass_exit_status", "gauge", METRIC_OF_AGENT,
		 "Exit status of the last pass: 0 all is current and verified, 1 something is "
		 "not, 3 the configuration has errors."},
	[PASS_RELOADS] = {"origin_ca_pass_reloads", "gauge", METRIC_OF_AGENT,
			  "Reloads and restarts of servers in the last pass."},
	[CERTIFICATES] = {"origin_ca_certificates", "gauge", METRIC_OF_AGENT,
			  "Certificates that are configured and usable."},
	[PROBLEMS] = {"origin_ca_configuration_errors", "gauge", METRIC_OF_AGENT,
		      "Errors in the configuration."},
	[CLOCK_WRONG] = {"origin_ca_clock_wrong", "gauge", METRIC_OF_AGENT,
			 "1 when the last pass found this host's clock plainly wrong and asked for "
			 "no certificate."},
	[API_REMAINING] = {"origin_ca_api_remaining_requests", "gauge", METRIC_OF_API,
			   "Requests that Cloudflare's rate limit still allowed when the API was "
			   "last asked."},
	[CLOCK_OFFSET] = {"origin_ca_clock_offset_seconds", "gauge", METRIC_OF_API,
			  "The API's clock minus this host's, when the API was last asked."},
	[NOT_BEFORE] = {"origin_ca_certificate_not_before_seconds", "gauge", METRIC_OF_CERTIFICATE,
			"When the newest certificate begins to be valid, Unix time."},
	[NOT_AFTER] = {"origin_ca_certificate_not_after_seconds", "gauge", METRIC_OF_CERTIFICATE,
		       "When the newest certificate ends, Unix time; absent while there is none."},
	[RENEWAL] = {"origin_ca_certificate_renewal_seconds", "gauge", METRIC_OF_CERTIFICATE,
		     "When the newest certificate is to be renewed, Unix time."},
	[CURRENT] = {"origin_ca_certificate_current", "gauge", METRIC_OF_CERTIFICATE,
		     "1 when the newest certificate is in order and verified on all its targets."},
	[ACTIVE] = {"origin_ca_certificate_active_generation", "gauge", METRIC_OF_CERTIFICATE,
		    "The generation that all targets were verified with, 0 none yet."},
	[NEWEST] = {"origin_ca_certificate_newest_generation", "gauge", METRIC_OF_CERTIFICATE,
		    "The newest generation, 0 none yet."},
	[ATTEMPTS] = {"origin_ca_certificate_attempts_total", "counter", METRIC_OF_CERTIFICATE,
		      "Attempts to issue."},
	[FAILURES] = {"origin_ca_certificate_failures_total", "counter", METRIC_OF_CERTIFICATE,
		      "Failures to issue or to deploy, by class."},
	[SUCCESS] = {"origin_ca_certificate_last_success_seconds", "gauge", METRIC_OF_CERTIFICATE,
		     "When a certificate was last issued or adopted, Unix time."},
	[STUCK] = {"origin_ca_certificate_stuck_since_seconds", "gauge", METRIC_OF_CERTIFICATE,
		   "Since when something is wrong with it, Unix time; 0 while nothing is."},
	[TARGET_GENERATION] = {"origin_ca_target_served_generation", "gauge", METRIC_OF_TARGET,
			       "The generation that the target was last seen serving, 0 none yet."},
	[TARGET_VERIFIED] = {"origin_ca_target_verified", "gauge", METRIC_OF_TARGET,
			     "1 when the target serves the newest generation."},
	[TARGET_VERIFIED_AT] = {"origin_ca_target_verified_seconds", "gauge", METRIC_OF_TARGET,
				"When the target was last verified after a change, Unix time."},
	[TARGET_NOT_AFTER] = {"origin_ca_target_not_after_seconds", "gauge", METRIC_OF_TARGET,
			      "When the certificate ends that the target was last seen serving, "
			      "Unix time."},
};

const size_t metric_count = METRIC_COUNT;

/* Lines that the last file has and this pass does not know better, and what is known of the jobs
 * but not in them. */
struct writer {
	struct pass *pass;
	struct carry *carry;
	struct state_counts *counts; /* of each job */
	struct buffer *text;
};

static void sample(struct writer *writer, const struct pass_job *job, enum metric_id id,
		   int64_t value)
{
	buffer_add_format(writer->text, "%s{certificate=\"%s\"} %" PRId64 "\n", metrics[id].name,
			  job->certificate->name, value);
}

static void failures(struct writer *writer, const struct pass_job *job,
		     const struct state_counts *counts)
{
	for (int class = ERROR_TRANSIENT; class <= ERROR_BUG; class ++)
		buffer_add_format(writer->text, "%s{certificate=\"%s\",class=\"%s\"} %" PRIu64 "\n",
				  metrics[FAILURES].name, job->certificate->name,
				  error_class_name((enum error_class) class),
				  counts->failures[class]);
}

static int64_t stuck_since(const struct state *state)
{
	int64_t since = 0;
	for (size_t i = 0; i < state->alarm_count; i++)
		if (!since || state->alarms[i].since < since)
			since = state->alarms[i].since;
	return since;
}

static void of_certificate(struct writer *writer, const struct pass_job *job, enum metric_id id,
			   const struct state_counts *counts)
{
	const struct state *state = &job->state;
	if (id == NOT_BEFORE && state->newest)
		sample(writer, job, id, state->facts.not_before);
	else if (id == NOT_AFTER && state->newest)
		sample(writer, job, id, state->facts.not_after);
	else if (id == RENEWAL && state->newest)
		sample(writer, job, id, state->renew_at);
	else if (id == CURRENT)
		sample(writer, job, id, pass_job_current(writer->pass, job));
	else if (id == ACTIVE)
		sample(writer, job, id, state->active);
	else if (id == NEWEST)
		sample(writer, job, id, state->newest);
	else if (id == ATTEMPTS)
		sample(writer, job, id, (int64_t)counts->attempts);
	else if (id == FAILURES)
		failures(writer, job, counts);
	else if (id == SUCCESS && counts->success_at)
		sample(writer, job, id, counts->success_at);
	else if (id == STUCK)
		sample(writer, job, id, stuck_since(state));
}

static void of_target(struct writer *writer, const struct pass_job *job,
		      const struct pass_target_job *target_job, enum metric_id id)
{
	const struct state_target *target =
		state_target_find(&job->state, target_job->target->name);
	int64_t value = 0;
	if (id == TARGET_GENERATION)
		value = target ? target->verified_generation : 0;
	else if (id == TARGET_VERIFIED)
		value = target_job->verified;
	else if (id == TARGET_VERIFIED_AT)
		value = target ? target->verified_at : 0;
	else
		value = tell_target_until(writer->pass, job, target_job);
	if (!value && (id == TARGET_VERIFIED_AT || id == TARGET_NOT_AFTER))
		return;
	buffer_add_format(writer->text, "%s{certificate=\"%s\",target=\"%s\"} %" PRId64 "\n",
			  metrics[id].name, job->certificate->name, target_job->target->name,
			  value);
}

static void of_jobs(struct writer *writer, enum metric_id id)
{
	const struct pass *pass = writer->pass;
	carry_lines(writer->carry, id, writer->text);
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		if (carry_has(writer->carry, i))
			continue;
		if (metrics[id].scope == METRIC_OF_CERTIFICATE) {
			of_certificate(writer, job, id, &writer->counts[i]);
			continue;
		}
		for (size_t j = 0; j < job->target_count; j++)
			of_target(writer, job, &job->targets[j], id);
	}
}

static void of_apis(struct writer *writer, enum metric_id id)
{
	const struct pass *pass = writer->pass;
	for (size_t i = 0; i < pass->config->api_count; i++) {
		const struct client *client = pass->accounts[i].client;
		const char *name = pass->config->apis[i]->name;
		int64_t value = -1;
		bool known =
			client && (id == API_REMAINING ? (value = client_remaining(client)) >= 0
						       : client_clock_offset(client, &value));
		if (known)
			buffer_add_format(writer->text, "%s{api=\"%s\"} %" PRId64 "\n",
					  metrics[id].name, name, value);
		else
			carry_api(writer->carry, id, name, writer->text);
	}
}

static void of_agent(struct writer *writer, enum metric_id id)
{
	const struct pass *pass = writer->pass;
	struct buffer *text = writer->text;
	const char *name = metrics[id].name;
	int64_t began_ms = pass->deadline_ms - pass->config->agent.pass_timeout * 1000;
	if (id == BUILD_INFO)
		buffer_add_format(text, "%s{version=\"%s\"} 1\n", name, path_version);
	else if (id == PASS_END)
		buffer_add_format(text, "%s %" PRId64 "\n", name, clock_now());
	else if (id == PASS_DURATION)
		buffer_add_format(text, "%s %.3f\n", name,
				  (double)(clock_monotonic_ms() - began_ms) / 1000);
	else if (id == PASS_NEXT)
		buffer_add_format(text, "%s %" PRId64 "\n", name, pass->next_at);
	else if (id == PASS_EXIT)
		buffer_add_format(text, "%s %d\n", name, (int)pass_exit_status(pass));
	else if (id == PASS_RELOADS)
		buffer_add_format(text, "%s %u\n", name, pass->reloads);
	else if (id == CERTIFICATES)
		buffer_add_format(text, "%s %zu\n", name, pass->config->certificate_count);
	else if (id == PROBLEMS)
		buffer_add_format(text, "%s %zu\n", name, config_error_count(pass->config));
	else if (id == CLOCK_WRONG)
		buffer_add_format(text, "%s %d\n", name, pass->clock.error.code != 0);
}

/* The state of one that is as it was is not read by a pass; its counters are needed when the last
 * file has no lines of it. */
static void counts_read(struct writer *writer)
{
	const struct pass *pass = writer->pass;
	writer->counts = memory_alloc(pass->job_count, sizeof(*writer->counts));
	for (size_t i = 0; i < pass->job_count; i++) {
		const struct pass_job *job = &pass->jobs[i];
		writer->counts[i] = job->state.counts;
		if (!job->settled || carry_has(writer->carry, i))
			continue;
		CLEANUP(closep) int directory = -1;
		struct state state = {0};
		bool rebuilt;
		if (store_certificate_open(&pass->store, job->certificate->name, false, &directory,
					   NULL) == 0 &&
		    state_load(directory, job->where, &state, &rebuilt, NULL) == 0)
			writer->counts[i] = state.counts;
		state_free(&state);
	}
}

static bool occurs_before(const char *text, const char *what, const char *end)
{
	const char *found = strstr(text, what);
	return found && found < end;
}

/*
 * Where the lines of certificates begin in the file as it is, when all of them still hold: nothing
 * was to be done for any, there are as many as there were, and this version wrote them. NULL
 * otherwise. Most passes end like this, and a thousand certificates are a megabyte of lines.
 */
static const char *unchanged(const struct pass *pass, const char *before)
{
	CLEANUP(freep)
	char *count = string_format("\n%s %zu\n", metrics[CERTIFICATES].name,
				    pass->config->certificate_count);
	CLEANUP(freep) char *first = string_format("# HELP %s ", metrics[NOT_BEFORE].name);
	CLEANUP(freep)
	char *version =
		string_format("\n%s{version=\"%s\"} 1\n", metrics[BUILD_INFO].name, path_version);
	const char *start = strstr(before, first);
	if (!start || !occurs_before(before, version, start) ||
	    !occurs_before(before, count, start) ||
	    pass->job_count != pass->config->certificate_count)
		return NULL;
	for (size_t i = 0; i < pass->job_count; i++)
		if (!pass->jobs[i].settled)
			return NULL;
	return start;
}

void metrics_text(struct pass *pass, const char *before, struct buffer *text)
{
	struct writer writer = {.pass = pass, .text = text};
	const char *same = unchanged(pass, before);
	buffer_reserve(text, strlen(before) + 4096);
	writer.carry = carry_new(pass, before, same ? (size_t)(same - before) : strlen(before));
	if (!same)
		counts_read(&writer);
	for (int id = 0; id < (same ? NOT_BEFORE : METRIC_COUNT); id++) {
		const struct metric *metric = &metrics[id];
		buffer_add_format(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
				  metric->name, metric->type);
		if (metric->scope == METRIC_OF_AGENT)
			of_agent(&writer, (enum metric_id)id);
		else if (metric->scope == METRIC_OF_API)
			of_apis(&writer, (enum metric_id)id);
		else
			of_jobs(&writer, (enum metric_id)id);
	}
	buffer_add_text(text, same ? same : "");
	free(writer.counts);
	carry_free(writer.carry);
}

/* The directory of `metrics_file` and the name in it. */
static int place_open(const struct pass *pass, char **ret_where, const char **ret_name, int *ret_fd,
		      struct error *error)
{
	const char *path = pass->config->agent.metrics_file;
	const char *slash = path ? strrchr(path, '/') : NULL;
	*ret_where = slash ? string_copy_n(path, slash > path ? (size_t)(slash - path) : 1)
			   : string_copy(pass->store.path);
	*ret_name = slash ? slash + 1 : METRICS_FILE;
	*ret_fd = open(*ret_where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0
		       ? error_errno(error, -errno, "cannot open %s for %s", *ret_where, *ret_name)
		       : 0;
}

int metrics_write(struct pass *pass)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(freep) char *where = NULL;
	CLEANUP(buffer_free) struct buffer before = BUFFER(METRICS_LIMIT);
	CLEANUP(buffer_free) struct buffer text = BUFFER(METRICS_LIMIT);
	const char *name = NULL;
	struct error error = {0};
	int result = place_open(pass, &where, &name, &directory, &error);
	if (result == 0) {
		file_read_at(directory, where, name, &before, NULL);
		metrics_text(pass, buffer_text(&before), &text);
		result = text.failed ? error_set(&error, ERROR_LOCAL, -EFBIG,
						 "%s/%s would be longer than %d bytes", where, name,
						 METRICS_LIMIT)
				     : file_write_at(directory, where, name, buffer_text(&text),
						     text.length, &FILE_ACCESS(0644), FILE_NO_SYNC,
						     &error);
	}
	if (result == 0)
		return 0;
	if (pass->config->agent.metrics_file && result != -ENOSPC && result != -EDQUOT)
		error_remedy(&error, "the agent's user must be able to write into that directory, "
				     "and its unit be allowed to (ReadWritePaths=); or leave "
				     "`metrics_file` out and link to STATE/" METRICS_FILE);
	log_failure(LOG_LEVEL_WARNING, &error);
	return result;
}
