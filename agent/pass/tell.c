#include "pass/tell.h"

#include <string.h>

#include "base/alike.h"
#include "base/clock.h"
#include "base/stop.h"
#include "config/duration.h"
#include "pass/schedule.h"
#include "store/generation.h"

enum {
	AGAIN_DAILY = 24 * 3600, /* seconds */
	AGAIN_URGENT = 6 * 3600,
	AGAIN_EXPIRED = 3600,
	AGAIN_SLACK = 60, /* a pass that comes a moment before the day is over counts */
};

/* What is wrong now; the strings are others'. */
struct trouble {
	const char *scope;
	enum event_kind kind;
	const struct pass_target_job *target;
	enum error_class class;
	const char *message, *remedy;
	int64_t since;
};

static int64_t generation_until(const struct pass *pass, const struct pass_job *job,
				unsigned number)
{
	const struct state *state = &job->state;
	if (number == state->newest)
		return state->facts.not_after;
	CLEANUP(closep) int directory = -1;
	CLEANUP(X509_freep) X509 *leaf = NULL;
	CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
	if (store_certificate_open(&pass->store, job->certificate->name, false, &directory, NULL) <
		    0 ||
	    generation_leaf(directory, job->where, number, &leaf, NULL) < 0 ||
	    leaf_facts_read(leaf, &facts, NULL) < 0)
		return 0;
	return facts.not_after;
}

int64_t tell_target_until(const struct pass *pass, const struct pass_job *job,
			  const struct pass_target_job *target_job)
{
	const struct state_target *state = state_target_find(&job->state, target_job->target->name);
	return state && state->verified_generation
		       ? generation_until(pass, job, state->verified_generation)
		       : 0;
}

int64_t tell_served_until(const struct pass *pass, const struct pass_job *job)
{
	int64_t until = 0;
	for (size_t i = 0; i < job->target_count; i++) {
		int64_t one = tell_target_until(pass, job, &job->targets[i]);
		if (one && (!until || one < until))
			until = one;
	}
	return until || job->target_count ? until : job->state.facts.not_after;
}

static struct event *add(struct pass *pass, const struct pass_job *job, enum event_kind kind)
{
	const struct state *state = &job->state;
	pass->events = memory_grow(pass->events, pass->event_count, sizeof(*pass->events));
	struct event *event = &pass->events[pass->event_count++];
	*event = (struct event){
		.kind = kind,
		.at = pass->now,
		.generation = state->newest,
		.not_after = state->newest ? state->facts.not_after : 0,
		.certificate = string_copy(job->certificate->name),
		.serial = state->newest ? string_copy(state->facts.serial) : NULL,
		.hostnames = string_list_join(&job->certificate->hostnames, " "),
	};
	return event;
}

/* How many certificates are told of together in a log. */
static char *alike_of(const struct event *event)
{
	switch (event->kind) {
	case EVENT_DEPLOYED:
		return string_format("the newest generation is served by %s", event->target);
	case EVENT_DERIVED:
		return string_copy("other files of the same certificate");
	case EVENT_RESUMED:
		return string_copy("generations were finished after an interrupted pass");
	case EVENT_RECOVERED:
		return string_copy("all is well again");
	case EVENT_ISSUED:
	case EVENT_ADOPTED:
		return string_copy(event_types[event->kind].name);
	default:
		return NULL;
	}
}

/* What happened, as the history has it, and what an earlier pass did not live to tell. */
static void tell_history(struct pass *pass, struct pass_job *job)
{
	for (size_t i = 0; i < job->state.history_count; i++) {
		struct state_event *past = &job->state.history[i];
		enum event_kind kind = event_find(past->event);
		if (!past->untold)
			continue;
		past->untold = false;
		job->dirty = true;
		/* Of failures the alarms tell. */
		if (kind == EVENT_NONE || kind == EVENT_HELD || kind == EVENT_ROLLED_BACK ||
		    (kind >= EVENT_FAILED_TRANSIENT && kind <= EVENT_FAILED_BUG))
			continue;
		struct event *event = add(pass, job, kind);
		event->at = past->at;
		event->target = string_copy(past->target);
		if (past->generation)
			event->generation = past->generation;
		event->message = string_copy(past->message);
		event->text = kind == EVENT_DERIVED
				      ? string_format("generation %u has other files of the same "
						      "certificate",
						      event->generation)
				      : string_copy(past->message);
		event->alike = alike_of(event);
	}
}

/* "MESSAGE; REMEDY", for a target with its name and what it serves. */
static char *failure_text(const struct pass_job *job, const struct pass_target_job *target_job,
			  bool as_before, const char *message, const char *remedy)
{
	const char *behind = remedy && remedy[0] ? "; " : "";
	remedy = remedy ? remedy : "";
	if (!target_job)
		return string_format("%s%s%s", message, behind, remedy);

	const char *name = target_job->target->name;
	const struct state_target *state = state_target_find(&job->state, name);
	return string_format("%s: %s%s%s (generation %u %s)", name, message, behind, remedy,
			     as_before && state ? state->verified_generation : job->state.newest,
			     as_before ? "is served as before" : "waits");
}

char *tell_failure_text(const struct pass_job *job, const struct pass_target_job *target_job)
{
	const struct error *error = target_job ? &target_job->error : &job->error;
	bool as_before = target_job && (target_job->refused || target_job->held);
	return failure_text(job, target_job, as_before, error->message, error_advice(error));
}

bool tell_told(const struct pass *pass, const struct pass_job *job,
	       const struct pass_target_job *target_job)
{
	for (size_t i = job->first_event; i < job->first_event + job->event_count; i++) {
		const struct event *event = &pass->events[i];
		const char *target = target_job ? target_job->target->name : NULL;
		if (event->class != ERROR_NONE &&
		    (target ? event->target && strcmp(event->target, target) == 0 : !event->target))
			return true;
	}
	return false;
}

static int64_t again_after(const struct pass *pass, const struct pass_job *job)
{
	const struct leaf_facts *facts = &job->state.facts;
	int64_t until = tell_served_until(pass, job);
	if (!until)
		return AGAIN_DAILY;
	if (until <= pass->now)
		return AGAIN_EXPIRED;
	return until - pass->now <= (facts->not_after - facts->not_before) / 20 ? AGAIN_URGENT
										: AGAIN_DAILY;
}

static void tell_trouble(struct pass *pass, struct pass_job *job, const struct trouble *trouble,
			 bool repeated)
{
	struct event *event = add(pass, job, trouble->kind);
	event->since = trouble->since;
	event->repeated = repeated;
	event->class = trouble->class;
	event->target = trouble->target ? string_copy(trouble->target->target->name) : NULL;
	event->message = string_copy(trouble->message);
	event->remedy = trouble->remedy && trouble->remedy[0] ? string_copy(trouble->remedy) : NULL;
	bool as_before = trouble->kind == EVENT_ROLLED_BACK || trouble->kind == EVENT_HELD;
	event->text =
		failure_text(job, trouble->target, as_before, trouble->message, trouble->remedy);
	if (repeated) {
		char since[DURATION_TEXT_SIZE];
		char *text = string_format("%s; so since %s", event->text,
					   duration_format(pass->now - trouble->since, since));
		free(event->text);
		event->text = text;
	}
}

/* Of an end that comes nearer only the time differs, in words too: "2 days", "1 day 23 h". */
static bool says_the_same(const struct state_alarm *alarm, const struct trouble *trouble)
{
	return trouble->kind == EVENT_EXPIRING || trouble->kind == EVENT_EXPIRED ||
	       words_alike(alarm->message, trouble->message);
}

/* Tells of it unless that was done and nothing has changed since. */
static void alarm_raise(struct pass *pass, struct pass_job *job, struct trouble *trouble)
{
	struct state_alarm *alarm = state_alarm_find(&job->state, trouble->scope);
	bool known = alarm && event_find(alarm->event) != EVENT_NONE &&
		     strcmp(alarm->event, event_types[trouble->kind].name) == 0 &&
		     alarm->class == trouble->class && says_the_same(alarm, trouble);
	if (!alarm) {
		alarm = state_alarm_add(&job->state, trouble->scope);
		alarm->since = pass->now;
	}
	/* A clock that was set back must not silence it. */
	bool again = known && (pass->now < alarm->told ||
			       pass->now - alarm->told + AGAIN_SLACK >= again_after(pass, job));
	trouble->since = alarm->since;
	if (known && !again)
		return;
	tell_trouble(pass, job, trouble, known);
	alarm->told = pass->now;
	alarm->class = trouble->class;
	free(alarm->event);
	alarm->event = string_copy(event_types[trouble->kind].name);
	free(alarm->message);
	alarm->message = string_copy(trouble->message);
	free(alarm->remedy);
	alarm->remedy = trouble->remedy && trouble->remedy[0] ? string_copy(trouble->remedy) : NULL;
	job->dirty = true;
}

/* What the agent's stopping broke off is nobody's failure; the next pass goes on with it. */
static bool broken_off(const struct pass_job *job, const char *scope, const struct error *error,
		       struct string_list *present)
{
	if (!stop_requested() || error->class != ERROR_TRANSIENT)
		return false;
	if (state_alarm_find(&job->state, scope))
		string_list_add(present, scope);
	return true;
}

/* `present`: the scopes of what is wrong now; the other alarms are to go. */
static void raise_error(struct pass *pass, struct pass_job *job, struct string_list *present,
			struct trouble *trouble, const struct error *error)
{
	trouble->class = error->class;
	trouble->message = error->message;
	trouble->remedy = error_advice(error);
	string_list_add(present, trouble->scope);
	alarm_raise(pass, job, trouble);
}

static void raise_issue(struct pass *pass, struct pass_job *job, struct string_list *present)
{
	const struct state_attempt *attempt = &job->state.issue;
	struct trouble trouble = {.scope = "issue"};
	if (job->error.code && broken_off(job, trouble.scope, &job->error, present))
		return;
	if (job->error.code) {
		trouble.kind = event_of_failure(job->error.class);
		raise_error(pass, job, present, &trouble, &job->error);
	} else if (job->reissue && attempt->count) {
		trouble.kind = event_of_failure(attempt->class);
		trouble.class = attempt->class;
		trouble.message = attempt->message ? attempt->message : "";
		trouble.remedy = attempt->remedy;
		string_list_add(present, trouble.scope);
		alarm_raise(pass, job, &trouble);
	}
}

static void raise_target(struct pass *pass, struct pass_job *job,
			 const struct pass_target_job *target_job, struct string_list *present)
{
	CLEANUP(freep) char *scope = string_format("target %s", target_job->target->name);
	struct trouble trouble = {.scope = scope, .target = target_job};
	if (target_job->verified ||
	    (target_job->error.code && broken_off(job, scope, &target_job->error, present)))
		return;
	if (target_job->error.code) {
		trouble.kind = target_job->refused ? EVENT_ROLLED_BACK
			       : target_job->held  ? EVENT_HELD
						   : event_of_failure(target_job->error.class);
		raise_error(pass, job, present, &trouble, &target_job->error);
		return;
	}
	/* It waits for its next try: what was told of it stands. */
	const struct state_alarm *alarm = state_alarm_find(&job->state, scope);
	if (!alarm || !target_job->reasons)
		return;
	CLEANUP(freep) char *message = string_copy(alarm->message ? alarm->message : "");
	CLEANUP(freep) char *remedy = string_copy(alarm->remedy);
	trouble.kind = event_find(alarm->event);
	if (trouble.kind == EVENT_FAILED_TRANSIENT || trouble.kind == EVENT_NONE)
		trouble.kind = event_of_failure(alarm->class);
	trouble.class = alarm->class;
	trouble.message = message;
	trouble.remedy = remedy;
	string_list_add(present, scope);
	alarm_raise(pass, job, &trouble);
}

/* What visitors will see, whatever the cause. */
static void raise_expiry(struct pass *pass, struct pass_job *job, struct string_list *present)
{
	const struct state *state = &job->state;
	int64_t until = tell_served_until(pass, job);
	/* By a wrong clock nobody knows what ends when. */
	if (!state->newest || !until || pass->clock.error.code)
		return;
	struct renewal renewal = schedule_renewal(pass->config, job->certificate, &state->facts);
	int64_t left = until - pass->now;
	int64_t window = state->facts.not_after - renewal.window;
	if (left > window / 2 || (left > 0 && pass_job_current(pass, job) && !job->reissue))
		return;

	char duration[DURATION_TEXT_SIZE];
	char when[CLOCK_TEXT_SIZE];
	duration_format(left > 0 ? left : -left, duration);
	clock_format(until, when);
	CLEANUP(freep)
	char *message = left > 0
				? string_format("the certificate that is served ends in %s (%s) "
						"and is not renewed yet",
						duration, when)
				: string_format("the certificate that is served ended %s ago (%s): "
						"Full (strict) answers visitors with error 526",
						duration, when);
	struct trouble trouble = {
		.scope = "expiry",
		.kind = left > 0 ? EVENT_EXPIRING : EVENT_EXPIRED,
		.message = message,
		.remedy = "see `origin-ca-agent status` for what fails, put it right, then "
			  "`origin-ca-agent --renew-now`",
	};
	string_list_add(present, trouble.scope);
	alarm_raise(pass, job, &trouble);
}

/* Drops what is over. When that is all, and all is well, says so. */
static void alarms_end(struct pass *pass, struct pass_job *job, const struct string_list *present)
{
	struct state *state = &job->state;
	bool current = pass_job_current(pass, job);
	if (state->alarm_count == 0 || (!current && present->count == 0))
		return;
	int64_t since = pass->now;
	CLEANUP(freep) char *first = NULL;
	for (size_t i = state->alarm_count; i > 0; i--) {
		const struct state_alarm *alarm = &state->alarms[i - 1];
		if (string_list_has(present, alarm->scope))
			continue;
		if (!first || alarm->since < since) {
			since = alarm->since;
			free(first);
			first = string_copy(alarm->message ? alarm->message : "");
		}
		state_alarm_drop(state, i - 1);
		job->dirty = true;
	}
	if (!first || present->count || !current)
		return;
	char lasted[DURATION_TEXT_SIZE];
	struct event *event = add(pass, job, EVENT_RECOVERED);
	event->since = since;
	event->message = string_format("all is well again after %s; it was: %s",
				       duration_format(pass->now - since, lasted), first);
	event->text = string_copy(event->message);
	event->alike = alike_of(event);
	state_event_add(state, pass->now, "recovered", "%s", event->message)->untold = false;
}

void tell_collect(struct pass *pass)
{
	for (size_t i = 0; i < pass->job_count; i++) {
		struct pass_job *job = &pass->jobs[i];
		struct string_list present = {0};
		if (job->settled)
			continue;
		job->first_event = pass->event_count;
		if (job->repaired) {
			state_event_add(&job->state, pass->now, "repaired",
					"owner, group or mode of its files had drifted and was "
					"put right");
			job->dirty = true;
		}
		tell_history(pass, job);
		raise_issue(pass, job, &present);
		for (size_t j = 0; j < job->target_count; j++)
			raise_target(pass, job, &job->targets[j], &present);
		raise_expiry(pass, job, &present);
		alarms_end(pass, job, &present);
		job->event_count = pass->event_count - job->first_event;
		string_list_free(&present);
	}
}
