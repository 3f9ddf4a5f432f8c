/*
 * adopt.h - taking over a certificate that is already on this host, so that none is asked for until
 * it is due: what `adopt` brings, the files of `adopt = CERT KEY`, or, for a certificate without
 * any generation, what the targets' own configuration names.
 *
 * A pair is only taken when an Origin CA root signed it, its names are exactly the configured ones,
 * it is in time, and key and leaf belong together. Its key type and validity are not held against
 * it, unless `key_type` is written. What is found and cannot be used is told, and a certificate is
 * asked for as always; what was named and cannot be used is an error, and nothing is asked for.
 */
#ifndef ORIGIN_CA_PASS_ADOPT_H
#define ORIGIN_CA_PASS_ADOPT_H

#include "pass/pass.h"

/* For every job that has no generation yet, and for the one that `adopt` is about. To follow
 * trust_fetch() and to precede issue_all(). */
void adopt_all(struct pass *pass);

/* Reads the two files of `adopt`; both texts are PEM, in one file or two. Class configuration, with
 * the path. Free with adoption_free(). */
int adoption_read(const char *certificate_path, const char *key_path,
		  struct pass_adoption *ret_adoption, struct error *error);
void adoption_free(struct pass_adoption *adoption);

#endif
