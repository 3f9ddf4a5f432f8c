/* metrics_carry.h - what of the last metrics.prom still holds (metrics.h's own). */
#ifndef ORIGIN_CA_PASS_METRICS_CARRY_H
#define ORIGIN_CA_PASS_METRICS_CARRY_H

#include "base/buffer.h"
#include "pass/pass.h"

struct carry;

/*
 * Finds the lines of the `length` bytes at `before` that are about a certificate that is configured
 * and that this pass did not look at. Keeps pointers into `before`, which must outlive it. Never
 * NULL.
 */
struct carry *carry_new(const struct pass *pass, const char *before, size_t length);
void carry_free(struct carry *carry);

/* True when pass->jobs[job] has its lines there. */
bool carry_has(const struct carry *carry, size_t job);

/* Appends those of metrics[metric] to `text`. */
void carry_lines(const struct carry *carry, size_t metric, struct buffer *text);

/* Appends the line of metrics[metric] for an API, if there is one. */
void carry_api(const struct carry *carry, size_t metric, const char *name, struct buffer *text);

#endif
