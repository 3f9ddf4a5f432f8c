/* certificate_formats.c - the files beside PEM that a certificate is kept in. */
#include <errno.h>

#include "config/certificate.h"

static const struct value_word formats[] = {
	{"pem", 0}, /* always */
	{"der", FORMAT_DER}, {"p7b", FORMAT_P7B},
	{"p12", FORMAT_P12}, {"combined", FORMAT_COMBINED},
};

int certificate_set_formats(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	CLEANUP(value_items_free) struct value_items items = {0};
	value_items(value, &items);
	if (items.count == 0)
		return value_refuse(value, "names no format");
	int result = 0;
	for (size_t i = 0; i < items.count; i++) {
		struct value item = *value;
		int format = 0;
		item.text = items.items[i].text;
		item.place.line = items.items[i].line;
		if (value_choose(&item, formats, ARRAY_SIZE(formats), &format) < 0)
			result = -EINVAL;
		section->certificate->formats |= (unsigned)format;
	}
	return result;
}

int certificate_set_keystore_password_file(const struct value *value, void *object)
{
	struct certificate_section *section = object;
	int result = value_path(value, &section->certificate->keystore_password_file);
	if (result < 0)
		value_remedy(value, "write the path of a file that holds the password, never the "
				    "password itself");
	return result;
}

char *certificate_formats_text(unsigned which)
{
	CLEANUP(string_list_free) struct string_list words = {0};
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if ((unsigned)formats[i].number & which)
			string_list_add(&words, formats[i].word);
	return string_list_join(&words, ", ");
}

static bool has_target(const struct config_certificate *certificate, enum target_type type)
{
	for (size_t i = 0; i < certificate->target_count; i++)
		if (certificate->targets[i]->type == type)
			return true;
	return false;
}

int certificate_formats_check(const struct certificate_section *reading)
{
	struct config_certificate *certificate = reading->certificate;
	struct problem_list *problems = &reading->build->problems;
	/* The one file with key and certificates that HAProxy reads. */
	if (has_target(certificate, TARGET_HAPROXY))
		certificate->formats |= FORMAT_COMBINED;

	bool p12 = certificate->formats & FORMAT_P12;
	if (p12 && !certificate->keystore_password_file) {
		problem_error(problems, certificate_key_place(reading, "formats"),
			      "format p12 needs \"keystore_password_file\"");
		return problem_remedy(problems, "write the path of a file whose first line is the "
						"password that the keystore is to have");
	}
	if (certificate->keystore_password_file && !p12 &&
	    !has_target(certificate, TARGET_TOMCAT)) {
		problem_warning(problems, certificate_key_place(reading, "keystore_password_file"),
				"\"keystore_password_file\" has no effect: there is no keystore");
		problem_remedy(problems, "write \"formats = p12\", or remove the line");
	}
	return 0;
}
