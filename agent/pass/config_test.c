#include "pass/config_test.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/paths.h"
#include "target/kind.h"
#include "target/unit.h"

enum {
	EXIT_UNTESTABLE = 69 /* units/test-configuration: EX_UNAVAILABLE */
};

/* The packaged tests know the packaged servers: another instance has another configuration. */
static bool is_packaged(const struct config_target *target, const char *unit)
{
	const struct target_kind *kind = target_kind(target->type);
	for (size_t i = 0; i < kind->unit_count; i++)
		if (strcmp(kind->units[i], unit) == 0)
			return true;
	return false;
}

char *config_test_unit(const struct config_target *target, const char *unit)
{
	if (target->config_test)
		return string_copy(target->config_test);
	if (target->untested || !unit || !is_packaged(target, unit))
		return NULL;
	return string_format("%s-test@%s", path_user, unit);
}

/* "origin-ca-agent-test@nginx.service: test failed: WORDS" is about nginx.service. */
static int refused(const char *unit, const char *test, struct error *error)
{
	struct error said = *error;
	size_t skip = strlen(test) + strlen(": ");
	error_set(error, ERROR_DEPLOY, -EBADMSG, "%s: configuration %s", unit,
		  string_starts(said.message, test) && strlen(said.message) > skip
			  ? said.message + skip
			  : said.message);
	return error_remedy(error,
			    "mend it: nothing was reloaded; `journalctl --unit %s` shows all of "
			    "it, and `config_test = none` does without the test",
			    test);
}

static void tell_untested(struct pass *pass, const char *unit, const struct error *error)
{
	if (!pass->untested_told)
		log_warning("%s is not tested before it is reloaded: %s; %s", unit, error->message,
			    error_advice(error));
	pass->untested_told = true;
}

int config_test(struct pass *pass, const struct config_target *target, const char *unit,
		int64_t timeout_ms, struct error *error)
{
	CLEANUP(freep) char *test = config_test_unit(target, unit);
	struct unit_status status = {0};
	struct error reason = {0};
	if (!test)
		return 0;
	int result = unit_status(pass->bus, test, &status, error);
	if (result < 0)
		return result;
	/* Not installed: a packaged one is not needed, one that was written is. */
	if (strcmp(status.load_state, "not-found") == 0 && !target->config_test)
		return 0;
	log_progress("%s: waiting for the test of its configuration", target->name);
	result = unit_job(pass->bus, test, UNIT_TEST, timeout_ms, &reason);
	log_progress("%s", "");
	if (result == 0)
		return CONFIG_TEST_PASSED;
	if (result == EXIT_UNTESTABLE) {
		error_set(error, ERROR_CONFIGURATION, -ENOTSUP,
			  "%s: the configuration cannot be tested here", test);
		error_remedy(error,
			     "`journalctl --unit %s` says why; `config_test = none` does "
			     "without the test",
			     test);
		tell_untested(pass, unit, error);
		return 0;
	}
	/* Another status that the unit calls a success. */
	if (result > 0)
		return CONFIG_TEST_PASSED;
	*error = reason;
	if (reason.class == ERROR_AUTHORIZATION || reason.class == ERROR_CONFIGURATION) {
		tell_untested(pass, unit, &reason);
		return 0;
	}
	return result == -EIO ? refused(unit, test, error) : result;
}
