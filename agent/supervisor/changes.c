/* changes.c - from something that was written to the pass that reads it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/paths.h"
#include "config/agent.h"
#include "supervisor/supervisor.h"

#define SECOND_US UINT64_C(1000000)

enum {
	QUIET_MS = 1000,	 /* nothing more was written for so long, ... */
	PATIENCE_MS = 10 * 1000, /* ... or somebody goes on writing all this time */
	YOUNG_MS = 10 * 1000,	 /* the agent is not started anew for a token before that */
	POINTS_SPARE = 8,
};

static const char token_name[] = "api-token";

/* What tells one content of the token's file from another without reading it: the agent's user may
 * not be able to, and a secret does not belong into this process. */
static struct token_stamp token_look(const struct supervisor *supervisor)
{
	struct stat status;
	if (!supervisor->token_path || stat(supervisor->token_path, &status) < 0)
		return (struct token_stamp){0};
	return (struct token_stamp){
		.device = status.st_dev,
		.inode = status.st_ino,
		.size = status.st_size,
		.changed = status.st_mtim,
	};
}

static bool stamp_equal(const struct token_stamp *one, const struct token_stamp *other)
{
	return one->device == other->device && one->inode == other->inode &&
	       one->size == other->size && one->changed.tv_sec == other->changed.tv_sec &&
	       one->changed.tv_nsec == other->changed.tv_nsec;
}

bool changes_token(struct supervisor *supervisor)
{
	if (!supervisor->credential)
		return false;
	struct token_stamp now = token_look(supervisor);
	/* Removed or emptied: the one that we have may still be good, and there is no better one.
	 */
	return now.size > 0 && !stamp_equal(&now, &supervisor->token);
}

/* systemd reads a credential's source when it starts the service, and never again. */
static int start_anew(struct supervisor *supervisor)
{
	log_notice("%s was replaced; starting anew to be given it", supervisor->token_path);
	sd_notify(false, "STOPPING=1\nSTATUS=Starting anew for another API token");
	return sd_event_exit(supervisor->event, EXIT_ANEW);
}

static int set_timer(struct supervisor *supervisor, int64_t in_ms);

int changes_take(struct supervisor *supervisor)
{
	int64_t now = clock_monotonic_ms();
	if (!changes_token(supervisor) || supervisor->pass || supervisor->stopping)
		return 0;
	/* Whatever touches that file in a loop must not make us one. */
	if (now - supervisor->began_ms < YOUNG_MS)
		return set_timer(supervisor, supervisor->began_ms + YOUNG_MS - now);
	return start_anew(supervisor);
}

static int on_quiet(sd_event_source *source, uint64_t usec, void *context)
{
	struct supervisor *supervisor = context;
	(void)source;
	(void)usec;
	supervisor->quiet = sd_event_source_disable_unref(supervisor->quiet);
	supervisor->changed_ms = 0;
	if (supervisor->stopping)
		return 0;
	if (changes_token(supervisor) && !supervisor->pass) {
		int result = changes_take(supervisor);
		/* Waiting for the token, or on our way to it: a pass now would be the old one's. */
		return result;
	}
	log_notice("the configuration or what it names has changed");
	if (supervisor_settings_load(supervisor) < 0)
		log_warning("the former [agent] settings stay in force");
	changes_watch(supervisor);
	return supervisor_pass_start(supervisor);
}

static int set_timer(struct supervisor *supervisor, int64_t in_ms)
{
	supervisor->quiet = sd_event_source_disable_unref(supervisor->quiet);
	return sd_event_add_time_relative(supervisor->event, &supervisor->quiet, CLOCK_MONOTONIC,
					  (uint64_t)(in_ms > 0 ? in_ms : 0) * 1000, 1000, on_quiet,
					  supervisor);
}

/* A tool that drops five hundred files is one change. */
static void on_change(void *context)
{
	struct supervisor *supervisor = context;
	int64_t now = clock_monotonic_ms();
	if (!supervisor->changed_ms)
		supervisor->changed_ms = now;
	int64_t left = supervisor->changed_ms + PATIENCE_MS - now;
	int result = set_timer(supervisor, left < QUIET_MS ? left : QUIET_MS);
	if (result < 0)
		log_error("cannot wait for quiet: %s", strerror(-result));
}

/* Once for each cause: it is asked after every pass. */
static void tell_blind(struct supervisor *supervisor, const struct error *error)
{
	if (strcmp(supervisor->blind_words, error->message) == 0)
		return;
	log_failure(LOG_LEVEL_WARNING, error);
	log_warning("changes there are seen by the next pass%s; `systemctl reload` starts one",
		    supervisor->blind ? ", every few minutes until this is repaired" : "");
	snprintf(supervisor->blind_words, sizeof(supervisor->blind_words), "%s", error->message);
}

static int set_points(struct supervisor *supervisor, struct error *error)
{
	CLEANUP(freep) char *config = NULL;
	int result = agent_path(supervisor->config_path, &config, error);
	if (result < 0)
		return result;
	CLEANUP(freep) char *directory = agent_directory(config);
	CLEANUP(freep) char *templates = string_format("%s/templates", directory);
	const struct string_list *named = &supervisor->named;
	CLEANUP(freep)
	struct watch_point *points = memory_alloc(named->count + POINTS_SPARE, sizeof(*points));
	size_t count = 0;
	points[count++] = (struct watch_point){config, NULL};
	points[count++] = (struct watch_point){supervisor->settings.conf_dir, ".ini"};
	points[count++] = (struct watch_point){templates, ".mustache"};
	points[count++] = (struct watch_point){supervisor->token_path, NULL};
	for (size_t i = 0; i < named->count; i++)
		points[count++] = (struct watch_point){named->items[i], NULL};
	return watch_set(supervisor->watch, points, count, error);
}

void changes_watch(struct supervisor *supervisor)
{
	struct error error = {0};
	int result = 0;
	if (!supervisor->watch)
		result = watch_new(supervisor->event, on_change, supervisor, &supervisor->watch,
				   &error);
	if (result == 0)
		result = set_points(supervisor, &error);
	/* Something that the agent may not read does not hide the rest; no watch left does. */
	supervisor->blind =
		result == -ENOSPC || result == -EMFILE || result == -ENOMEM || !supervisor->watch;
	if (result < 0)
		tell_blind(supervisor, &error);
	else
		supervisor->blind_words[0] = '\0';
}

/* True when one of the files that were not watched while the pass read them has changed since. */
static bool changed_unseen(const struct supervisor *supervisor, const struct string_list *named)
{
	struct stat status;
	for (size_t i = 0; i < named->count; i++)
		if (!string_list_has(&supervisor->named, named->items[i]) &&
		    stat(named->items[i], &status) == 0 &&
		    status.st_ctim.tv_sec >= supervisor->pass_started)
			return true;
	return false;
}

bool changes_named(struct supervisor *supervisor, struct note *note)
{
	bool unseen = changed_unseen(supervisor, &note->files);
	string_list_free(&supervisor->named);
	supervisor->named = note->files;
	note->files = (struct string_list){0};
	supervisor->credential = note->credential;
	changes_watch(supervisor);
	return unseen;
}

void changes_begin(struct supervisor *supervisor)
{
	const char *slash = strrchr(path_config_file, '/');
	supervisor->began_ms = clock_monotonic_ms();
	supervisor->token_path =
		string_format("%.*s/%s", slash ? (int)(slash - path_config_file) : 0,
			      path_config_file, token_name);
	supervisor->token = token_look(supervisor);

	/* What the last pass of an earlier supervisor named; the first of ours says it again. */
	struct note note = {0};
	if (supervisor_note(supervisor, &note) == 0) {
		supervisor->named = note.files;
		note.files = (struct string_list){0};
	}
	note_free(&note);
	changes_watch(supervisor);
}

void changes_end(struct supervisor *supervisor)
{
	watch_free(supervisor->watch);
	sd_event_source_disable_unref(supervisor->quiet);
	string_list_free(&supervisor->named);
	free(supervisor->token_path);
}
