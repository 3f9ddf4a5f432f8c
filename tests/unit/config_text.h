/* config_text.h - configurations from text, and what is wrong with them, in one line each. */
#ifndef ORIGIN_CA_TESTS_CONFIG_TEXT_H
#define ORIGIN_CA_TESTS_CONFIG_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "config/model.h"

static inline struct config *config_of_bytes(const char *text, size_t length)
{
	struct config *config = NULL;
	struct error error = {0};
	if (config_load_text("/c/agent.ini", text, length, &config, &error) < 0)
		fail_msg("%s; %s", error.message, error.remedy);
	return config;
}

static inline struct config *config_of(const char *text)
{
	return config_of_bytes(text, strlen(text));
}

/* All problems, a line each: "FILE:LINE: MESSAGE; REMEDY". */
static inline char *config_problems(const struct config *config)
{
	struct buffer all = BUFFER(1 << 20);
	for (size_t i = 0; i < config->problem_count; i++) {
		CLEANUP(freep) char *text = config_problem_text(&config->problems[i]);
		buffer_add_format(&all, "%s%s%s", i ? "\n" : "",
				  config->problems[i].warning ? "(warning) " : "", text);
	}
	return buffer_take(&all);
}

/* Exactly these problems. */
static inline void assert_problems(const struct config *config, const char *expected)
{
	CLEANUP(freep) char *problems = config_problems(config);
	assert_string_equal(problems, expected);
}

/* Loading `text` gives exactly these problems. */
static inline void assert_text_problems(const char *text, const char *expected)
{
	CLEANUP(config_freep) struct config *config = config_of(text);
	assert_problems(config, expected);
}

/* Loading `text` fails with "MESSAGE; REMEDY". */
static inline void assert_text_fails(const char *text, const char *expected)
{
	struct config *config = NULL;
	struct error error = {0};
	assert_true(config_load_text("/c/agent.ini", text, strlen(text), &config, &error) < 0);
	assert_null(config);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	CLEANUP(freep)
	char *all =
		string_format("%s%s%s", error.message, error.remedy[0] ? "; " : "", error.remedy);
	assert_string_equal(all, expected);
}

static inline const struct config_certificate *certificate_of(const struct config *config,
							      const char *name)
{
	const struct config_certificate *certificate = config_certificate_find(config, name);
	if (!certificate) {
		CLEANUP(freep) char *problems = config_problems(config);
		fail_msg("no certificate %s: %s", name, problems);
	}
	return certificate;
}

static inline void assert_list(const struct string_list *list, const char *joined)
{
	CLEANUP(freep) char *text = string_list_join(list, " ");
	assert_string_equal(text, joined);
}

#endif
