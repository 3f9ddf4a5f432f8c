/*
 * snippet.h - the rendered fragment of one target's configuration for one certificate, and its
 * commit: one rename (DESIGN 2).
 */
#ifndef ORIGIN_CA_TARGET_SNIPPET_H
#define ORIGIN_CA_TARGET_SNIPPET_H

#include "base/buffer.h"
#include "config/model.h"

/* A loaded template of a target, with its partials' directories. */
struct snippet_template {
	struct buffer text;
	struct string_list directories;
	const struct config_target *target;
	char digest[65]; /* SHA-256 of the template's text and all partials it names */
};

int snippet_template_load(const struct config *config, const struct config_target *target,
			  struct snippet_template *ret_template, struct error *error);
void snippet_template_free(struct snippet_template *template);

/*
 * Renders the snippet that names generation `number` of `certificate`, its files below
 * `state_dir`. Deterministic: the same input gives the same bytes (no date inside).
 */
int snippet_render(const struct snippet_template *template,
		   const struct config_certificate *certificate, unsigned number,
		   const char *state_dir, struct buffer *text, struct error *error);

/* SHA-256 over what the bytes depend on, without rendering: template digest, certificate, target,
 * number, paths. */
void snippet_rendered_from(const struct snippet_template *template,
			   const struct config_certificate *certificate, unsigned number,
			   const char *state_dir, char digest[static 65]);

/* SNIPPET_DIR, made when it is missing (0755); the caller closes it. */
int snippet_directory_open(const struct config_target *target, int *ret_fd, struct error *error);

/* "NAME.conf" (nginx). Free it. */
char *snippet_file_name(const struct config_target *target,
			const struct config_certificate *certificate);

/* The current bytes; -ENOENT when there is none. */
int snippet_read(int directory, const struct config_target *target, const char *file,
		 struct buffer *text, struct error *error);

/* Replaces it atomically and durably. The commit point. */
int snippet_commit(int directory, const struct config_target *target, const char *file,
		   const struct buffer *text, struct error *error);

#endif
