/* job.h - what plan, issue and deploy all do to one certificate's state. */
#ifndef ORIGIN_CA_PASS_JOB_H
#define ORIGIN_CA_PASS_JOB_H

#include "pass/pass.h"
#include "store/generation.h"

/* Makes generation `number`, as its files say, the newest of the state. */
void job_take_generation(struct pass_job *job, int directory, unsigned number,
			 const struct generation_meta *meta, int64_t now);

/* True when less than a twentieth of the lifetime is left, or when there is nothing at all. */
bool job_emergency(const struct pass *pass, const struct pass_job *job);

/* Writes the state when it changed; a failure becomes the job's error unless it has one. */
void job_save(struct pass *pass, struct pass_job *job);

#endif
