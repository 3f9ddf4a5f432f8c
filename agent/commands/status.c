#include "commands/status.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "config/duration.h"
#include "pass/report.h"
#include "pass/tell.h"

enum {
	TEXT_LIMIT = 256 << 20 /* bytes, of any of the ways */
};

static void note_read(const struct config *config, struct note *note)
{
	struct error ignored = {0};
	CLEANUP(closep)
	int directory = open(config->agent.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0 || note_load(directory, config->agent.state_dir, note, &ignored) < 0)
		note_free(note);
}

static int look(struct status *status, const struct string_list *names, struct error *error)
{
	struct pass_options options = {.names = names};
	int result = pass_look(status->config, &options, &status->pass, error);
	if (result < 0)
		return result;
	note_read(status->config, &status->note);
	status->exit_status = (int)pass_exit_status(&status->pass);
	return 0;
}

int status_look(const char *config_path, const struct string_list *names, struct status *ret_status,
		struct error *error)
{
	*ret_status = (struct status){.exit_status = PASS_EXIT_CONFIGURATION};
	int result = config_load(config_path, &ret_status->config, error);
	if (result < 0)
		return result;
	ret_status->exit_status = PASS_EXIT_FAILED;
	return look(ret_status, names, error);
}

void status_free(struct status *status)
{
	note_free(&status->note);
	if (status->pass.config)
		pass_free(&status->pass);
	note_free(&status->note);
	if (status->config)
		config_free(status->config);
	*status = (struct status){0};
}

static bool something_fails(const struct pass_job *job)
{
	bool fails = job->error.code || job->state.issue.count;
	for (size_t i = 0; i < job->target_count; i++) {
		const struct state_target *target =
			state_target_find(&job->state, job->targets[i].target->name);
		fails |= job->targets[i].error.code || (target && target->attempt.count);
	}
	return fails;
}

enum status_grade status_grade(const struct status *status, const struct pass_job *job)
{
	int64_t until = status_until(status, job);
	if (!until || until <= status->pass.now)
		return STATUS_LOST;
	if (pass_job_current(&status->pass, job))
		return STATUS_GOOD;
	return something_fails(job) ? STATUS_FAILING : STATUS_WAITING;
}

const char *status_grade_name(enum status_grade grade)
{
	static const char *const names[] = {"good", "waiting", "failing", "lost"};
	return names[grade];
}

int64_t status_until(const struct status *status, const struct pass_job *job)
{
	int64_t until = tell_served_until(&status->pass, job);
	return until ? until : job->state.newest ? job->state.facts.not_after : 0;
}

int64_t status_since(const struct pass_job *job)
{
	const struct state *state = &job->state;
	int64_t since = state->issue.count ? state->issue.since : 0;
	for (size_t i = 0; i < state->target_count; i++) {
		const struct state_attempt *attempt = &state->targets[i].attempt;
		if (attempt->count && (!since || attempt->since < since))
			since = attempt->since;
	}
	for (size_t i = 0; i < state->alarm_count; i++)
		if (!since || state->alarms[i].since < since)
			since = state->alarms[i].since;
	return since;
}

char *status_when(int64_t time, int64_t now)
{
	char text[DURATION_TEXT_SIZE];
	if (time > now)
		return string_format("in %s", duration_format(time - now, text));
	return string_format("%s ago", duration_format(now - time, text));
}

static bool print(const struct command_options *options, const struct status *status)
{
	if (options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = status_json(status);
		return command_print_json(json);
	}
	CLEANUP(buffer_free) struct buffer text = BUFFER(TEXT_LIMIT);
	if (options->html) {
		status_html(status, &text);
	} else {
		struct terminal terminal;
		terminal_look(&terminal);
		status_table(status, &terminal, &text);
	}
	if (text.failed) {
		log_error("there is more to show than %d bytes; name some certificates",
			  TEXT_LIMIT);
		return false;
	}
	return command_print(buffer_text(&text));
}

int command_status(const struct command_options *options)
{
	if (options->json + options->html + options->watch > 1) {
		log_error("only one of --json, --html and --watch can be had");
		return PASS_EXIT_USAGE;
	}
	if (options->watch)
		return status_watch(options);

	struct status status = {.config = command_config(options)};
	struct error error = {0};
	if (!status.config)
		return PASS_EXIT_CONFIGURATION;
	int result = PASS_EXIT_FAILED;
	if (!command_names_known(options, status.config))
		result = PASS_EXIT_USAGE;
	else if (look(&status, &options->arguments, &error) < 0)
		command_fail(options, result, &error);
	else if (print(options, &status))
		result = status.exit_status;
	status_free(&status);
	return result;
}
