#include "pass/served.h"

#include <errno.h>

#include "base/log.h"
#include "base/stop.h"
#include "pass/delivery.h"
#include "pass/siblings.h"
#include "pass/verify.h"

/* What a remote target itself says; some of it no handshake of ours would show. */
static void platform_look(struct pass *pass, struct pass_job *job,
			  struct pass_target_job *target_job)
{
	if (delivery_is_there(pass, job, target_job))
		return;
	target_job->verified = false;
	target_job->reasons |= REDEPLOY_SERVED;
	state_target_get(&job->state, target_job->target->name)->reload_pending = true;
}

static bool is_to_look(const struct pass *pass, const struct pass_job *job)
{
	return pass->options.full || (job->returned && pass_job_current(pass, job));
}

static bool nothing_to_look(const struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++)
		if (is_to_look(pass, &pass->jobs[i]))
			return false;
	return true;
}

void served_look(struct pass *pass, bool alone)
{
	if (nothing_to_look(pass))
		return;
	CLEANUP(probe_freep) struct probe *probe = NULL;
	struct error error = {0};
	if (probe_new(&probe, &error) < 0) {
		log_failure(LOG_LEVEL_WARNING, &error);
		return;
	}
	for (size_t i = 0; i < pass->job_count; i++)
		for (size_t j = 0; j < pass->jobs[i].target_count; j++) {
			struct pass_target_job *target_job = &pass->jobs[i].targets[j];
			struct pass_target *target = &pass->targets[target_job->index];
			if (stop_requested())
				return; /* what was seen before still counts */
			if (!is_to_look(pass, &pass->jobs[i]) || !target_job->verified ||
			    siblings_none(target_job) != alone)
				continue;
			if (alone && !pass->options.dry_run)
				platform_look(pass, &pass->jobs[i], target_job);
			if (!target_job->verified || !target_job->target->probe_host)
				continue;
			if (target->mute) {
				target_job->verified = false;
				target_job->reasons |= REDEPLOY_SERVED;
				continue;
			}
			struct verify verify;
			verify_now(&verify, pass, &pass->jobs[i], target_job, probe);
			if (!verify_holds(&verify)) {
				target_job->verified = false;
				target_job->reasons |= REDEPLOY_SERVED;
			}
			/* Who hangs or refuses for one certificate does so for all. */
			target->mute = verify.error.code == -ETIMEDOUT ||
				       verify.error.code == -ECONNREFUSED;
			verify_end(&verify);
		}
}
