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
 * Bounded in time and size. -ENOENT (class local, with a remedy) where there is no diff(1).
 */
int diff_unified(const char *path, const struct buffer *before, const struct buffer *after,
		 struct buffer *text, struct error *error);

#endif
