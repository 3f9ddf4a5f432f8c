#include "config/hostname.h"

#include <arpa/inet.h>
#include <errno.h>
#include <idn2.h>
#include <string.h>

#include "base/memory.h"

enum {
	INPUT_LIMIT = 1000, /* bytes: room for 253 characters of UTF-8 */
	NAME_LIMIT = 253,
	LABEL_LIMIT = 63
};

static int refuse(struct error *error, const char *text, const char *what)
{
	return error_set(error, ERROR_CONFIGURATION, -EINVAL, "hostname \"%s\" %s", text, what);
}

/* What people paste instead of a hostname. Returns 0 when it is none of these. */
static int refuse_lookalike(const char *text, struct error *error)
{
	struct in6_addr address;
	char inside[INET6_ADDRSTRLEN];
	size_t length = strlen(text);
	const char *bare = text;
	if (text[0] == '[' && length > 2 && length < sizeof(inside) && text[length - 1] == ']') {
		memcpy(inside, text + 1, length - 2);
		inside[length - 2] = '\0';
		bare = inside;
	}
	if (inet_pton(AF_INET6, bare, &address) == 1 || inet_pton(AF_INET, text, &address) == 1) {
		refuse(error, text, "is an IP address");
		return error_remedy(error, "Origin CA certificates are for hostnames only");
	}
	if (strchr(text, '/')) {
		refuse(error, text, "holds a \"/\"");
		return error_remedy(error, "write the hostname alone, without scheme and path");
	}
	if (strchr(text, ':')) {
		refuse(error, text, "holds a \":\"");
		return error_remedy(error, "write the hostname alone, without a port");
	}
	if (text[0] == '.') {
		refuse(error, text, "starts with a dot");
		return error_remedy(error, "for all names below it write \"*%s\"", text);
	}
	return 0;
}

static const char *label_fault(const char *label, size_t length)
{
	if (length == 0)
		return "has an empty label (two dots in a row)";
	if (length > LABEL_LIMIT)
		return "has a label of more than 63 characters";
	if (memchr(label, '*', length))
		return "has a \"*\" that is not the whole leftmost label";
	if (memchr(label, '_', length))
		return "has an underscore, which no certificate may hold";
	if (label[0] == '-' || label[length - 1] == '-')
		return "has a label that starts or ends with \"-\"";
	for (size_t i = 0; i < length; i++) {
		char c = label[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
			return "holds a character that is not a letter, a digit, \"-\" or \".\"";
	}
	return NULL;
}

/* `name` is lower-case ASCII without final dot; `text` is what the message names. */
static int ascii_check(const char *name, const char *text, struct error *error)
{
	if (strlen(name) > NAME_LIMIT)
		return refuse(error, text, "is longer than 253 characters");

	const char *label = string_starts(name, "*.") ? name + 2 : name;
	for (unsigned count = 1;; count++) {
		size_t length = strcspn(label, ".");
		const char *fault = label_fault(label, length);
		if (fault)
			return refuse(error, text, fault);
		if (label[length] == '.') {
			label += length + 1;
			continue;
		}
		if (count < 2) {
			refuse(error, text, "needs at least two labels, as in \"example.com\"");
			return error_remedy(error, "write the full name, with its domain");
		}
		/* No top-level domain is a number, and resolvers take such a name for an address.
		 */
		if (strspn(label, "0123456789") == length)
			return refuse(error, text, "ends in a number, like an IP address");
		return 0;
	}
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

static void lower(char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

static int to_ascii(const char *text, char **ret_ascii, struct error *error)
{
	/* libidn2 knows no wildcards: the label is put back afterwards. */
	bool wildcard = string_starts(text, "*.");
	char *converted = NULL;
	int result = idn2_to_ascii_8z(wildcard ? text + 2 : text, &converted,
				      IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (result == IDN2_MALLOC) {
		error_errno(error, -ENOMEM, "cannot convert hostname \"%s\"", text);
		return -ENOMEM;
	}
	if (result != IDN2_OK) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "hostname \"%s\" is not an internationalised name: %s", text,
			  idn2_strerror(result));
		error_remedy(error, "if it really exists, write its ASCII form (xn--...)");
		return -EINVAL;
	}
	*ret_ascii = string_format("%s%s", wildcard ? "*." : "", converted);
	idn2_free(converted);
	return 0;
}

int hostname_normalise(const char *text, char **ret_ascii, struct error *error)
{
	size_t length = strlen(text);
	if (length == 0)
		return error_set(error, ERROR_CONFIGURATION, -EINVAL, "a hostname is empty");
	if (length > INPUT_LIMIT)
		return error_set(error, ERROR_CONFIGURATION, -EINVAL,
				 "a hostname is %zu bytes long; at most 253 characters are allowed",
				 length);
	int result = refuse_lookalike(text, error);
	if (result < 0)
		return result;

	CLEANUP(freep) char *name = NULL;
	if (is_ascii(text))
		name = string_copy(text);
	else
		result = to_ascii(text, &name, error);
	if (result < 0)
		return result;

	lower(name);
	length = strlen(name);
	if (length > 1 && name[length - 1] == '.')
		name[length - 1] = '\0';
	result = ascii_check(name, text, error);
	if (result < 0)
		return result;
	*ret_ascii = TAKE_PTR(name);
	return 0;
}

bool hostname_covers(const char *pattern, const char *name)
{
	if (strcmp(pattern, name) == 0)
		return true;
	if (!string_starts(pattern, "*.") || string_starts(name, "*."))
		return false;
	const char *dot = strchr(name, '.');
	return dot && dot > name && strcmp(dot, pattern + 1) == 0;
}
