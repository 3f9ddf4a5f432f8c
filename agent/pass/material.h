/*
 * material.h - what the administrator brings to a certificate: the own private key or request, and
 * the password of its keystore. Read once in a pass, and only for what is not settled.
 */
#ifndef ORIGIN_CA_PASS_MATERIAL_H
#define ORIGIN_CA_PASS_MATERIAL_H

#include "pass/pass.h"
#include "store/generation.h"

/*
 * Reads `private_key`, `csr` and `keystore_password_file` of the certificate into job->material,
 * which says which type the key has to be of. Class configuration: a key of another type than
 * `key_type`, a request that does not cover `hostnames` or is not of that key, and what pki says
 * of files that cannot be used. Nothing to do, and no error, for a certificate that has none.
 */
int material_load(struct pass_job *job);
void material_free(struct material *material);

/* Appends what changes whenever one of these files does; what a link leads to counts. */
void material_stamp(const struct config_certificate *certificate, struct buffer *text);

/* True when the newest leaf has another key than the one that the administrator brought. */
bool material_key_differs(const struct pass_job *job);

/*
 * What a generation of this leaf is to be made with (store/generation.h). Points into pass and job.
 */
struct generation_files material_files(const struct pass *pass, const struct pass_job *job,
				       X509 *leaf);

/* As above for the newest generation, whose leaf is read; free *ret_leaf with X509_free(). */
int material_files_newest(const struct pass *pass, const struct pass_job *job, int directory,
			  X509 **ret_leaf, struct generation_files *ret_files, struct error *error);

#endif
