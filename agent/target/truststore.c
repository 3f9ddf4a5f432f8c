#include "target/truststore.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "base/file.h"
#include "pki/openssl_error.h"
#include "target/drift.h"
#include "target/snippet.h"

enum {
	TRUSTSTORE_LIMIT = 64 << 10 /* bytes; one certificate has some hundred */
};

/* Java's "trusted key usage" and the value that stands for all of them. */
static const char trusted_usage[] = "2.16.840.1.113894.746875.1.1";
static const char any_usage[] = "2.5.29.37.0";
static const char alias[] = "client-ca";

typedef STACK_OF(PKCS12_SAFEBAG) bag_stack;
typedef STACK_OF(PKCS7) safe_stack;

static void bags_free(bag_stack **bags)
{
	sk_PKCS12_SAFEBAG_pop_free(*bags, PKCS12_SAFEBAG_free);
}

static void safes_free(safe_stack **safes)
{
	sk_PKCS7_pop_free(*safes, PKCS7_free);
}

DEFINE_CLEANUP(PKCS12 *, PKCS12_free)

char *truststore_file_name(const struct config_certificate *certificate)
{
	return string_format("%s.%s", certificate->name, TRUSTSTORE_SUFFIX);
}

/* The bag's attribute that makes Java trust what is in it. */
static bool usage_add(PKCS12_SAFEBAG *bag)
{
	ASN1_OBJECT *type = OBJ_txt2obj(trusted_usage, 1);
	ASN1_OBJECT *value = OBJ_txt2obj(any_usage, 1);
	X509_ATTRIBUTE *attribute =
		type && value ? X509_ATTRIBUTE_create_by_OBJ(NULL, type, V_ASN1_OBJECT, value, -1)
			      : NULL;
	STACK_OF(X509_ATTRIBUTE) *attributes =
		(STACK_OF(X509_ATTRIBUTE) *)(uintptr_t)PKCS12_SAFEBAG_get0_attrs(bag);
	bool good = attribute && attributes && sk_X509_ATTRIBUTE_push(attributes, attribute) > 0;
	if (!good)
		X509_ATTRIBUTE_free(attribute);
	ASN1_OBJECT_free(type);
	ASN1_OBJECT_free(value);
	return good;
}

/* Neither encrypted nor with a MAC: what is in it is public, and no password has to be told. */
static PKCS12 *store_make(X509 *authority)
{
	CLEANUP(bags_free) bag_stack *bags = NULL;
	CLEANUP(safes_free) safe_stack *safes = NULL;
	PKCS12_SAFEBAG *bag = PKCS12_add_cert(&bags, authority);
	if (!bag || !PKCS12_add_friendlyname_utf8(bag, alias, -1) || !usage_add(bag) ||
	    !PKCS12_add_safe(&safes, bags, -1, 0, NULL))
		return NULL;
	return PKCS12_add_safes(safes, 0);
}

int truststore_make(X509 *authority, struct buffer *p12, struct error *error)
{
	ERR_clear_error();
	CLEANUP(PKCS12_freep) PKCS12 *store = store_make(authority);
	unsigned char *data = NULL;
	int length = store ? i2d_PKCS12(store, &data) : 0;
	if (length <= 0)
		return openssl_error(error, ERROR_LOCAL, -EIO, "cannot make a truststore");
	int result = buffer_add(p12, data, (size_t)length);
	OPENSSL_free(data);
	return result < 0 ? error_set(error, ERROR_LOCAL, -EMSGSIZE,
				      "a truststore is larger than %zu bytes", p12->limit)
			  : 0;
}

/* Holds the file against the bytes that it should have. */
static int content_check(int directory, const struct config_target *target, const char *file,
			 const struct buffer *wanted, struct error *error)
{
	struct buffer there = BUFFER(TRUSTSTORE_LIMIT);
	struct file_stamp stamp;
	int result = snippet_read(directory, target, file, &there, error);
	bool same = result == 0 && there.length == wanted->length &&
		    memcmp(buffer_text(&there), buffer_text(wanted), wanted->length) == 0;
	buffer_free(&there);
	if (result == -ENOENT)
		return result;
	if (result < 0 || !same)
		return error_set(error, ERROR_LOCAL, -EBADMSG,
				 "%s/%s is not the truststore that it should be",
				 target->snippet_dir, file);
	if (file_stamp_at(directory, file, &stamp) < 0 || drift_access(&stamp, &target->access))
		return error_set(error, ERROR_LOCAL, -EPERM,
				 "%s/%s has another owner, group or mode", target->snippet_dir,
				 file);
	return 0;
}

int truststore_check(int directory, const struct config_target *target,
		     const struct config_certificate *certificate, X509 *authority,
		     struct error *error)
{
	CLEANUP(freep) char *file = truststore_file_name(certificate);
	struct buffer wanted = BUFFER(TRUSTSTORE_LIMIT);
	int result = truststore_make(authority, &wanted, error);
	if (result == 0)
		result = content_check(directory, target, file, &wanted, error);
	buffer_free(&wanted);
	return result;
}

int truststore_commit(int directory, const struct config_target *target,
		      const struct config_certificate *certificate, X509 *authority,
		      bool *ret_replaced, struct error *error)
{
	CLEANUP(freep) char *file = truststore_file_name(certificate);
	struct buffer wanted = BUFFER(TRUSTSTORE_LIMIT);
	int result = truststore_make(authority, &wanted, error);
	if (result == 0) {
		int found = content_check(directory, target, file, &wanted, NULL);
		result = snippet_commit(directory, target, file, &wanted, FILE_SYNC, error);
		if (result == 0)
			*ret_replaced = found != 0 && found != -EPERM;
	}
	buffer_free(&wanted);
	return result;
}
