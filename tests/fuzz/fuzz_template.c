/*
 * Templates and values that no one would write. The input is: one byte for the escape, then the
 * template, values (JSON) and partials "a", "b" and "c", with a 0 byte between them.
 *
 * Besides what the sanitizers see, it holds that rendering is deterministic, that a failure says
 * where and leaves no output, and that no value that was escaped brings a control character in.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include "target/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
	const char *text;
	size_t length;
};

static struct part part_next(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
	struct part part = {(const char *)*data, end ? (size_t)(end - *data) : *size};
	size_t used = part.length + (end ? 1 : 0);
	*data += used;
	*size -= used;
	return part;
}

static int partial(const char *name, struct buffer *text, void *context, struct error *error)
{
	const struct part *parts = context;
	(void)error;
	if (name[0] < 'a' || name[0] > 'c' || name[1])
		return -ENOENT;
	buffer_add(text, parts[name[0] - 'a'].text, parts[name[0] - 'a'].length);
	return 0;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool has_control(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum template_escape escape = (enum template_escape)(data[0] % (TEMPLATE_ESCAPE_NONE + 1));
	data++;
	size--;
	struct part template = part_next(&data, &size);
	struct part json = part_next(&data, &size);
	struct part parts[3] = {{0}};
	bool control = has_control(template.text, template.length);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		parts[i] = part_next(&data, &size);
		control = control || has_control(parts[i].text, parts[i].length);
	}
	cJSON *values = json_parse(json.text, json.length);

	struct template_options options = {
		.escape = escape,
		.partial = partial,
		.context = parts,
		.source_name = "fuzz",
	};
	struct buffer once = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct buffer again = BUFFER(TEMPLATE_OUTPUT_LIMIT);
	struct error error = {0};
	int result =
		template_render(template.text, template.length, values, &options, &once, &error);
	check(result ==
	      template_render(template.text, template.length, values, &options, &again, NULL));
	check(once.length == again.length &&
	      memcmp(buffer_text(&once), buffer_text(&again), once.length) == 0);
	check(result == 0 ||
	      (once.length == 0 && error.code == result && error.class == ERROR_CONFIGURATION &&
	       (strchr(error.message, ':') != NULL)));
	if (!control && escape != TEMPLATE_ESCAPE_HTML)
		check(!has_control(buffer_text(&once), once.length));
	buffer_free(&once);
	buffer_free(&again);
	cJSON_Delete(values);
	return 0;
}
