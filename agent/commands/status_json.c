#include "base/json.h"
#include "commands/failed_pass.h"
#include "commands/status.h"
#include "pass/awaited.h"
#include "pass/report.h"
#include "pass/tell.h"
#include "pass/wall_clock.h"

static void attempt_json(const struct state_attempt *attempt, cJSON *json)
{
	if (!attempt->count)
		return;
	cJSON *error = json_add_object(json, "last_error");
	json_add_string(error, "class", error_class_name(attempt->class));
	json_add_string(error, "message", attempt->message);
	json_add_string(error, "remedy", attempt->remedy);
	json_add_integer(error, "failures", attempt->count);
	json_add_time(error, "stuck_since", attempt->since);
	json_add_time(error, "last_try", attempt->last);
	json_add_time(error, "next_try", attempt->next);
}

static void target_json(const struct pass *pass, const struct pass_job *job,
			const struct pass_target_job *target_job, cJSON *array)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	struct string_list reasons = {0};
	cJSON *json = json_append_object(array);
	json_add_string(json, "name", target_job->target->name);
	json_add_bool(json, "current", target_job->verified);
	json_add_integer(json, "snippet_generation", state ? state->generation : 0);
	json_add_integer(json, "verified_generation", state ? state->verified_generation : 0);
	json_add_time(json, "verified_at", state ? state->verified_at : 0);
	json_add_time(json, "served_until", tell_target_until(pass, job, target_job));
	redeploy_reason_names(target_job->reasons, &reasons);
	json_add_list(json, "redeploy", &reasons);
	string_list_free(&reasons);
	awaited_json(job, target_job, json);
	report_error_json(&target_job->error, json);
	if (state)
		attempt_json(&state->attempt, json);
}

static void history_json(const struct state *state, cJSON *json)
{
	cJSON *array = json_add_array(json, "history");
	for (size_t i = 0; i < state->history_count; i++) {
		cJSON *event = json_append_object(array);
		json_add_time(event, "at", state->history[i].at);
		json_add_string(event, "event", state->history[i].event);
		json_add_string(event, "message", state->history[i].message);
		json_add_string(event, "target", state->history[i].target);
		if (state->history[i].generation)
			json_add_integer(event, "generation", state->history[i].generation);
		if (state->history[i].count > 1) {
			json_add_integer(event, "count", state->history[i].count);
			json_add_time(event, "last", state->history[i].last);
		}
	}
}

static void certificate_json(const struct status *status, const struct pass_job *job, cJSON *array)
{
	const struct pass *pass = &status->pass;
	const struct state *state = &job->state;
	struct string_list reasons = {0};
	cJSON *json = json_append_object(array);
	json_add_string(json, "name", job->certificate->name);
	json_add_bool(json, "current", pass_job_current(pass, job));
	json_add_string(json, "state", status_grade_name(status_grade(status, job)));
	json_add_list(json, "hostnames", &job->certificate->hostnames);
	json_add_integer(json, "active_generation", state->active);
	json_add_integer(json, "newest_generation", state->newest);
	if (state->newest) {
		json_add_string(json, "id", state->id);
		json_add_string(json, "serial", state->facts.serial);
		json_add_string(json, "sha256", state->facts.sha256);
		json_add_time(json, "not_before", state->facts.not_before);
		json_add_time(json, "not_after", state->facts.not_after);
		json_add_time(json, "renew_at", state->renew_at);
	}
	json_add_time(json, "stuck_since", status_since(job));
	reissue_reason_names(job->reissue, &reasons);
	json_add_list(json, "reissue", &reasons);
	string_list_free(&reasons);
	redeploy_reason_names(job->derive, &reasons);
	json_add_list(json, "derive", &reasons);
	string_list_free(&reasons);
	report_error_json(&job->error, json);
	attempt_json(&state->issue, json);
	cJSON *targets = json_add_array(json, "targets");
	for (size_t i = 0; i < job->target_count; i++)
		target_json(pass, job, &job->targets[i], targets);
	history_json(state, json);
}

static void last_pass_json(const struct note *note, cJSON *json)
{
	if (!note->finished_at)
		return;
	cJSON *object = json_add_object(json, "last_pass");
	json_add_time(object, "finished_at", note->finished_at);
	json_add_integer(object, "exit_status", note->exit_status);
	json_add_integer(object, "certificates", note->certificates);
	json_add_integer(object, "current", note->current);
	json_add_time(object, "full_check_at", note->full_check_at);
	json_add_time(object, "next_at", note->next_at);
	json_add_string(object, "next_reason", note->next_reason);
}

cJSON *status_json(const struct status *status)
{
	const struct pass *pass = &status->pass;
	cJSON *json = json_object();
	json_add_integer(json, "version", 1);
	json_add_integer(json, "exit_status", status->exit_status);
	json_add_time(json, "at", pass->now);
	last_pass_json(&status->note, json);
	failed_pass_json(pass, json);
	wall_clock_json(pass, json);
	cJSON *certificates = json_add_array(json, "certificates");
	for (size_t i = 0; i < pass->job_count; i++)
		certificate_json(status, &pass->jobs[i], certificates);
	report_problems_json(pass->config, json_add_array(json, "problems"));
	return json;
}
