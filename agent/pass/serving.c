#include "pass/serving.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "target/kind.h"
#include "target/probe.h"

enum {
	NAME_MS = 1000 /* behind the first: the server answers */
};

const char *serving_answer_name(enum serving_answer answer)
{
	static const char *const names[] = {
		[SERVING_NOT] = "not shown",
		[SERVING_SHOWN] = "shown",
		[SERVING_UNKNOWN] = "unknown",
		[SERVING_UNPROBED] = "not probed",
	};
	return names[answer];
}

static bool is_it(const char *serial, const struct probe_result *seen)
{
	char shown[SERIAL_TEXT_SIZE];
	return serial_read(seen->facts.serial, shown) && strcmp(shown, serial) == 0;
}

static void target_look(struct serving_target *entry, struct probe *probe, const char *serial,
			const struct serving_question *question)
{
	const struct config_target *target = entry->target;
	int64_t most = target_look_ms(target, 1);
	int64_t deadline =
		clock_monotonic_ms() + most + (int64_t)question->hostnames->count * NAME_MS;
	if (!target->probe_host) {
		entry->answer = SERVING_UNPROBED;
		return;
	}
	for (size_t i = 0; i < question->hostnames->count; i++) {
		const char *hostname = question->hostnames->items[i];
		struct probe_result seen = {0};
		struct error error = {0};
		int64_t left = deadline - clock_monotonic_ms();
		int result =
			left <= 0 ? error_set(&error, ERROR_DEPLOY, -ETIMEDOUT,
					      "%s:%u was not asked for all names in time",
					      target->probe_host, target->probe_port)
				  : probe_handshake(probe, target->probe_host, target->probe_port,
						    hostname, question->key_type,
						    left < most ? left : most, &seen, &error);
		bool shown = result == 0 && is_it(serial, &seen);
		probe_result_free(&seen);
		if (shown) {
			entry->answer = SERVING_SHOWN;
			entry->hostname = hostname;
			return;
		}
		/* Nobody listens: then nothing is served there, for no name; but one that answered
		 * a moment ago is being restarted. */
		if (result == -ECONNREFUSED && i == 0)
			return;
		/* An alert ("unrecognized name") is an answer, and not this certificate. */
		if (result < 0 && result != -EPROTO) {
			entry->answer = SERVING_UNKNOWN;
			entry->error = error;
			if (result == -ETIMEDOUT || result == -EHOSTUNREACH)
				return;
		}
	}
}

static char loopback[] = "127.0.0.1";
static char usual_names[][sizeof("127.0.0.1:8443")] = {"127.0.0.1:443", "127.0.0.1:8443"};

/* Where servers listen when nobody says so. */
static const struct config_target usual[] = {
	{.name = usual_names[0], .probe_host = loopback, .probe_port = 443, .probe_timeout = 5},
	{.name = usual_names[1], .probe_host = loopback, .probe_port = 8443, .probe_timeout = 5},
};

static bool is_probed(const struct config *config, const struct config_target *address)
{
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = config->targets[i];
		if (target->probe_host && strcmp(target->probe_host, address->probe_host) == 0 &&
		    target->probe_port == address->probe_port)
			return true;
	}
	return false;
}

static void usual_look(const struct config *config, struct serving *serving, struct probe *probe,
		       const char *serial, const struct serving_question *question)
{
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		struct serving_target entry = {.target = &usual[i]};
		if (is_probed(config, entry.target))
			continue;
		target_look(&entry, probe, serial, question);
		if (entry.answer == SERVING_SHOWN || entry.answer == SERVING_UNKNOWN)
			serving->items[serving->count++] = entry;
	}
}

int serving_look(const struct config *config, const struct serving_question *question,
		 struct serving *ret_serving, struct error *error)
{
	char serial[SERIAL_TEXT_SIZE];
	CLEANUP(probe_freep) struct probe *probe = NULL;
	if (!serial_read(question->id, serial))
		return error_set(error, ERROR_BUG, -EINVAL, "not a certificate's id");
	int result = probe_new(&probe, error);
	if (result < 0)
		return result;
	struct serving serving = {
		.items = memory_alloc(config->target_count + ARRAY_SIZE(usual),
				      sizeof(*serving.items)),
		.count = config->target_count,
	};
	for (size_t i = 0; i < serving.count; i++) {
		serving.items[i].target = config->targets[i];
		target_look(&serving.items[i], probe, serial, question);
	}
	usual_look(config, &serving, probe, serial, question);
	*ret_serving = serving;
	return 0;
}

void serving_free(struct serving *serving)
{
	free(serving->items);
	*serving = (struct serving){0};
}
