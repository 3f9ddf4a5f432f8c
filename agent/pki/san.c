#include "pki/san.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/memory.h"
#include "pki/openssl_error.h"

enum {
	HOSTNAME_LIMIT = 253, /* RFC 1035, 2.3.4, without the final dot */
};

DEFINE_CLEANUP(GENERAL_NAMES *, GENERAL_NAMES_free)

/* Space, controls and everything above ASCII: not in a name, and not in a log. */
static bool name_plain(const unsigned char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f)
			return false;
	return length > 0;
}

static bool names_add(GENERAL_NAMES *names, const char *hostname)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	if (!name || !text || !ASN1_STRING_set(text, hostname, (int)strlen(hostname))) {
		ASN1_IA5STRING_free(text);
		GENERAL_NAME_free(name);
		return false;
	}
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	if (sk_GENERAL_NAME_push(names, name) <= 0) {
		GENERAL_NAME_free(name);
		return false;
	}
	return true;
}

int san_make(const struct string_list *hostnames, bool critical, X509_EXTENSION **ret_extension,
	     struct error *error)
{
	if (hostnames->count == 0)
		return error_set(error, ERROR_BUG, -EINVAL,
				 "cannot write subjectAltName: no hostname");

	ERR_clear_error();
	CLEANUP(GENERAL_NAMES_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();
	for (size_t i = 0; names && i < hostnames->count; i++) {
		const char *hostname = hostnames->items[i];
		if (strlen(hostname) > HOSTNAME_LIMIT ||
		    !name_plain((const unsigned char *)hostname, strlen(hostname)))
			return error_set(error, ERROR_BUG, -EINVAL,
					 "cannot write subjectAltName: \"%s\" is not a hostname",
					 hostname);
		if (!names_add(names, hostname))
			return openssl_error(error, ERROR_LOCAL, -ENOMEM,
					     "cannot write subjectAltName");
	}
	X509_EXTENSION *extension =
		names ? X509V3_EXT_i2d(NID_subject_alt_name, critical, names) : NULL;
	if (!extension)
		return openssl_error(error, ERROR_LOCAL, -ENOMEM, "cannot write subjectAltName");
	*ret_extension = extension;
	return 0;
}

static char *name_printable(const ASN1_STRING *value)
{
	char *text = string_format("%.*s", ASN1_STRING_length(value),
				   (const char *)ASN1_STRING_get0_data(value));
	for (char *at = text; *at; at++)
		if (*at < 0x20 || *at >= 0x7f)
			*at = '?';
	return text;
}

/* A name of another kind than dNSName, in words. */
static char *name_describe(const GENERAL_NAME *name)
{
	int kind = 0;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &kind);
	char address[INET6_ADDRSTRLEN] = "of a wrong length";

	if (kind == GEN_IPADD) {
		int length = ASN1_STRING_length(value);
		if (length == 4 || length == 16)
			inet_ntop(length == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value),
				  address, sizeof(address));
		return string_format("IP %s", address);
	}
	if (kind == GEN_EMAIL || kind == GEN_URI) {
		CLEANUP(freep) char *text = name_printable(value);
		return string_format("%s %.253s", kind == GEN_EMAIL ? "email" : "URI", text);
	}
	return string_format("a name of kind %d", kind);
}

static int name_read(const GENERAL_NAME *name, struct string_list *hostnames,
		     struct string_list *others, struct error *error)
{
	if (name->type != GEN_DNS) {
		if (others)
			string_list_take(others, name_describe(name));
		return 0;
	}

	const ASN1_IA5STRING *value = name->d.dNSName;
	size_t length = (size_t)ASN1_STRING_length(value);
	const unsigned char *text = ASN1_STRING_get0_data(value);
	if (!name_plain(text, length)) {
		CLEANUP(freep) char *shown = name_printable(value);
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "cannot read subjectAltName: the name of %zu bytes that starts "
				 "with \"%.253s\" is empty or has bytes that no hostname has",
				 length, shown);
	}
	char *hostname = string_copy_n((const char *)text, length);
	for (char *at = hostname; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	string_list_take(hostnames, hostname);
	return 0;
}

int san_read_extensions(const STACK_OF(X509_EXTENSION) * extensions, struct string_list *hostnames,
			struct string_list *others, struct error *error)
{
	ERR_clear_error();
	int found = 0;
	CLEANUP(GENERAL_NAMES_freep)
	GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, &found, NULL);
	if (!names && found == -1)
		return 0;
	if (!names && found == -2)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "cannot read subjectAltName: it is there twice");
	if (!names)
		return openssl_error(error, ERROR_LOCAL, -EBADMSG, "cannot read subjectAltName");

	int result = 0;
	for (int i = 0; result == 0 && i < sk_GENERAL_NAME_num(names); i++)
		result = name_read(sk_GENERAL_NAME_value(names, i), hostnames, others, error);
	return result;
}

int san_read(const X509 *leaf, struct string_list *hostnames, struct string_list *others,
	     struct error *error)
{
	return san_read_extensions(X509_get0_extensions(leaf), hostnames, others, error);
}
