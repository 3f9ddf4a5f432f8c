/* last_pass.h - what `status` says of a pass that did not come to its end. */
#ifndef ORIGIN_CA_COMMANDS_LAST_PASS_H
#define ORIGIN_CA_COMMANDS_LAST_PASS_H

#include <cjson/cJSON.h>

#include "pass/pass.h"

/* "last_pass": {"ended", "signal", "exit_status", "out_of_time", "failures", "stuck_since",
 * "last_try", "next_try"}; nothing when the last pass ended well. */
void last_pass_json(const struct pass *pass, cJSON *json);

/* Two lines, or none. */
void last_pass_text(const struct pass *pass, struct buffer *text);

#endif
