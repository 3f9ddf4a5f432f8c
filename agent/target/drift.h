/* drift.h - owner, group and mode of a file beside a snippet. */
#ifndef ORIGIN_CA_TARGET_DRIFT_H
#define ORIGIN_CA_TARGET_DRIFT_H

#include "base/file.h"

/* True when one of them is not what `access` asks for. */
bool drift_access(const struct file_stamp *stamp, const struct file_access *access);

/* Puts them right in place; follows no symbolic link. The errno alone. */
int drift_settle(int directory, const char *name, const struct file_access *access);

#endif
