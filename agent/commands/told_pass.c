#include "commands/told_pass.h"

#include <errno.h>

#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "pass/hook.h"
#include "pass/report.h"

int told_pass(const struct command_options *options, const struct config *config,
	      const struct pass_options *pass_options, bool print)
{
	struct pass pass;
	struct error error = {0};
	if (!pass_options->dry_run)
		stop_catch();
	int result = pass_run(config, pass_options, &pass, &error);
	if (result < 0) {
		pass_free(&pass);
		return command_fail(options,
				    result == -EWOULDBLOCK ? PASS_EXIT_LOCKED : PASS_EXIT_FAILED,
				    &error);
	}
	int status = (int)pass_exit_status(&pass);
	if (print && options->json) {
		CLEANUP(cJSON_Deletep) cJSON *json = report_json(&pass);
		report_log(&pass);
		if (!command_print_json(json))
			status = PASS_EXIT_FAILED;
	} else if (print) {
		struct buffer text = BUFFER(64 << 20);
		report_text(&pass, &text);
		if (!command_print(buffer_text(&text)))
			status = PASS_EXIT_FAILED;
		buffer_free(&text);
	} else {
		report_log(&pass);
	}
	/* The next pass need not wait for it. */
	store_close(&pass.store);
	hook_run(&pass);
	pass_free(&pass);
	if (stop_requested())
		log_notice("stopped as told; what is left is for the next pass");
	return status;
}
