/* leftover.h - names of files that are somebody's work in progress, not configuration. */
#ifndef ORIGIN_CA_CONFIG_LEFTOVER_H
#define ORIGIN_CA_CONFIG_LEFTOVER_H

#include <stdbool.h>

/* Starts with ".", ends in "~", ".swp" or ".tmp", or is what dpkg or rpm put aside (DESIGN 5). */
bool leftover_name(const char *name);

#endif
