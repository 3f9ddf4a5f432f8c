/* token.h - the API token: where it is read from, and what is refused before Cloudflare sees it. */
#ifndef ORIGIN_CA_CLOUDFLARE_TOKEN_H
#define ORIGIN_CA_CLOUDFLARE_TOKEN_H

#include "base/error.h"
#include "config/model.h"

enum {
	TOKEN_SIZE_LIMIT = 4096 /* bytes of the file */
};

/*
 * Where the token of `api` is read from: its token_file, else $CREDENTIALS_DIRECTORY/api-token
 * (systemd) when that exists, else api-token beside the default agent.ini
 * (/etc/origin-ca-agent/api-token). free() it.
 */
char *token_path(const struct config_api *api);

/* True for a path that token_path() found among systemd's credentials. */
bool token_is_credential(const char *path);

/*
 * The API token of `api`: what was read beforehand (api->token), else what is in the file. White
 * space at the end is cut off. Refused, each with a remedy: absent, empty (a credential: as absent,
 * our units have an empty one when there is no file), more than TOKEN_SIZE_LIMIT bytes, more than
 * one line, a space or a control character inside, readable or writable by others (mode & 077;
 * root's own file may be readable by its group, so there mode & 037; what lies in the credentials
 * directory is systemd's to protect), an Origin CA key ("v1.0-", ended 2026-09-30), a Global API
 * key ("cfk_"). Free with secret_free().
 */
int token_read(const struct config_api *api, char **ret_token, struct error *error);

/*
 * The token in `length` bytes of text that came from elsewhere (a terminal, a pipe), with what is
 * refused above save for the file's mode; messages call its place `path`. Free with secret_free().
 */
int token_take(const char *text, size_t length, const char *path, char **ret_token,
	       struct error *error);

#endif
