/* own_file.h - files that the administrator keeps and names: a key, a request, a password. */
#ifndef ORIGIN_CA_PKI_OWN_FILE_H
#define ORIGIN_CA_PKI_OWN_FILE_H

#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

/*
 * Reads a regular file of at most `contents->limit` bytes; symbolic links are followed. `what`
 * ("the private key") is for messages. Whatever another file or other permissions would cure is
 * class configuration, with a remedy that names path and user; `ret_mode` may be NULL.
 */
int own_file_read(const char *path, const char *what, struct buffer *contents, mode_t *ret_mode,
		  struct error *error);

#endif
