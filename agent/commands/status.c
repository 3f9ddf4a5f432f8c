#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "commands/command.h"
#include "config/duration.h"
#include "pass/report.h"
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

static void target_json(const struct pass_job *job, const struct pass_target_job *target_job,
			cJSON *array)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	struct string_list reasons = {0};
	cJSON *json = json_append_object(array);
	json_add_string(json, "name", target_job->target->name);
	json_add_bool(json, "current", target_job->verified);
	json_add_integer(json, "snippet_generation", state ? state->generation : 0);
	json_add_integer(json, "verified_generation", state ? state->verified_generation : 0);
	json_add_time(json, "verified_at", state ? state->verified_at : 0);
	redeploy_reason_names(target_job->reasons, &reasons);
	json_add_list(json, "redeploy", &reasons);
	string_list_free(&reasons);
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
	}
}

static void certificate_json(const struct pass *pass, const struct pass_job *job, cJSON *array)
{
	const struct state *state = &job->state;
	struct string_list reasons = {0};
	cJSON *json = json_append_object(array);
	json_add_string(json, "name", job->certificate->name);
	json_add_bool(json, "current", pass_job_current(pass, job));
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
		target_json(job, &job->targets[i], targets);
	history_json(state, json);
}

static void attempt_text(struct buffer *text, const char *what, const struct state_attempt *attempt,
			 int64_t now)
{
	char since[DURATION_TEXT_SIZE];
	char next[DURATION_TEXT_SIZE];
	if (!attempt->count)
		return;
	buffer_add_format(text, "  %s: stuck for %s, next try in %s (%s)\n      %s\n", what,
			  duration_format(now - attempt->since, since),
			  duration_format(attempt->next > now ? attempt->next - now : 0, next),
			  error_class_name(attempt->class), attempt->message);
	if (attempt->remedy && attempt->remedy[0])
		buffer_add_format(text, "      -> %s\n", attempt->remedy);
}

static void target_text(struct buffer *text, const struct pass *pass, const struct pass_job *job,
			const struct pass_target_job *target_job)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	char ago[DURATION_TEXT_SIZE];

	buffer_add_format(text, "  %s: ", target_job->target->name);
	if (state && state->verified_generation)
		buffer_add_format(text, "generation %u seen served %s ago",
				  state->verified_generation,
				  duration_format(pass->now - state->verified_at, ago));
	else
		buffer_add_text(text, "never seen served");
	if (target_job->reasons) {
		CLEANUP(freep) char *reasons = redeploy_reason_text(target_job->reasons);
		buffer_add_format(text, "; to be deployed: %s", reasons);
	}
	buffer_add_text(text, "\n");
	if (target_job->error.code)
		buffer_add_format(text, "      %s\n", target_job->error.message);
	if (state)
		attempt_text(text, target_job->target->name, &state->attempt, pass->now);
}

static void certificate_text(struct buffer *text, const struct pass *pass,
			     const struct pass_job *job)
{
	const struct state *state = &job->state;
	const struct string_list *hostnames = &job->certificate->hostnames;
	char left[DURATION_TEXT_SIZE];
	char until[DURATION_TEXT_SIZE];

	buffer_add_format(text, "%s %s (%s", pass_job_current(pass, job) ? "ok  " : "FAIL",
			  job->certificate->name, hostnames->items[0]);
	if (hostnames->count > 1)
		buffer_add_format(text, " +%zu", hostnames->count - 1);
	buffer_add_text(text, ")");
	if (state->newest)
		buffer_add_format(
			text, ": generation %u active, %u newest, expires in %s, renewal in %s",
			state->active, state->newest,
			duration_format(state->facts.not_after - pass->now, left),
			duration_format(state->renew_at > pass->now ? state->renew_at - pass->now
								    : 0,
					until));
	else
		buffer_add_text(text, ": no certificate yet");
	buffer_add_text(text, "\n");
	if (job->reissue) {
		CLEANUP(freep) char *reasons = reissue_reason_text(job->reissue);
		buffer_add_format(text, "  to be issued: %s\n", reasons);
	}
	if (job->derive) {
		CLEANUP(freep) char *reasons = redeploy_reason_text(job->derive);
		buffer_add_format(text, "  files to be made anew: %s\n", reasons);
	}
	if (job->error.code)
		buffer_add_format(text, "  %s\n", job->error.message);
	attempt_text(text, "issuing", &state->issue, pass->now);
	for (size_t i = 0; i < job->target_count; i++)
		target_text(text, pass, job, &job->targets[i]);
}

static bool print(const struct command_options *options, const struct pass *pass, int exit_status)
{
	if (options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = json_object();
		json_add_integer(json, "version", 1);
		json_add_integer(json, "exit_status", exit_status);
		wall_clock_json(pass, json);
		cJSON *certificates = json_add_array(json, "certificates");
		for (size_t i = 0; i < pass->job_count; i++)
			certificate_json(pass, &pass->jobs[i], certificates);
		report_problems_json(pass->config, json_add_array(json, "problems"));
		return command_print_json(json);
	}
	struct buffer text = BUFFER(64 << 20);
	for (size_t i = 0; i < pass->job_count; i++)
		certificate_text(&text, pass, &pass->jobs[i]);
	if (pass->clock.error.code)
		buffer_add_format(&text, "FAIL %s\n     -> %s\n", pass->clock.error.message,
				  pass->clock.error.remedy);
	if (pass->job_count == 0)
		buffer_add_format(&text, "no certificates are configured in %s\n",
				  pass->config->path);
	bool printed = command_print(buffer_text(&text));
	buffer_free(&text);
	return printed;
}

int command_status(const struct command_options *options)
{
	CLEANUP(config_freep) struct config *config = command_config(options);
	if (!config)
		return PASS_EXIT_CONFIGURATION;
	if (!command_names_known(options, config))
		return PASS_EXIT_USAGE;

	struct pass_options look = {.names = &options->arguments};
	struct pass pass;
	struct error error = {0};
	int status = PASS_EXIT_FAILED;
	if (pass_look(config, &look, &pass, &error) < 0) {
		command_fail(options, status, &error);
	} else {
		status = (int)pass_exit_status(&pass);
		if (!print(options, &pass, status))
			status = PASS_EXIT_FAILED;
	}
	pass_free(&pass);
	return status;
}
