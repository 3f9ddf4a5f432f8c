/*
 * commit.h - replacing one snippet, and putting the former one back.
 *
 * The former bytes are kept in certificates/NAME/rollback.TARGET from before the rename until the
 * new generation is verified, so that a pass that dies in between leaves the next one a way back.
 */
#ifndef ORIGIN_CA_PASS_COMMIT_H
#define ORIGIN_CA_PASS_COMMIT_H

#include "pass/pass.h"

/*
 * Renders the snippet for the newest generation (0: the placeholder) and puts it in place unless
 * it is there already. The state's target entry then says what is in place; its reload_pending is
 * set when the bytes changed. With FILE_SYNC_DATA the caller syncs the snippets' directory.
 */
int commit_snippet(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		   enum file_sync sync, struct error *error);

/* Puts the former snippet back (before the first certificate: the placeholder's, so that what
 * includes it still finds it) and remembers that this target refused the newest generation. */
int commit_take_back(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		     struct error *error);

/* True when there was no snippet at all before this pass, nor a generation to render one for. */
bool commit_is_first(const struct pass_job *job, const struct pass_target_job *target_job);

/* Removes the snippet of a first certificate. To be called after commit_take_back(). */
int commit_withdraw(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job,
		    struct error *error);

/* The newest generation is verified here: records it, and the way back is no longer needed. */
void commit_settle(struct pass *pass, struct pass_job *job, struct pass_target_job *target_job);

/* The highest generation of the certificate that a snippet of its targets names, whether it is
 * there or not: a state directory that was restored from a backup does not know of it. */
unsigned commit_number_named(const struct pass *pass, const struct pass_job *job);

/* Removes the former bytes that commit_settle() could not. */
void commit_forget(const struct pass *pass, const struct pass_job *job,
		   const struct pass_target_job *target_job);

/* What the snippet is now, as the state has it; "" when there is none. Free it. */
char *commit_snippet_stamp(const struct pass_target *target,
			   const struct config_certificate *certificate);

/* What the files beside a snippet are now, as one text, for kinds of servers that have them; else
 * NULL. Free it. */
char *commit_keystore_stamp(const struct pass_target *target,
			    const struct config_certificate *certificate);

/* Path of the snippet, for messages; free() it. */
char *commit_path(const struct pass_job *job, const struct pass_target_job *target_job);

#endif
