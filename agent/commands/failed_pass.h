/* failed_pass.h - what `status` says of the agent's last pass when it did not come to its end. */
#ifndef ORIGIN_CA_COMMANDS_FAILED_PASS_H
#define ORIGIN_CA_COMMANDS_FAILED_PASS_H

#include <cjson/cJSON.h>

#include "pass/pass.h"

/* "failed_pass": {"ended", "signal" or "exit_status", "out_of_time", "failures", "stuck_since",
 * "last_try", "next_try"}; nothing when the last pass ended well. */
void failed_pass_json(const struct pass *pass, cJSON *json);

/* The same as an error with a remedy, class bug; false when the last pass ended well. */
bool failed_pass_error(const struct pass *pass, struct error *error);

#endif
