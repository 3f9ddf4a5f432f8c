#include "pass/material.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "pass/trust.h"
#include "pki/csr.h"
#include "pki/export.h"
#include "pki/key.h"

static int csr_names_check(const struct config_certificate *certificate,
			   const struct string_list *names, struct error *error)
{
	for (size_t i = 0; i < certificate->hostnames.count; i++) {
		const char *hostname = certificate->hostnames.items[i];
		if (string_list_has(names, hostname))
			continue;
		error_set(error, ERROR_CONFIGURATION, -EINVAL,
			  "the request %s is not for %s, which `hostnames` of [certificate %s] has",
			  certificate->csr_file, hostname, certificate->name);
		return error_remedy(error, "make a request with all names, or remove the name from "
					   "`hostnames`");
	}
	return 0;
}

static int csr_load(const struct config_certificate *certificate, struct material *material,
		    struct error *error)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(string_list_free) struct string_list names = {0};
	int result = csr_read_file(certificate->csr_file, &material->csr_pem, &key, &names, error);
	if (result == 0)
		result = csr_names_check(certificate, &names, error);
	if (result < 0)
		return result;
	if (!material->key) {
		material->key = TAKE_PTR(key);
		material->keyless = true;
		return 0;
	}
	if (EVP_PKEY_eq(material->key, key) == 1)
		return 0;
	error_set(error, ERROR_CONFIGURATION, -EKEYREJECTED,
		  "the request %s is not of the private key %s", certificate->csr_file,
		  certificate->private_key_file);
	return error_remedy(error,
			    "make a new request with this key, or leave out one of `csr` "
			    "and `private_key` of [certificate %s]",
			    certificate->name);
}

static int key_type_settle(const struct config_certificate *certificate, struct material *material,
			   struct error *error)
{
	enum key_type found = KEY_TYPE_COUNT;
	if (!material->key)
		return 0;
	const char *file =
		material->keyless ? certificate->csr_file : certificate->private_key_file;
	int result = key_type_of(material->key, &found);
	if (result < 0)
		return error_set(error, ERROR_CONFIGURATION, result,
				 "the key of %s is of no type that is supported", file);
	if (certificate->key_type_given && found != certificate->key_type) {
		error_set(error, ERROR_CONFIGURATION, -EKEYREJECTED,
			  "the key of %s is %s, and `key_type` of [certificate %s] is %s", file,
			  key_type_name(found), certificate->name,
			  key_type_name(certificate->key_type));
		return error_remedy(error, "leave out `key_type`, or bring a key of that type");
	}
	material->key_type = found;
	return 0;
}

static int load(const struct config_certificate *certificate, struct material *material,
		struct error *error)
{
	int result = 0;
	CLEANUP(freep) char *warning = NULL;
	if (certificate->private_key_file)
		result = key_read_file(certificate->private_key_file, &material->key, &warning,
				       error);
	if (warning)
		log_warning("%s: %s", certificate->name, warning);
	if (result == 0 && certificate->csr_file)
		result = csr_load(certificate, material, error);
	if (result == 0)
		result = key_type_settle(certificate, material, error);
	if (result == 0 && certificate->formats & FORMAT_P12)
		result = export_password_read(certificate->keystore_password_file,
					      &material->password, error);
	return result;
}

int material_load(struct pass_job *job)
{
	struct material *material = &job->material;
	if (!material->loaded) {
		material->loaded = true;
		material->key_type = job->certificate->key_type;
		load(job->certificate, material, &material->error);
	}
	return material->error.code;
}

void material_free(struct material *material)
{
	EVP_PKEY_free(material->key);
	free(material->csr_pem);
	secret_free(material->password);
	*material = (struct material){0};
}

void material_stamp(const struct config_certificate *certificate, struct buffer *text)
{
	const char *const files[] = {certificate->private_key_file, certificate->csr_file,
				     certificate->keystore_password_file};
	struct stat status;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i] && stat(files[i], &status) == 0)
			buffer_add_format(text, "%s %llu %lld.%09ld %lld\n", files[i],
					  (unsigned long long)status.st_ino,
					  (long long)status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
					  (long long)status.st_size);
}

bool material_key_differs(const struct pass_job *job)
{
	char spki[SHA256_TEXT_SIZE];
	return job->material.key && key_spki_sha256(job->material.key, spki, NULL) == 0 &&
	       strcmp(spki, job->state.facts.spki_sha256) != 0;
}

struct generation_files material_files(const struct pass *pass, const struct pass_job *job,
				       X509 *leaf)
{
	const struct config_certificate *certificate = job->certificate;
	/* Finding it costs a signature's verification. */
	bool needs_root = certificate->chain_root || certificate->formats & FORMAT_P7B;
	return (struct generation_files){
		.formats = certificate->formats,
		.root = leaf && needs_root ? root_list_signer(trust_roots(pass, certificate), leaf)
					   : NULL,
		.chain_root = certificate->chain_root,
		.password = job->material.password,
		.name = certificate->name,
		.key = job->material.keyless ? NULL : job->material.key,
		.access = certificate->access,
	};
}

int material_files_newest(const struct pass *pass, const struct pass_job *job, int directory,
			  X509 **ret_leaf, struct generation_files *ret_files, struct error *error)
{
	int result = generation_leaf(directory, job->where, job->state.newest, ret_leaf, error);
	if (result == 0)
		*ret_files = material_files(pass, job, *ret_leaf);
	return result;
}
