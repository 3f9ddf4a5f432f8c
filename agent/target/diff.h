/*
 * diff.h - what would change in a file, as people read it: unified, by diff(1) of diffutils.
 */
#ifndef ORIGIN_CA_TARGET_DIFF_H
#define ORIGIN_CA_TARGET_DIFF_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Appends "--- PATH", "+++ PATH" (with ` label` behind each path: " (in place)", " (new)") and the
 * hunks to `text`; nothing when both are the same. `before` may be NULL (no file: "/dev/null").
 * Tabs are expanded and control characters replaced: it can be shown on a terminal. What is secret
 * in a snippet (a keystore's password) has to be hidden in both before.
 *
 * Class local: -ENOENT, with a remedy, where there is no diff(1); -EMSGSIZE when it is larger than
 * text->limit or 4 MiB, -ETIMEDOUT after 10 s. `text` is as it was then.
 */
int diff_unified(const char *path, const struct buffer *before, const struct buffer *after,
		 struct buffer *text, struct error *error);

#endif
