/*
 * fuzz_ini.c - any text as the main file: the reader that drives inih, every key, the model.
 *
 * Beside "it does not crash" it holds what the rest of the program relies on: sorted names,
 * hostnames that are checked, and a message for each thing that is left out.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config/hostname.h"
#include "config/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
	if (!condition)
		abort();
}

static void check_certificate(const struct config *config,
			      const struct config_certificate *certificate)
{
	must(certificate->api != NULL);
	must(certificate->hostnames.count >= 1 &&
	     certificate->hostnames.count <= CONFIG_HOSTNAME_LIMIT);
	must(certificate->hostnames.count == certificate->hostnames_unicode.count);
	must((certificate->access.mode & 07) == 0);
	must(config_certificate_find(config, certificate->name) == certificate);
	for (size_t i = 0; i < certificate->target_count; i++)
		must(config_target_find(config, certificate->targets[i]->name) ==
		     certificate->targets[i]);
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		struct error error;
		char *again = NULL;
		must(hostname_normalise(certificate->hostnames.items[i], &again, &error) == 0);
		must(strcmp(again, certificate->hostnames.items[i]) == 0);
		free(again);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	struct error error = {0};
	if (size > CONFIG_FILE_LIMIT)
		return 0;
	if (config_load_text("/etc/agent.ini", (const char *)data, size, &config, &error) < 0) {
		must(error.class == ERROR_CONFIGURATION && error.message[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < config->certificate_count; i++) {
		check_certificate(config, config->certificates[i]);
		must(i == 0 ||
		     strcmp(config->certificates[i - 1]->name, config->certificates[i]->name) < 0);
	}
	must(config->broken_certificates.count == 0 || config_error_count(config) > 0);
	for (size_t i = 0; i < config->problem_count; i++) {
		char *text = config_problem_text(&config->problems[i]);
		must(strpbrk(text, "\n\r\x1b") == NULL);
		free(text);
	}
	config_free(config);
	return 0;
}
