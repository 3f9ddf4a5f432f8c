#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "commands/command.h"
#include "config/duration.h"
#include "pass/report.h"
#include "pass/verify.h"

/* What one handshake after the other showed, for people and as JSON at once. */
struct showing {
	struct buffer text;
	cJSON *array;
	bool all_hold;
};

static void show_hostname(const struct verify *verify, size_t index, struct showing *showing,
			  cJSON *array)
{
	const char *hostname = verify->job->certificate->hostnames.items[index];
	const struct leaf_facts *facts = &verify->seen[index].facts;
	enum verify_shown shown = verify->shown[index];
	cJSON *json = json_append_object(array);
	json_add_string(json, "hostname", hostname);
	json_add_string(json, "shown", verify_shown_name(shown));

	buffer_add_format(&showing->text, "    %-40s %s", hostname, verify_shown_name(shown));
	if (shown != VERIFY_NOTHING && shown != VERIFY_PENDING) {
		char left[DURATION_TEXT_SIZE];
		json_add_string(json, "serial", facts->serial);
		json_add_string(json, "sha256", facts->sha256);
		json_add_time(json, "not_after", facts->not_after);
		json_add_list(json, "hostnames", &facts->hostnames);
		buffer_add_format(&showing->text, ", serial %s, valid for %s", facts->serial,
				  duration_format(facts->not_after - clock_now(), left));
	}
	buffer_add_text(&showing->text, "\n");
}

static void show_target(const struct pass *pass, const struct pass_job *job,
			const struct pass_target_job *target_job, struct probe *probe,
			struct showing *showing)
{
	const struct config_target *target = target_job->target;
	struct verify verify;
	cJSON *json = json_append_object(showing->array);
	json_add_string(json, "certificate", job->certificate->name);
	json_add_string(json, "target", target->name);
	if (!target->probe_host) {
		json_add_null(json, "address");
		buffer_add_format(&showing->text, "%s at %s: not probed (probe = none)\n",
				  job->certificate->name, target->name);
		return;
	}
	json_add_format(json, "address", "%s:%u", target->probe_host, target->probe_port);

	verify_begin(&verify, pass, job, target_job);
	verify_look(&verify, probe, clock_monotonic_ms() + target->probe_timeout * 1000);
	bool holds = job->state.newest && verify_holds(&verify);
	showing->all_hold &= holds;
	json_add_bool(json, "holds", holds);
	json_add_integer(json, "generation", job->state.newest);
	buffer_add_format(&showing->text, "%s at %s (%s:%u): %s\n", job->certificate->name,
			  target->name, target->probe_host, target->probe_port,
			  holds ? "served" : "NOT served");
	cJSON *hostnames = json_add_array(json, "hostnames");
	for (size_t i = 0; i < verify.count; i++)
		show_hostname(&verify, i, showing, hostnames);
	if (verify.error.code && !holds) {
		report_error_json(&verify.error, json);
		buffer_add_format(&showing->text, "    %s\n", verify.error.message);
	}
	verify_end(&verify);
}

static int show_all(const struct command_options *options, const struct pass *pass)
{
	CLEANUP(probe_freep) struct probe *probe = NULL;
	CLEANUP(cJSON_Deletep) cJSON *json = json_object();
	struct showing showing = {.text = BUFFER(64 << 20), .all_hold = true};
	struct error error = {0};

	if (probe_new(&probe, &error) < 0)
		return command_fail(options, PASS_EXIT_FAILED, &error);
	json_add_integer(json, "version", 1);
	showing.array = json_add_array(json, "probes");
	for (size_t i = 0; i < pass->job_count; i++)
		for (size_t j = 0; j < pass->jobs[i].target_count; j++)
			show_target(pass, &pass->jobs[i], &pass->jobs[i].targets[j], probe,
				    &showing);
	bool printed = options->json ? command_print_json(json)
				     : command_print(buffer_text(&showing.text));
	buffer_free(&showing.text);
	return printed && showing.all_hold ? PASS_EXIT_CURRENT : PASS_EXIT_FAILED;
}

int command_probe(const struct command_options *options)
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
	if (pass_look(config, &look, &pass, &error) < 0)
		command_fail(options, status, &error);
	else
		status = show_all(options, &pass);
	pass_free(&pass);
	return status;
}
