/*
 * metrics.h - metrics.prom: what the last pass found, in Prometheus' text format, for the textfile
 * collector of node-exporter or any web server that hands it out.
 *
 * One table of metrics. The file is replaced atomically, 0644, at the end of every pass. What this
 * pass did not look at (a certificate that is as it was, another one than those that were named, an
 * API that was not asked) keeps its lines of the file before.
 */
#ifndef ORIGIN_CA_PASS_METRICS_H
#define ORIGIN_CA_PASS_METRICS_H

#include "pass/pass.h"

#define METRICS_FILE "metrics.prom" /* in STATE, unless `metrics_file` says otherwise */

enum metric_scope {
	METRIC_OF_AGENT,       /* no label but what the metric is about */
	METRIC_OF_API,	       /* api="", api="NAME" */
	METRIC_OF_CERTIFICATE, /* certificate="NAME" */
	METRIC_OF_TARGET,      /* certificate="NAME",target="NAME" */
};

struct metric {
	const char *name;
	const char *type; /* "gauge", "counter" */
	enum metric_scope scope;
	const char *help;
};

extern const struct metric metrics[];
extern const size_t metric_count;

/* Writes the file; what cannot be written is a warning, and a negative errno. */
int metrics_write(struct pass *pass);

/* The text alone. `before`: that of the file as it is, "" for none. For tests. */
void metrics_text(struct pass *pass, const char *before, struct buffer *text);

#endif
