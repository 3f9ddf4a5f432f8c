/* status_page.h - what the page of `status --html` is made of (status_html.c's own). */
#ifndef ORIGIN_CA_COMMANDS_STATUS_PAGE_H
#define ORIGIN_CA_COMMANDS_STATUS_PAGE_H

#include "commands/status.h"

/* Everything before the first element of the body, with the style sheet. */
extern const char status_page_head[];

/* Appends text from outside: "&", "<", ">", quotation marks and what no page may hold become
 * harmless, in an element as in an attribute. */
void page_text(struct buffer *page, const char *text);

/* "2026-11-22 18:41 UTC". */
void page_time(struct buffer *page, int64_t time);

/* The picture of one certificate: its generations, the renewal window and what went wrong. */
void page_timeline(const struct status *status, const struct pass_job *job, struct buffer *page);

#endif
