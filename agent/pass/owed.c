#include "pass/owed.h"

#include <string.h>
#include <systemd/sd-id128.h>

#include "base/file.h"
#include "base/log.h"

enum {
	OWED_LIMIT = 512 /* bytes: a boot's id and a unit's name (255) */
};

static char *file_name(const struct config_target *target)
{
	return string_format("owed.%s", target->name);
}

/* "" when nobody can tell which boot this is: then nothing is owed beyond the pass. */
static const char *boot_id(char text[static SD_ID128_STRING_MAX])
{
	sd_id128_t id;
	text[0] = '\0';
	if (sd_id128_get_boot(&id) >= 0)
		sd_id128_to_string(id, text);
	return text;
}

void owed_note(const struct pass *pass, const struct config_target *target, const char *unit)
{
	char boot[SD_ID128_STRING_MAX];
	struct error error = {0};
	if (!boot_id(boot)[0])
		return;
	CLEANUP(freep) char *file = file_name(target);
	CLEANUP(freep) char *text = string_format("%s %s\n", boot, unit);
	if (file_write_at(pass->store.fd, pass->store.path, file, text, strlen(text),
			  &FILE_ACCESS(0600), FILE_NO_SYNC, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

void owed_settle(const struct pass *pass, const struct config_target *target)
{
	struct error error = {0};
	CLEANUP(freep) char *file = file_name(target);
	if (file_remove_at(pass->store.fd, pass->store.path, file, &error) < 0)
		log_failure(LOG_LEVEL_WARNING, &error);
}

bool owed_is(const struct pass *pass, const struct config_target *target, const char *unit)
{
	char boot[SD_ID128_STRING_MAX];
	struct buffer text = BUFFER(OWED_LIMIT);
	CLEANUP(freep) char *file = file_name(target);
	bool owed = file_read_at(pass->store.fd, pass->store.path, file, &text, NULL) == 0;
	if (owed) {
		CLEANUP(freep)
		char *wanted =
			string_format("%s %s%s", boot_id(boot), unit ? unit : "", unit ? "\n" : "");
		owed = boot[0] && strncmp(buffer_text(&text), wanted, strlen(wanted)) == 0;
	}
	buffer_free(&text);
	return owed;
}
