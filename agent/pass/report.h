/* report.h - what a pass did or would do: log lines, one text for people, one JSON object. */
#ifndef ORIGIN_CA_PASS_REPORT_H
#define ORIGIN_CA_PASS_REPORT_H

#include <cjson/cJSON.h>

#include "base/buffer.h"
#include "pass/pass.h"

/* Every event and every failure of the pass; what many certificates have in common in one line
 * (base/summary.h). Silent about what is current. */
void report_log(const struct pass *pass);

/* A line per certificate, what is waiting or failed below it, in a dry run what would change in
 * each snippet, and a closing sentence. */
void report_text(struct pass *pass, struct buffer *text);

/*
 * {"version": 1, "exit_status", "changed", "dry_run", "certificates": [{"name", "outcome",
 * "reissue": [reasons], "derive": [reasons], "issued", "adopted", "generation", "serial",
 * "not_after", "renew_at", "error": {"class", "message", "remedy", "retry_at"}, "targets":
 * [{"name", "redeploy": [reasons], "deployed", "verified", "held", "diff" (dry run), "error"}]}],
 * "problems": [{"file", "line", "message", "remedy", "warning"}]}. Outcomes: "current", "issued",
 * "adopted", "deployed", "due" (dry run), "waiting", "failed". Free it.
 */
cJSON *report_json(struct pass *pass);

/* The problems of a configuration, as the array above. */
void report_problems_json(const struct config *config, cJSON *array);

/* {"class", "message", "remedy"}; added to `object` as "error" unless there is none. */
void report_error_json(const struct error *error, cJSON *object);

#endif
