/*
 * aws_acm.c - AWS Certificate Manager: the certificate is imported under one ARN and imported again
 * under the same at each rotation, so that load balancers follow by themselves.
 *
 * The ARN is `certificate_arn`; or that which a note beside the certificate has; or that of the
 * certificate whose tags name this host and certificate. Only when there is none of these is one
 * imported anew, with the tags in the same call: an import whose answer was lost is found by them.
 */
#include <errno.h>
#include <openssl/bn.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "target/aws_budget.h"
#include "target/aws_call.h"

#define TAG_HOST	"origin-ca-agent/host"
#define TAG_CERTIFICATE "origin-ca-agent/certificate"

enum {
	BLOB_LIMIT = 64 << 10,
	HOST_SIZE = 256,
	PAGES_MOST = 100,    /* of a list, of 1000 certificates each */
	LOST_SECONDS = 600,  /* so long an import that was begun may not be in the list yet ... */
	LOST_WAIT_MS = 5000, /* ... and so long it is looked for */
	LOST_PAUSE_MS = 500,
};

struct session {
	const struct remote_order *order;
	struct aws_caller caller;
	cJSON *note;  /* "certificate_arn", "importing_at", "imports" */
	char *arn;    /* NULL: there is none yet, as far as is known */
	char *serial; /* of the leaf, hexadecimal, upper case, without leading zeros */
	char host[HOST_SIZE];
};

static void describe(const struct config_target *target, struct string_list *lines)
{
	const struct config_remote *remote = &target->remote;
	string_list_take(lines, string_format("region = %s", remote->region));
	string_list_take(lines,
			 string_format("certificate_arn = %s",
				       remote->certificate_arn
					       ? remote->certificate_arn
					       : "(imported by the agent, found by its tags)"));
	if (remote->endpoint)
		string_list_take(lines, string_format("endpoint = %s", remote->endpoint));
}

static int check(const struct config_target *target, struct error *error)
{
	struct aws_credentials credentials = {0};
	bool found = false;
	int result = aws_credentials_look(target, &credentials, &found, error);
	aws_credentials_free(&credentials);
	return result;
}

static void session_close(void *opened)
{
	struct session *session = opened;
	aws_credentials_free(&session->caller.credentials);
	cJSON_Delete(session->note);
	free(session->arn);
	free(session->serial);
	free(session);
}
DEFINE_CLEANUP(struct session *, session_close)

/* What ACM would refuse after the call, before it. Of the key types that we have it takes all. */
static int limits_check(const struct remote_order *order, struct error *error)
{
	char until[CLOCK_TEXT_SIZE];
	if (order->facts->not_after > clock_now())
		return 0;
	error_set(error, ERROR_DEPLOY, -ETIME,
		  "the certificate has run out (%s); ACM takes none that has",
		  clock_format(order->facts->not_after, until));
	return error_remedy(error,
			    "check the clock of this host; a new one is asked for by itself");
}

static char *serial_of(X509 *leaf)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	const char *at = hex ? hex : "";
	char *serial = string_copy(at + strspn(at, "0"));
	OPENSSL_free(hex);
	BN_free(number);
	return serial;
}

static int session_open(const struct remote_order *order, void **ret_session, struct error *error)
{
	CLEANUP(session_closep) struct session *session = memory_alloc(1, sizeof(*session));
	int result = limits_check(order, error);
	session->order = order;
	session->caller.order = order;
	if (result == 0)
		result = aws_credentials_find(order, &session->caller.credentials, error);
	if (result < 0)
		return result;
	if (gethostname(session->host, sizeof(session->host) - 1) < 0)
		return error_errno(error, -errno, "cannot read the name of this host");
	session->note = remote_note_load(order);
	session->serial = serial_of(order->leaf);
	const char *known = order->target->remote.certificate_arn
				    ? order->target->remote.certificate_arn
				    : json_string(session->note, "certificate_arn");
	session->arn = string_copy(known);
	*ret_session = TAKE_PTR(session);
	return 0;
}

static bool tag_is(const cJSON *tag, const char *key, const char *value)
{
	const char *found = json_string(tag, "Key");
	const char *text = json_string(tag, "Value");
	return found && text && strcmp(found, key) == 0 && strcmp(text, value) == 0;
}

static int tags_match(struct session *session, const char *arn, bool *ret_ours, struct error *error)
{
	CLEANUP(cJSON_Deletep) cJSON *body = json_object();
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	json_add_string(body, "CertificateArn", arn);
	int result = aws_call(&session->caller, "ListTagsForCertificate", body, &answer, error);
	/* Removed since it was listed. */
	if (result == -ENXIO) {
		error_clear(error);
		return 0;
	}
	if (result < 0)
		return result;
	const cJSON *tags = cJSON_GetObjectItemCaseSensitive(answer, "Tags");
	const cJSON *tag;
	bool host = false;
	bool name = false;
	cJSON_ArrayForEach (tag, tags) {
		host |= tag_is(tag, TAG_HOST, session->host);
		name |= tag_is(tag, TAG_CERTIFICATE, session->order->certificate->name);
	}
	*ret_ours = host && name;
	return 0;
}

/* All key types: without `Includes` ACM lists RSA-1024 and RSA-2048 alone. */
static int page_ask(struct session *session, const char *next, cJSON **ret_answer,
		    struct error *error)
{
	static const char *const types[] = {"RSA_1024",	   "RSA_2048",	    "RSA_3072",
					    "RSA_4096",	   "EC_prime256v1", "EC_secp384r1",
					    "EC_secp521r1"};
	CLEANUP(cJSON_Deletep) cJSON *body = json_object();
	cJSON *list = json_add_array(json_add_object(body, "Includes"), "keyTypes");
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		json_append(list, cJSON_CreateString(types[i]));
	json_add_integer(body, "MaxItems", 1000);
	json_add_string(body, "NextToken", next);
	return aws_call(&session->caller, "ListCertificates", body, ret_answer, error);
}

static int page_search(struct session *session, const cJSON *answer, struct error *error)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(answer, "CertificateSummaryList");
	const cJSON *summary;
	cJSON_ArrayForEach (summary, list) {
		const char *arn = json_string(summary, "CertificateArn");
		const char *type = json_string(summary, "Type");
		bool ours = false;
		if (!arn || (type && strcmp(type, "IMPORTED") != 0))
			continue;
		int result = tags_match(session, arn, &ours, error);
		if (result < 0)
			return result;
		if (ours) {
			session->arn = string_copy(arn);
			return 0;
		}
	}
	return 0;
}

/* Sets the ARN of the certificate with our tags; leaves it NULL when there is none. */
static int find_by_tags(struct session *session, struct error *error)
{
	CLEANUP(freep) char *next = NULL;
	for (unsigned page = 0; page < PAGES_MOST && !session->arn; page++) {
		CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
		int result = page_ask(session, next, &answer, error);
		if (result == 0)
			result = page_search(session, answer, error);
		if (result < 0)
			return result;
		free(next);
		next = string_copy(json_string(answer, "NextToken"));
		if (!next)
			break;
	}
	return 0;
}

static void note_set(cJSON *note, const char *name, cJSON *value)
{
	cJSON_DeleteItemFromObjectCaseSensitive(note, name);
	if (value)
		cJSON_AddItemToObject(note, name, value);
}

static int arn_remember(struct session *session, struct error *error)
{
	const char *known = json_string(session->note, "certificate_arn");
	bool importing = cJSON_GetObjectItemCaseSensitive(session->note, "importing_at") != NULL;
	if (known && strcmp(known, session->arn) == 0 && !importing)
		return 0;
	note_set(session->note, "certificate_arn", cJSON_CreateString(session->arn));
	note_set(session->note, "importing_at", NULL);
	return remote_note_save(session->order, session->note, error);
}

/* "0a:1B:2c" and "0A1B2C" are the same. */
static bool serial_is(const char *text, const char *serial)
{
	size_t used = 0;
	for (; text && *text; text++) {
		if (*text == ':' || (used == 0 && *text == '0'))
			continue;
		if (serial[used] == '\0' || strncasecmp(text, serial + used, 1) != 0)
			return false;
		used++;
	}
	return used > 0 && serial[used] == '\0';
}

static void tell_use(const struct session *session, const cJSON *certificate)
{
	const cJSON *users = cJSON_GetObjectItemCaseSensitive(certificate, "InUseBy");
	if (cJSON_GetArraySize(users) == 0)
		log_notice("%s: %s: %s is used by nothing yet: give it to the HTTPS listener of "
			   "the load balancer",
			   session->order->certificate->name, session->order->target->name,
			   session->arn);
}

/* What stands under the ARN. */
static int arn_look(struct session *session, enum remote_found *ret_found, struct error *error)
{
	CLEANUP(cJSON_Deletep) cJSON *body = json_object();
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	json_add_string(body, "CertificateArn", session->arn);
	int result = aws_call(&session->caller, "DescribeCertificate", body, &answer, error);
	if (result < 0)
		return result;
	const cJSON *certificate = cJSON_GetObjectItemCaseSensitive(answer, "Certificate");
	const char *type = json_string(certificate, "Type");
	if (type && strcmp(type, "IMPORTED") != 0) {
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "ACM: %s is a certificate of type %s; only an imported one can be "
			  "imported again",
			  session->arn, type);
		return error_remedy(error,
				    "leave out `certificate_arn` of [target %s]: the agent "
				    "imports one of its own",
				    session->order->target->name);
	}
	*ret_found = serial_is(json_string(certificate, "Serial"), session->serial) ? REMOTE_WANTED
										    : REMOTE_OTHER;
	if (*ret_found == REMOTE_WANTED)
		tell_use(session, certificate);
	return 0;
}

static int look(void *opened, enum remote_found *ret_found, struct error *error)
{
	struct session *session = opened;
	*ret_found = REMOTE_OTHER;
	if (session->arn) {
		int result = arn_look(session, ret_found, error);
		/* One that the note knows and somebody has removed is looked for again. */
		if (result != -ENXIO || session->order->target->remote.certificate_arn)
			return result;
		error_clear(error);
		free(TAKE_PTR(session->arn));
	}
	int result = find_by_tags(session, error);
	if (result < 0 || !session->arn)
		return result;
	result = arn_remember(session, error);
	return result < 0 ? result : arn_look(session, ret_found, error);
}

static void blob_add(cJSON *body, const char *name, const struct buffer *pem)
{
	size_t size = 4 * ((pem->length + 2) / 3) + 1;
	char *text = memory_alloc(size, 1);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)pem->data, (int)pem->length);
	json_add_string(body, name, text);
	explicit_bzero(text, size);
	free(text);
}

static void tag_add(cJSON *tags, const char *key, const char *value)
{
	cJSON *tag = json_append_object(tags);
	json_add_string(tag, "Key", key);
	json_add_string(tag, "Value", value);
}

static int body_make(const struct session *session, cJSON *body, struct error *error)
{
	const struct remote_order *order = session->order;
	CLEANUP(buffer_wipe) struct buffer key = BUFFER(BLOB_LIMIT);
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(BLOB_LIMIT);
	CLEANUP(buffer_free) struct buffer chain = BUFFER(BLOB_LIMIT);
	int result = key_write_pem(order->key, &key, error);
	if (result == 0)
		result = leaf_write_pem(order->leaf, &leaf, error);
	if (result == 0)
		result = leaf_write_pem(order->root, &chain, error);
	if (result < 0)
		return result;
	if (session->arn)
		json_add_string(body, "CertificateArn", session->arn);
	blob_add(body, "Certificate", &leaf);
	blob_add(body, "PrivateKey", &key);
	blob_add(body, "CertificateChain", &chain);
	/* With an ARN tags are refused: it has them already. */
	if (!session->arn) {
		cJSON *tags = json_add_array(body, "Tags");
		tag_add(tags, TAG_HOST, session->host);
		tag_add(tags, TAG_CERTIFICATE, order->certificate->name);
	}
	return 0;
}

/* An import that an earlier pass began may have been carried out, and ACM's list may be behind. */
static int await_lost(struct session *session, struct error *error)
{
	int64_t began = json_integer(session->note, "importing_at", 0);
	int64_t now = clock_now();
	if (session->arn || began == 0 || now < began || now - began > LOST_SECONDS)
		return 0;
	int64_t until = clock_monotonic_ms() + LOST_WAIT_MS;
	int result = 0;
	while (result == 0 && !session->arn && clock_monotonic_ms() < until) {
		clock_sleep_ms(LOST_PAUSE_MS);
		result = find_by_tags(session, error);
	}
	return result;
}

static int place(void *opened, struct error *error)
{
	struct session *session = opened;
	if (!session->order->root) {
		error_set(
			error, ERROR_TRANSIENT, -ENOKEY,
			"the root that signed the certificate is not known yet, and ACM wants it");
		return error_remedy(error, "see what is said of `root_url` and `root_sha256`");
	}
	bool had_arn = session->arn != NULL;
	enum remote_found found = REMOTE_OTHER;
	int result = await_lost(session, error);
	if (result == 0 && session->arn && !had_arn)
		result = look(session, &found, error);
	if (result < 0 || found == REMOTE_WANTED)
		return result;
	result = aws_budget_take(session->order, session->note, error);
	if (result < 0)
		return result;
	/* Known on disk before it may be known to ACM. */
	if (!session->arn)
		note_set(session->note, "importing_at", cJSON_CreateNumber((double)clock_now()));
	result = remote_note_save(session->order, session->note, error);
	CLEANUP(cJSON_Deletep) cJSON *body = json_object();
	CLEANUP(cJSON_Deletep) cJSON *answer = NULL;
	if (result == 0)
		result = body_make(session, body, error);
	if (result == 0)
		result = aws_call(&session->caller, "ImportCertificate", body, &answer, error);
	/* cJSON frees what it holds as it is. */
	cJSON *key = cJSON_GetObjectItemCaseSensitive(body, "PrivateKey");
	if (cJSON_IsString(key))
		explicit_bzero(key->valuestring, strlen(key->valuestring));
	if (result < 0)
		return result;
	const char *arn = json_string(answer, "CertificateArn");
	if (arn && !session->arn)
		session->arn = string_copy(arn);
	return session->arn ? arn_remember(session, error)
			    : error_set(error, ERROR_BUG, -EBADMSG,
					"ACM: ImportCertificate: the answer has no CertificateArn");
}

const struct remote_operations remote_aws_acm = {
	.describe = describe,
	.check = check,
	.open = session_open,
	.look = look,
	.place = place,
	.close = session_close,
};
