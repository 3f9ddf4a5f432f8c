/*
 * config_test.h - the server's own test of its configuration, before it is told to take it up: a
 * server must not be restarted into a configuration that somebody else has broken.
 *
 * The agent cannot test (nginx -t opens keys and logs): a oneshot unit does it as root, packaged as
 * origin-ca-agent-test@NAME.service for the servers that we know, or `config_test = UNIT`.
 */
#ifndef ORIGIN_CA_PASS_CONFIG_TEST_H
#define ORIGIN_CA_PASS_CONFIG_TEST_H

#include "pass/pass.h"

enum {
	CONFIG_TEST_PASSED = 1
};

/*
 * The unit that tests what `unit` of the target reads; NULL when there is none (`config_test =
 * none`, or a unit that the packaged test would not test). Free it.
 */
char *config_test_unit(const struct config_target *target, const char *unit);

/*
 * Tests, for at most `timeout_ms`. CONFIG_TEST_PASSED, or 0 when nothing could be tested: no such
 * unit is installed, or (after a warning) the agent may not start it, or it says (exit status 69)
 * that it cannot test here (-ENOTSUP): `error` says why then.
 * -EBADMSG (class deploy, with the server's words) when the server would refuse its configuration;
 * other errors when the test did not end.
 */
int config_test(struct pass *pass, const struct config_target *target, const char *unit,
		int64_t timeout_ms, struct error *error);

#endif
