#include "pki/root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

const char *const root_published_sha256[2] = {
	"AA63697A22764B67B2134CE14CB5690EA336940B93986113F49545917832D80D", /* ECC, P-256 */
	"D3C7E85C91707FC0A12ABC5D88266747AA4FA8E7B162F633FFB3C9D989947620", /* RSA, 2048 bits */
};

DEFINE_CLEANUP(DIR *, closedir)

void root_list_free(struct root_list *roots)
{
	for (size_t i = 0; i < roots->count; i++)
		X509_free(roots->items[i]);
	free((void *)roots->items);
	*roots = (struct root_list){0};
}

static bool digest_known(const char *digest, const struct string_list *pins)
{
	for (size_t i = 0; i < ARRAY_SIZE(root_published_sha256); i++)
		if (strcasecmp(digest, root_published_sha256[i]) == 0)
			return true;
	for (size_t i = 0; pins && i < pins->count; i++)
		if (strcasecmp(digest, pins->items[i]) == 0)
			return true;
	return false;
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
		if (entry->d_name[0] == '.' || !string_ends(entry->d_name, ".pem"))
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
