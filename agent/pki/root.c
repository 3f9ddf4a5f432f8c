#include "pki/root.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/memory.h"
#include "pki/leaf.h"
#include "pki/pem.h"

enum {
	ROOT_FILES_LIMIT = 100,
	ROOT_COUNT_LIMIT = 100,
};

const struct root_publication root_publications[ROOT_KIND_COUNT] = {
	[ROOT_ORIGIN_ECC] = {"origin_ca_ecc_root.pem",
			     "AA63697A22764B67B2134CE14CB5690EA336940B93986113F49545917832D80D",
			     "the Origin CA ECC root"},
	[ROOT_ORIGIN_RSA] = {"origin_ca_rsa_root.pem",
			     "D3C7E85C91707FC0A12ABC5D88266747AA4FA8E7B162F633FFB3C9D989947620",
			     "the Origin CA RSA root"},
	[ROOT_PULL] = {"authenticated_origin_pull_ca.pem",
		       "9A1AC2B4BE15F9F27EEE20A734CBA4E9898F61001B3BD7C84B69B56A3E25A2B9",
		       "the authority of Authenticated Origin Pulls"},
};

DEFINE_CLEANUP(DIR *, closedir)

void root_list_free(struct root_list *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		X509_free(roots->items[i]);
	free((void *)roots->items);
	*roots = (struct root_list){0};
}

static bool digest_pinned(const char *digest, const struct string_list *pins)
{
	for (size_t i = 0; pins && i < pins->count; i++)
		if (strcasecmp(digest, pins->items[i]) == 0)
			return true;
	return false;
}

/* Of a root: what signs Cloudflare's own client certificate is none. */
static bool digest_known(const char *digest, const struct string_list *pins)
{
	return strcasecmp(digest, root_publications[ROOT_ORIGIN_ECC].sha256) == 0 ||
	       strcasecmp(digest, root_publications[ROOT_ORIGIN_RSA].sha256) == 0 ||
	       digest_pinned(digest, pins);
}

static bool roots_have(const struct root_list *roots, const X509 *certificate)
{
	for (size_t i = 0; i < roots->count; i++)
		if (X509_cmp(roots->items[i], certificate) == 0)
			return true;
	return false;
}

static void warn(struct string_list *warnings, const char *where, const char *name,
		 const char *message)
{
	if (warnings)
		string_list_take(warnings,
				 string_format("%s/%s: not used: %s", where, name, message));
}

/* Takes the certificate, or says why not and frees it. */
static int root_add(struct root_list *roots, X509 *certificate, const struct string_list *pins,
		    struct error *error)
{
	CLEANUP(X509_freep) X509 *root = certificate;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	int result = leaf_facts_read(root, &facts, error);
	if (result < 0)
		return result;

	if (!digest_known(facts.sha256, pins))
		return error_set(error, ERROR_LOCAL, -EKEYREJECTED,
				 "SHA-256 %s is neither a published Origin CA root's nor pinned",
				 facts.sha256);
	if (!X509_get0_pubkey(root))
		return error_set(error, ERROR_LOCAL, -EBADMSG, "cannot use its public key");
	if (roots_have(roots, root))
		return 0;
	if (roots->count == ROOT_COUNT_LIMIT)
		return error_set(error, ERROR_LOCAL, -E2BIG, "more than %d roots",
				 ROOT_COUNT_LIMIT);
	roots->items = memory_resize((void *)roots->items, roots->count + 1, sizeof(X509 *));
	roots->items[roots->count++] = TAKE_PTR(root);
	return 0;
}

static void file_load(int directory, const char *where, const char *name,
		      const struct string_list *pins, struct root_list *roots,
		      struct string_list *warnings)
{
	struct error error = {0};
	CLEANUP(buffer_free) struct buffer text = BUFFER(FILE_LIMIT);
	if (file_read_at(directory, where, name, &text, &error) < 0) {
		warn(warnings, where, name, error.message);
		return;
	}

	CLEANUP(BIO_freep) BIO *bio = NULL;
	int result = pem_open(buffer_text(&text), text.length, "root", &bio, &error);
	size_t found = 0;
	X509 *certificate = NULL;
	while (result >= 0 && (result = pem_next_certificate(bio, &certificate, &error)) > 0) {
		found++;
		if (root_add(roots, certificate, pins, &error) < 0)
			warn(warnings, where, name, error.message);
	}
	if (result < 0)
		warn(warnings, where, name, error.message);
	else if (found == 0)
		warn(warnings, where, name, "no certificate in it");
}

/* What its file is called, whichever it is. */
#define PULL_STEM "authenticated_origin_pull_ca."

static int names_list(int directory, const char *where, struct string_list *names,
		      struct error *error)
{
	/* A descriptor of its own: reading must not move the caller's. */
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(error, -errno, "cannot list %s", where);
	CLEANUP(closedirp) DIR *listing = fdopendir(fd);
	if (!listing) {
		int result = error_errno(error, -errno, "cannot list %s", where);
		close(fd);
		return result;
	}

	const struct dirent *entry;
	while (errno = 0, (entry = readdir(listing))) {
		if (entry->d_name[0] == '.' || !string_ends(entry->d_name, ".pem") ||
		    string_starts(entry->d_name, PULL_STEM))
			continue;
		if (names->count == ROOT_FILES_LIMIT)
			return error_set(error, ERROR_LOCAL, -E2BIG,
					 "cannot list %s: more than %d files that end in .pem",
					 where, ROOT_FILES_LIMIT);
		string_list_add(names, entry->d_name);
	}
	if (errno != 0)
		return error_errno(error, -errno, "cannot list %s", where);
	string_list_sort(names);
	return 0;
}

int root_list_load(int directory, const char *where, const struct string_list *pins,
		   struct root_list *ret_roots, struct string_list *ret_warnings,
		   struct error *error)
{
	CLEANUP(string_list_free) struct string_list names = {0};
	int result = directory < 0 ? 0 : names_list(directory, where, &names, error);
	if (result < 0)
		return result;

	struct root_list roots = {0};
	for (size_t i = 0; i < names.count; i++)
		file_load(directory, where, names.items[i], pins, &roots, ret_warnings);
	*ret_roots = roots;
	return 0;
}

/* Exactly one certificate; whatever else the text says (they are published with comments). */
static int one_read(const char *pem, size_t length, X509 **ret_root, struct error *error)
{
	CLEANUP(BIO_freep) BIO *text = NULL;
	CLEANUP(X509_freep) X509 *first = NULL;
	CLEANUP(X509_freep) X509 *second = NULL;
	if (length > ROOT_TEXT_LIMIT)
		return error_set(error, ERROR_TRANSIENT, -EFBIG, "%zu bytes, at most %d are taken",
				 length, ROOT_TEXT_LIMIT);
	int result = pem_open(pem, length, "root", &text, error);
	int found = 0;
	if (result == 0)
		found = pem_next_certificate(text, &first, error);
	if (found > 0)
		found = pem_next_certificate(text, &second, error);
	if (result < 0 || found < 0)
		return result < 0 ? result : found;
	if (!first || second)
		return error_set(error, ERROR_TRANSIENT, -EBADMSG, "%s in %zu bytes of text",
				 second ? "more than one certificate" : "no certificate", length);
	*ret_root = TAKE_PTR(first);
	return 0;
}

/* As facts are written, so that the two can be compared by eye. */
static void digest_lower(const char *digest, char text[static SHA256_TEXT_SIZE])
{
	size_t i = 0;
	for (; i < SHA256_TEXT_SIZE - 1 && digest[i]; i++)
		text[i] = (char)tolower((unsigned char)digest[i]);
	text[i] = '\0';
}

int root_read_pem(enum root_kind kind, const char *pem, size_t length,
		  const struct string_list *pins, X509 **ret_root, struct error *error)
{
	const struct root_publication *publication = &root_publications[kind];
	CLEANUP(X509_freep) X509 *root = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	int result = one_read(pem, length, &root, error);
	if (result == 0)
		result = leaf_facts_read(root, &facts, error);
	if (result < 0) {
		error_prefix(error, "%s (%s)", publication->file, publication->purpose);
		if (error && error->code == -EBADMSG)
			error->class = ERROR_TRANSIENT;
		return result;
	}
	if (strcasecmp(facts.sha256, publication->sha256) != 0 &&
	    !digest_pinned(facts.sha256, pins)) {
		char published[SHA256_TEXT_SIZE];
		digest_lower(publication->sha256, published);
		error_set(error, ERROR_CONFIGURATION, -EKEYREJECTED,
			  "%s is not %s: its SHA-256 %s is neither the published one (%s) nor one "
			  "of the %zu of root_sha256",
			  publication->file, publication->purpose, facts.sha256, published,
			  pins ? pins->count : 0);
		return error_remedy(error,
				    "if Cloudflare has published a new one, add its SHA-256 to "
				    "root_sha256; else look for what answers in its place");
	}
	*ret_root = TAKE_PTR(root);
	return 0;
}

X509 *root_list_signer(const struct root_list *roots, X509 *leaf)
{
	X509 *signer = NULL;
	for (size_t i = 0; roots && !signer && i < roots->count; i++) {
		EVP_PKEY *key = X509_get0_pubkey(roots->items[i]);
		if (key && X509_verify(leaf, key) == 1)
			signer = roots->items[i];
	}
	ERR_clear_error();
	return signer;
}
