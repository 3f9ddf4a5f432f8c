#include "commands/failed_pass.h"

#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "pass/ended.h"

void failed_pass_json(const struct pass *pass, cJSON *json)
{
	struct ended ended;
	if (ended_load(pass->store.fd, pass->store.path, &ended, NULL) < 0)
		return;
	CLEANUP(buffer_free) struct buffer words = BUFFER(1024);
	ended_words(&ended, &words);
	cJSON *object = json_add_object(json, "failed_pass");
	json_add_string(object, "ended", buffer_text(&words));
	if (ended.signal)
		json_add_integer(object, "signal", ended.signal);
	else
		json_add_integer(object, "exit_status", ended.exit_status);
	json_add_bool(object, "out_of_time", ended.out_of_time);
	json_add_integer(object, "failures", ended.count);
	json_add_time(object, "stuck_since", ended.since);
	json_add_time(object, "last_try", ended.at);
	json_add_time(object, "next_try", ended.next_at);
}

bool failed_pass_error(const struct pass *pass, struct error *error)
{
	struct ended ended;
	char at[CLOCK_TEXT_SIZE];
	char since[CLOCK_TEXT_SIZE];
	char next[CLOCK_TEXT_SIZE];
	if (ended_load(pass->store.fd, pass->store.path, &ended, NULL) < 0)
		return false;
	CLEANUP(buffer_free) struct buffer words = BUFFER(1024);
	ended_words(&ended, &words);
	error_set(error, ERROR_BUG, -EIO,
		  "the last pass of the agent %s at %s (%lld in a row since %s), next try at %s",
		  buffer_text(&words), clock_format(ended.at, at), (long long)ended.count,
		  clock_format(ended.since, since), clock_format(ended.next_at, next));
	error_remedy(error, "journalctl -u origin-ca-agent says more; what is served stays");
	return true;
}
