#include "cloudflare/origin_ca.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cloudflare/codes.h"
#include "cloudflare/envelope.h"

enum {
	ID_DIGITS = 49, /* 20 bytes of serial number (RFC 5280, 4.1.2.2) in decimal */
	ID_HEX = 40,	/* the same in hexadecimal */
	PEM_LIMIT = 64 * 1024,
	HOSTNAMES_LIMIT = 1000, /* of an answer; Cloudflare itself allows 100 */
	NAME_LIMIT = 1024,
	NAMES_SHOWN = 300, /* bytes of hostnames in a remedy */
};

void origin_certificate_free(struct origin_certificate *certificate)
{
	free(certificate->id);
	free(certificate->pem);
	string_list_free(&certificate->hostnames);
	*certificate = (struct origin_certificate){0};
}

static bool is_id(const char *text)
{
	if (!text)
		return false;
	size_t length = strnlen(text, ID_DIGITS + 1);
	if (string_starts(text, "0x") || string_starts(text, "0X"))
		return length > 2 && length <= 2 + ID_HEX &&
		       strspn(text + 2, "0123456789abcdefABCDEF") == length - 2;
	return length > 0 && length <= ID_DIGITS && strspn(text, "0123456789") == length;
}

static int64_t time_read(const cJSON *object, const char *name)
{
	int64_t time = 0;
	return clock_parse(json_string(object, name), &time) == 0 ? time : 0;
}

int origin_certificate_read(const cJSON *object, struct origin_certificate *ret_certificate,
			    struct error *error)
{
	struct origin_certificate certificate = {0};
	const char *id = json_string(object, "id");
	const char *pem = json_string(object, "certificate");
	size_t pem_length = pem ? strlen(pem) : 0;

	if (is_id(id))
		certificate.id = string_copy(id);
	if (pem_length > 0 && pem_length <= PEM_LIMIT)
		certificate.pem = string_copy(pem);
	if (!certificate.id && !certificate.pem)
		return error_set(error, ERROR_BUG, -EPROTO,
				 "the answer holds no certificate object with an id or a PEM text");

	const cJSON *name;
	cJSON_ArrayForEach (name, cJSON_GetObjectItemCaseSensitive(object, "hostnames")) {
		if (cJSON_IsString(name) && strlen(name->valuestring) <= NAME_LIMIT &&
		    certificate.hostnames.count < HOSTNAMES_LIMIT)
			string_list_add(&certificate.hostnames, name->valuestring);
	}
	certificate.expires_on = time_read(object, "expires_on");
	certificate.revoked_at = time_read(object, "revoked_at");
	certificate.requested_days = json_integer(object, "requested_validity", 0);
	*ret_certificate = certificate;
	return 0;
}

static cJSON *request_body(const struct origin_request *request)
{
	cJSON *body = json_object();
	bool ecc = request->key_type == KEY_ECDSA_P256 || request->key_type == KEY_ECDSA_P384;

	json_add_string(body, "csr", request->csr_pem);
	json_add_list(body, "hostnames", request->hostnames);
	json_add_string(body, "request_type", ecc ? "origin-ecc" : "origin-rsa");
	/* Absent or 0 means 15 years there, silently. */
	json_add_integer(body, "requested_validity", request->validity_days);
	return body;
}

/* The API does not say which name it means: show what was asked for. */
static void remedy_with_names(struct error *error, int code, const struct origin_request *request)
{
	if (!error || (code != CODE_INVALID_HOSTNAME && code != CODE_EDIT_REFUSED))
		return;
	CLEANUP(freep) char *names = string_list_join(request->hostnames, ", ");
	struct buffer shown = BUFFER(NAMES_SHOWN + 16);
	text_add_clean(&shown, names, NAMES_SHOWN, NULL);
	if (code == CODE_EDIT_REFUSED) {
		char before[ERROR_REMEDY_SIZE];
		memcpy(before, error->remedy, sizeof(before));
		error_remedy(error, "%.320s (asked for: %.160s)", before, buffer_text(&shown));
	} else {
		error_remedy(error,
			     "one of these is misspelt, or its zone is pending, or not in an "
			     "account that the token can reach (one bad name fails all): %s",
			     buffer_text(&shown));
	}
	buffer_free(&shown);
}

int origin_ca_create(struct client *client, const struct origin_request *request,
		     struct origin_certificate *ret_certificate, struct error *error)
{
	if (request->validity_days <= 0 || request->hostnames->count == 0 || !request->csr_pem)
		return error_set(error, ERROR_BUG, -EINVAL,
				 "POST /certificates: request without CSR, hostnames or validity");

	CLEANUP(cJSON_Deletep) cJSON *body = request_body(request);
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	struct client_status status;
	int result =
		client_call_status(client, "POST", "/certificates", body, &answer, &status, error);
	if (result < 0) {
		remedy_with_names(error, status.code, request);
		return result;
	}

	struct origin_certificate certificate = {0};
	result = origin_certificate_read(cJSON_GetObjectItemCaseSensitive(answer, "result"),
					 &certificate, error);
	if (result == 0 && (!certificate.id || !certificate.pem)) {
		result = error_set(error, ERROR_BUG, -EPROTO,
				   "the certificate in the answer has "
				   "no %s",
				   certificate.id ? "PEM text" : "id that can be used");
		origin_certificate_free(&certificate);
	}
	if (result < 0) {
		/* It said success: something was made, and the list will show what. */
		error_prefix(error, "POST /certificates");
		if (error) {
			error->class = ERROR_TRANSIENT;
			error->outcome_unknown = true;
		}
		return result;
	}
	*ret_certificate = certificate;
	return 0;
}

static char *certificate_path(const char *id, struct error *error)
{
	if (is_id(id))
		return string_format("/certificates/%s", id);
	struct buffer shown = BUFFER(128);
	text_add_clean(&shown, id ? id : "", 60, NULL);
	error_set(error, ERROR_CONFIGURATION, -EINVAL, "\"%s\" is not a certificate's id",
		  buffer_text(&shown));
	error_remedy(error, "an id is up to 49 decimal digits (or 0x and hex digits), as `list` "
			    "shows it");
	buffer_free(&shown);
	return NULL;
}

int origin_ca_get(struct client *client, const char *id, struct origin_certificate *ret_certificate,
		  struct error *error)
{
	CLEANUP(freep) char *path = certificate_path(id, error);
	if (!path)
		return -EINVAL;

	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	int result = client_call(client, "GET", path, NULL, &answer, error);
	if (result < 0)
		return result;
	result = origin_certificate_read(cJSON_GetObjectItemCaseSensitive(answer, "result"),
					 ret_certificate, error);
	return result < 0 ? error_prefix(error, "GET %s", path) : 0;
}

int origin_ca_revoke(struct client *client, const char *id, struct error *error)
{
	CLEANUP(freep) char *path = certificate_path(id, error);
	if (!path)
		return -EINVAL;

	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	struct client_status status;
	int result = client_call_status(client, "DELETE", path, NULL, &answer, &status, error);
	/* Also what a DELETE finds whose first answer was lost. */
	if (result < 0 && status.code == CODE_ALREADY_REVOKED) {
		error_clear(error);
		return 0;
	}
	return result;
}
