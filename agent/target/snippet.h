/*
 * snippet.h - the rendered fragment of one target's configuration for one certificate, and its
 * commit: one rename (DESIGN 2).
 *
 * What a template is given:
 *
 *   name         the certificate's name, "example.com"
 *   hostnames    a list; of each
 *     name         as it stands in the certificate: lower case, A-labels ("xn--...", "*.example")
 *     unicode      as the administrator wrote it
 *     wildcard     true for "*.something"
 *     first, last  true for the first (last) of the list
 *   key          path of the private key (PEM, PKCS#8)
 *   certificate  path of the leaf alone (PEM)
 *   chain        path of the certificates above the leaf; missing when there are none
 *   fullchain    path of the leaf and what is above it: what a server is usually given
 *   combined     path of full chain and key in one file (PEM); missing unless the certificate's
 *                formats have it
 *   keystore     path of the PKCS#12 keystore beside the snippet, the same for every generation;
 *                missing for kinds of servers without one (kind.h)
 *   keystore_password  its password; missing where there is no keystore
 *   client_ca    path of the authority of Cloudflare's client certificates (PEM); missing unless
 *                the certificate has authenticated_origin_pulls
 *   truststore   path of the PKCS#12 file beside the snippet that holds just that authority
 *                (truststore.h); missing for kinds without a keystore as well
 *   settings     of a remote target (remote.h), a list; of each
 *     line         "url = https://host.example.net:2083"
 *   live         directory whose files are always those of the newest generation that every
 *                target serves; never name it in a snippet that a rename should commit
 *   generation   its number; 0 is the placeholder
 *   placeholder  true while the API has not answered yet and the certificate is self-signed
 *   key_type     "ecdsa-p256", "rsa-2048" ...
 *   validity     days, as asked for
 *   target       the target's name
 *   type         its type, "nginx"
 *   template     path of the template that is rendered
 *   source       path of the configuration file with the certificate's section
 *
 * key, certificate, chain, fullchain and combined name files of the generation, which never change.
 * There is no date: the same input gives the same bytes. How a value is written depends on the
 * target's type (template.h, enum template_escape).
 *
 * Partials are looked for where templates are, and first beside a template that was named by its
 * absolute path. All that a template and its partials name must exist: an absent one would be empty
 * by Mustache's rules, and a server would silently lose what stood in it.
 */
#ifndef ORIGIN_CA_TARGET_SNIPPET_H
#define ORIGIN_CA_TARGET_SNIPPET_H

#include "base/buffer.h"
#include "config/model.h"
#include "pki/key.h"

/* A file as it was read. */
struct snippet_source {
	char *name; /* as it was asked for: "nginx" */
	char *path;
	struct buffer text;
};

/* A loaded template of a target: all files it can reach, so that a rendering and its digest speak
 * of the same bytes. */
struct snippet_template {
	const struct config_target *target;
	struct snippet_source *sources; /* the template, then its partials, each once */
	size_t source_count;
	char digest[SHA256_TEXT_SIZE]; /* over target, names, paths and texts */
};

/*
 * Reads and parses the template and its partials. Free it with snippet_template_free(), which takes
 * a zeroed or half-loaded one as well. Class configuration for one that is missing or wrong.
 */
int snippet_template_load(const struct config *config, const struct config_target *target,
			  struct snippet_template *ret_template, struct error *error);
void snippet_template_free(struct snippet_template *template);

/* What is rendered: one generation of one certificate. */
struct snippet_input {
	const struct config_certificate *certificate;
	unsigned number;
	const char *state_dir;
	const char *keystore_password; /* needed for kinds with a keystore (kind.h), else NULL */
	enum key_type key_type;	       /* the own key's, or as configured */
	/* Path of the authority whose client certificates are asked for, or NULL: none are (without
	 * authenticated_origin_pulls, or while it is not there yet). */
	const char *client_ca;
};

/*
 * Renders the snippet that names the generation's files, which are below `state_dir`, into `text`
 * (appended). Looks at the disk only for whether there is a chain: the generation should be
 * complete. Wipe the buffer after use where there is a keystore's password.
 */
int snippet_render(const struct snippet_template *template, const struct snippet_input *input,
		   struct buffer *text, struct error *error);

/*
 * SHA-256 over what the bytes depend on, without rendering: the template's digest, all of the
 * certificate that a template is given, the number, the paths. About 2 µs for two hostnames.
 */
void snippet_rendered_from(const struct snippet_template *template,
			   const struct snippet_input *input, char digest[static SHA256_TEXT_SIZE]);

/*
 * SNIPPET_DIR, made when it is missing (0755, and so what is missing above it); one that is there
 * keeps its owner and mode. Temporary files of ours that are older than an hour (a crash left
 * them) are removed. The caller closes it.
 */
int snippet_directory_open(const struct config_target *target, int *ret_fd, struct error *error);

/* "NAME.conf" (nginx). Free it. */
char *snippet_file_name(const struct config_target *target,
			const struct config_certificate *certificate);

/*
 * The current bytes; `text->limit` bounds them (TEMPLATE_OUTPUT_LIMIT is enough). -ENOENT when
 * there is none, or something that snippet_commit() replaces unread: a symbolic link, a larger
 * file.
 */
int snippet_read(int directory, const struct config_target *target, const char *file,
		 struct buffer *text, struct error *error);

/*
 * Replaces it atomically; durably with FILE_SYNC, and with FILE_SYNC_DATA once the caller has
 * synced the directory (for many at once). The commit point. A symbolic link is replaced, not
 * followed. A file that has these bytes, owner and mode already stays, and is synced. The temporary
 * file starts with a dot and does not end in ".conf": no server reads it.
 */
int snippet_commit(int directory, const struct config_target *target, const char *file,
		   const struct buffer *text, enum file_sync sync, struct error *error);

#endif
