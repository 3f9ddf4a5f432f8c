#include "pass/report.h"

#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/summary.h"
#include "config/duration.h"
#include "pass/awaited.h"
#include "pass/preview.h"
#include "pass/tell.h"
#include "pass/wall_clock.h"
#include "target/template.h"

static const char *outcome(const struct pass *pass, const struct pass_job *job)
{
	if (pass_job_current(pass, job)) {
		if (job->issued)
			return job->adopted ? "adopted" : "issued";
		if (job->imported)
			return "adopted";
		if (job->derived)
			return "deployed";
		for (size_t i = 0; i < job->target_count; i++)
			if (job->targets[i].deployed)
				return "deployed";
		return "current";
	}
	bool waiting = job->waiting;
	bool failed = job->error.code != 0;
	for (size_t i = 0; i < job->target_count; i++) {
		waiting |= job->targets[i].waiting || job->targets[i].awaited;
		failed |= job->targets[i].error.code != 0;
	}
	if (failed)
		return "failed";
	if (waiting)
		return "waiting";
	return pass->options.dry_run ? "due" : "failed";
}

/* What this pass met though nobody needs to be told of it again: in full to somebody who asked for
 * the pass, else for the record. */
static void say_again(struct summary *log, const struct pass *pass, const struct pass_job *job)
{
	enum log_level level = pass->options.now ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
	if (job->error.code && !tell_told(pass, job, NULL)) {
		CLEANUP(freep) char *text = tell_failure_text(job, NULL);
		summary_add(log, level, job->certificate->name, NULL, text);
	}
	if (job->notice.code) {
		CLEANUP(freep)
		char *words = string_format("%s%s%s", job->notice.message,
					    job->notice.remedy[0] ? "; " : "", job->notice.remedy);
		summary_add(log, LOG_LEVEL_WARNING, job->certificate->name, NULL, words);
	}
	for (size_t i = 0; i < job->target_count; i++) {
		const struct pass_target_job *target_job = &job->targets[i];
		if (!target_job->error.code || tell_told(pass, job, target_job))
			continue;
		CLEANUP(freep) char *text = tell_failure_text(job, target_job);
		summary_add(log, level, job->certificate->name, NULL, text);
	}
	if (job->notices & LEAF_OUTLIVES_ROOT)
		summary_add(log, LOG_LEVEL_NOTICE, job->certificate->name, NULL,
			    "the certificate ends after the Origin CA root that signed it; "
			    "visitors are not affected, but renew before the root's end");
}

/* A wrong clock, unless a certificate that was due has told of it. */
static bool clock_to_tell(const struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++)
		if (pass->jobs[i].error.code == -ETIME)
			return false;
	return pass->clock.error.code != 0;
}

void report_log(const struct pass *pass)
{
	struct summary log = {0};
	if (clock_to_tell(pass))
		event_say_error(EVENT_CLOCK, &pass->clock.error);
	for (size_t i = 0; i < pass->event_count; i++) {
		const struct event *event = &pass->events[i];
		struct string_list fields = {0};
		event_fields(event, &fields);
		summary_add_event(&log, event_types[event->kind].level, event->certificate,
				  event->alike, event->text, &fields);
	}
	for (size_t i = 0; i < pass->job_count; i++)
		say_again(&log, pass, &pass->jobs[i]);
	summary_log(&log, "certificates", "`origin-ca-agent status` tells of all");
}

static void text_error(struct buffer *text, const char *who, const struct error *error)
{
	buffer_add_format(text, "    %s%s%s\n", who, who[0] ? ": " : "", error->message);
	const char *advice = error_advice(error);
	if (advice[0])
		buffer_add_format(text, "    -> %s\n", advice);
}

/* In a dry run, each line below the target it is about. */
static void text_preview(struct pass *pass, struct pass_job *job,
			 const struct pass_target_job *target_job, struct buffer *text)
{
	CLEANUP(buffer_free) struct buffer diff = BUFFER((size_t)2 * TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	if (preview_snippet(pass, job, target_job, &diff, &error) < 0)
		text_error(text, target_job->target->name, &error);
	else
		buffer_add(text, buffer_text(&diff), diff.length);
}

/* Whether a pass would touch the target's snippet, as far as can be told before. */
static bool to_be_rendered(const struct pass_job *job, const struct pass_target_job *target_job)
{
	bool made_first = job->derive || (job->reissue && !job->waiting);
	return !target_job->error.code && !target_job->waiting &&
	       (target_job->reasons || made_first);
}

static void text_job(struct pass *pass, struct pass_job *job, struct buffer *text)
{
	const struct state *state = &job->state;
	char left[DURATION_TEXT_SIZE];

	buffer_add_format(text, "%s: %s", job->certificate->name, outcome(pass, job));
	if (state->newest)
		buffer_add_format(text, ", generation %u, valid for %s", state->newest,
				  duration_format(state->facts.not_after - pass->now, left));
	if (job->reissue) {
		CLEANUP(freep) char *reasons = reissue_reason_text(job->reissue);
		buffer_add_format(text, "; to be issued: %s", reasons);
	}
	if (job->derive) {
		CLEANUP(freep) char *reasons = redeploy_reason_text(job->derive);
		buffer_add_format(text, "; files to be made anew: %s", reasons);
	}
	buffer_add_text(text, "\n");
	if (job->error.code)
		text_error(text, "", &job->error);
	if (job->notice.code)
		text_error(text, "warning", &job->notice);
	for (size_t i = 0; i < job->target_count; i++) {
		const struct pass_target_job *target_job = &job->targets[i];
		if (target_job->reasons && (pass->options.dry_run || target_job->waiting)) {
			CLEANUP(freep) char *reasons = redeploy_reason_text(target_job->reasons);
			buffer_add_format(text, "    %s: to be deployed%s: %s\n",
					  target_job->target->name,
					  target_job->waiting ? " later" : "", reasons);
		}
		if (pass->options.dry_run && to_be_rendered(job, target_job))
			text_preview(pass, job, target_job, text);
		CLEANUP(freep) char *awaited = awaited_text(pass, job, target_job);
		if (awaited)
			buffer_add_format(text, "    %s: %s\n", target_job->target->name, awaited);
		if (target_job->error.code)
			text_error(text, target_job->target->name, &target_job->error);
	}
}

void report_text(struct pass *pass, struct buffer *text)
{
	size_t current = 0;
	size_t issued = 0;
	for (size_t i = 0; i < pass->job_count; i++) {
		text_job(pass, &pass->jobs[i], text);
		current += pass_job_current(pass, &pass->jobs[i]);
		issued += pass->jobs[i].issued;
	}
	if (clock_to_tell(pass))
		text_error(text, "", &pass->clock.error);
	buffer_add_format(text, "%zu of %zu certificates current and verified", current,
			  pass->job_count);
	if (!pass->options.dry_run)
		buffer_add_format(text, "; %zu issued, %u reload%s, %s", issued, pass->reloads,
				  pass->reloads == 1 ? "" : "s",
				  pass_changed(pass) ? "changed" : "nothing changed");
	size_t problems = config_error_count(pass->config);
	if (problems)
		buffer_add_format(text, "; %zu error%s in the configuration", problems,
				  problems == 1 ? "" : "s");
	buffer_add_text(text, "\n");
}

void report_error_json(const struct error *error, cJSON *object)
{
	if (!error->code)
		return;
	cJSON *json = json_add_object(object, "error");
	json_add_string(json, "class", error_class_name(error->class));
	json_add_string(json, "message", error->message);
	const char *advice = error_advice(error);
	if (advice[0])
		json_add_string(json, "remedy", advice);
}

void report_problems_json(const struct config *config, cJSON *array)
{
	for (size_t i = 0; i < config->problem_count; i++) {
		const struct config_problem *problem = &config->problems[i];
		cJSON *json = json_append_object(array);
		json_add_string(json, "file", problem->place.file);
		json_add_integer(json, "line", problem->place.line);
		json_add_string(json, "message", problem->message);
		json_add_string(json, "remedy", config_problem_advice(problem));
		json_add_bool(json, "warning", problem->warning);
	}
}

static void preview_json(struct pass *pass, struct pass_job *job,
			 const struct pass_target_job *target_job, cJSON *json)
{
	CLEANUP(buffer_free) struct buffer diff = BUFFER((size_t)2 * TEMPLATE_OUTPUT_LIMIT);
	if (preview_snippet(pass, job, target_job, &diff, NULL) == 0)
		json_add_string(json, "diff", buffer_text(&diff));
}

static void target_json(struct pass *pass, struct pass_job *job,
			const struct pass_target_job *target_job, cJSON *array)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	struct string_list reasons = {0};
	cJSON *json = json_append_object(array);
	json_add_string(json, "name", target_job->target->name);
	redeploy_reason_names(target_job->reasons, &reasons);
	json_add_list(json, "redeploy", &reasons);
	string_list_free(&reasons);
	json_add_bool(json, "waiting", target_job->waiting);
	json_add_bool(json, "deployed", target_job->deployed);
	json_add_bool(json, "verified", target_job->verified);
	json_add_bool(json, "rolled_back", target_job->refused);
	json_add_bool(json, "held", target_job->held);
	awaited_json(job, target_job, json);
	if (pass->options.dry_run && to_be_rendered(job, target_job))
		preview_json(pass, job, target_job, json);
	json_add_integer(json, "generation", state ? state->generation : 0);
	json_add_integer(json, "verified_generation", state ? state->verified_generation : 0);
	report_error_json(&target_job->error, json);
	if (state && state->attempt.count)
		json_add_time(json, "retry_at", state->attempt.next);
}

static void job_json(struct pass *pass, struct pass_job *job, cJSON *array)
{
	const struct state *state = &job->state;
	struct string_list reasons = {0};
	cJSON *json = json_append_object(array);

	json_add_string(json, "name", job->certificate->name);
	json_add_string(json, "outcome", outcome(pass, job));
	reissue_reason_names(job->reissue, &reasons);
	json_add_list(json, "reissue", &reasons);
	string_list_free(&reasons);
	struct string_list derive = {0};
	redeploy_reason_names(job->derive, &derive);
	json_add_list(json, "derive", &derive);
	string_list_free(&derive);
	json_add_bool(json, "waiting", job->waiting);
	json_add_bool(json, "issued", job->issued);
	json_add_bool(json, "derived", job->derived);
	json_add_bool(json, "adopted", job->adopted || job->imported);
	json_add_integer(json, "generation", state->newest);
	json_add_integer(json, "active_generation", state->active);
	if (state->newest) {
		json_add_string(json, "serial", state->facts.serial);
		json_add_string(json, "sha256", state->facts.sha256);
		json_add_time(json, "not_after", state->facts.not_after);
		json_add_time(json, "renew_at", state->renew_at);
	}
	report_error_json(&job->error, json);
	if (job->notice.code) {
		cJSON *notice = json_add_object(json, "notice");
		json_add_string(notice, "message", job->notice.message);
		if (job->notice.remedy[0])
			json_add_string(notice, "remedy", job->notice.remedy);
	}
	if (state->issue.count)
		json_add_time(json, "retry_at", state->issue.next);
	cJSON *targets = json_add_array(json, "targets");
	for (size_t i = 0; i < job->target_count; i++)
		target_json(pass, job, &job->targets[i], targets);
}

cJSON *report_json(struct pass *pass)
{
	cJSON *json = json_object();
	json_add_integer(json, "version", 1);
	json_add_integer(json, "exit_status", pass_exit_status(pass));
	json_add_bool(json, "changed", pass_changed(pass));
	json_add_bool(json, "dry_run", pass->options.dry_run);
	json_add_integer(json, "reloads", pass->reloads);
	wall_clock_json(pass, json);
	cJSON *certificates = json_add_array(json, "certificates");
	for (size_t i = 0; i < pass->job_count; i++)
		job_json(pass, &pass->jobs[i], certificates);
	report_problems_json(pass->config, json_add_array(json, "problems"));
	return json;
}
