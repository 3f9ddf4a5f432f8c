/* job.h - what plan, issue and deploy all do to one certificate's state. */
#ifndef ORIGIN_CA_PASS_JOB_H
#define ORIGIN_CA_PASS_JOB_H

#include "pass/pass.h"
#include "store/generation.h"

/* Makes generation `number`, as its files say, the newest of the state. */
void job_take_generation(struct pass_job *job, int directory, unsigned number,
			 const struct generation_meta *meta, int64_t now);

/* One text for the files of a generation and those that the administrator brings: equal text means
 * that none was touched. */
int job_fingerprint(const struct pass_job *job, int directory, unsigned number,
		    char text[static SHA256_TEXT_SIZE]);

/* When less than a twentieth of the lifetime will be left; 0 when there is nothing at all. */
int64_t job_emergency_at(const struct pass *pass, const struct pass_job *job);

/* True when that moment has come. */
bool job_emergency(const struct pass *pass, const struct pass_job *job);

/*
 * What the template of a target is given for generation `number`. The password of its keystore is
 * made when there is none yet, but not in a dry run. Points into pass and job.
 */
int job_snippet_input(struct pass *pass, struct pass_job *job, const struct config_target *target,
		      unsigned number, struct snippet_input *ret_input, struct error *error);

/* Makes generation 0, unless it is there, with all formats that are asked for. */
int job_placeholder(struct pass *pass, struct pass_job *job, int directory, struct error *error);

/* Writes the state when it changed; a failure becomes the job's error unless it has one. */
void job_save(struct pass *pass, struct pass_job *job);

#endif
