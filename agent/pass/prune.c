#include "pass/prune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "pass/serving.h"
#include "store/state.h"
#include "target/keystore.h"
#include "target/server_config.h"
#include "target/truststore.h"

static const char *const suffixes[] = {"conf", "xml", KEYSTORE_SUFFIX, TRUSTSTORE_SUFFIX};

static bool exists(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

static void file_note(struct string_list *files, const char *path)
{
	if (!string_list_has(files, path))
		string_list_add(files, path);
}

/* In STATE/snippets everything is ours. */
static int own_snippets(const struct store *store, struct prune *prune, struct error *error)
{
	CLEANUP(freep) char *root = string_format("%s/snippets", store->path);
	CLEANUP(string_list_free) struct string_list targets = {0};
	int result = store_snippets_list(store, &targets, error);
	for (size_t i = 0; result == 0 && i < targets.count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(suffixes); j++) {
			CLEANUP(freep)
			char *path = string_format("%s/%s/%s.%s", root, targets.items[i],
						   prune->name, suffixes[j]);
			if (exists(path))
				file_note(&prune->files, path);
		}
	return result;
}

/* Elsewhere a file of that name can be anybody's: only one that is as we left it goes. */
static void foreign_snippets(const struct config *config, const struct store *store,
			     const struct state *state, struct prune *prune)
{
	CLEANUP(freep) char *root = string_format("%s/snippets/", store->path);
	for (size_t i = 0; i < config->target_count; i++) {
		const struct config_target *target = config->targets[i];
		const struct state_target *known = state_target_find(state, target->name);
		if (!known || !known->snippet_stamp || string_starts(target->snippet_dir, root))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(suffixes); j++) {
			CLEANUP(freep)
			char *path = string_format("%s/%s.%s", target->snippet_dir, prune->name,
						   suffixes[j]);
			struct file_stamp stamp;
			char text[FILE_STAMP_TEXT_SIZE];
			if (file_stamp_at(AT_FDCWD, path, &stamp) < 0)
				continue;
			file_stamp_format(&stamp, text);
			bool ours = strcmp(known->snippet_stamp, text) == 0 ||
				    (known->keystore_stamp && strstr(known->keystore_stamp, text));
			file_note(ours ? &prune->files : &prune->kept, path);
		}
	}
}

static int files_collect(const struct config *config, const struct store *store,
			 struct prune *prune, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(state_free) struct state state = {0};
	CLEANUP(freep) char *where = string_format("%s/certificates/%s", store->path, prune->name);
	CLEANUP(freep) char *live = string_format("%s/live/%s", store->path, prune->name);
	bool rebuilt = false;
	if (exists(live))
		file_note(&prune->files, live);
	int result = own_snippets(store, prune, error);
	if (result < 0)
		return result;
	result = store_certificate_open(store, prune->name, false, &directory, error);
	if (result == -ENOENT) {
		error_clear(error);
		return 0;
	}
	if (result == 0)
		result = state_load(directory, where, &state, &rebuilt, error);
	if (result < 0)
		return result;
	foreign_snippets(config, store, &state, prune);
	/* The keys last: what names them is gone by then. */
	file_note(&prune->files, where);
	return 0;
}

static void configured_obstacle(const struct config *config, struct prune *prune)
{
	const struct config_certificate *certificate = config_certificate_find(config, prune->name);
	if (certificate)
		string_list_take(&prune->obstacles,
				 string_format("there is a [certificate %s] at %s:%u", prune->name,
					       certificate->place.file, certificate->place.line));
	else if (string_list_has(&config->broken_certificates, prune->name))
		string_list_take(&prune->obstacles,
				 string_format("there is a [certificate %s] with errors in it: see "
					       "`check`",
					       prune->name));
	else if (config->incomplete)
		string_list_take(&prune->obstacles,
				 string_format("a file of the configuration cannot be read, and "
					       "[certificate %s] may stand there: see `check`",
					       prune->name));
}

static void served_obstacles(const struct config *config, const struct holdings *holdings,
			     struct prune *prune)
{
	for (size_t i = 0; i < holdings->count; i++) {
		const struct holding *holding = &holdings->items[i];
		struct serving_question question = {holding->serial, &holding->hostnames,
						    KEY_TYPE_COUNT};
		struct serving serving = {0};
		if (strcmp(holding->name, prune->name) != 0)
			continue;
		if (holding->not_after > clock_now() &&
		    !string_list_has(&prune->ids, holding->serial))
			string_list_add(&prune->ids, holding->serial);
		if (serving_look(config, &question, &serving, NULL) < 0)
			continue;
		for (size_t j = 0; j < serving.count; j++)
			if (serving.items[j].answer == SERVING_SHOWN)
				string_list_take(
					&prune->obstacles,
					string_format("%s shows generation %u of it for %s now",
						      serving.items[j].target->name,
						      holding->generation,
						      serving.items[j].hostname));
		serving_free(&serving);
	}
}

static bool names_whole(const char *text, const char *needle)
{
	const char *at = strstr(text, needle);
	/* "example.com.conf" is not in "example.com.conf.old". */
	return at && !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-",
			     at[strlen(needle)] ? at[strlen(needle)] : ';');
}

struct search {
	const char *name;
	struct prune_mentions *mentions;
};

static int search_line(const char *path, unsigned line, const char *text, void *context)
{
	struct search *search = context;
	text += strspn(text, " \t");
	if (text[0] == '#' || !strstr(text, search->name))
		return 0;
	string_list_take(&search->mentions->places, string_format("%s:%u", path, line));
	string_list_add(&search->mentions->lines, text);
	return 0;
}

void prune_mentions_read(const char *name, struct prune_mentions *ret_mentions)
{
	*ret_mentions = (struct prune_mentions){0};
	struct search search = {name, ret_mentions};
	server_config_walk(server_config_directories, search_line, &search, &ret_mentions->unread);
}

void prune_mentions_free(struct prune_mentions *mentions)
{
	string_list_free(&mentions->places);
	string_list_free(&mentions->lines);
	string_list_free(&mentions->unread);
}

/* Who names one of the files. */
static void named_obstacles(const struct prune_mentions *mentions, struct prune *prune)
{
	for (size_t i = 0; i < mentions->lines.count; i++)
		for (size_t j = 0; j < prune->files.count; j++)
			if (names_whole(mentions->lines.items[i], prune->files.items[j])) {
				string_list_take(&prune->obstacles,
						 string_format("%s names %s",
							       mentions->places.items[i],
							       prune->files.items[j]));
				break;
			}
	if (mentions->unread.count && prune->files.count) {
		CLEANUP(freep) char *paths = string_list_join(&mentions->unread, ", ");
		string_list_take(&prune->obstacles,
				 string_format("whether a server names it cannot be told: %.300s "
					       "cannot be read by this user",
					       paths));
	}
}

int prune_look(const struct config *config, const struct store *store,
	       const struct holdings *holdings, const struct prune_mentions *mentions,
	       const char *name, struct prune *ret_prune, struct error *error)
{
	struct prune prune = {.name = name};
	int result = store->fd < 0 ? 0 : files_collect(config, store, &prune, error);
	if (result < 0) {
		prune_free(&prune);
		return result;
	}
	configured_obstacle(config, &prune);
	served_obstacles(config, holdings, &prune);
	named_obstacles(mentions, &prune);
	*ret_prune = prune;
	return 0;
}

void prune_free(struct prune *prune)
{
	string_list_free(&prune->files);
	string_list_free(&prune->kept);
	string_list_free(&prune->obstacles);
	string_list_free(&prune->ids);
}

/* The directory of a file. Below the state directory nothing may be a symbolic link. */
static int parent_open(const struct store *store, const char *parent, int *ret_fd,
		       struct error *error)
{
	size_t own = strlen(store->path);
	if (strncmp(parent, store->path, own) != 0 || parent[own] != '/') {
		*ret_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return *ret_fd < 0 ? error_errno(error, -errno, "cannot open %s", parent) : 0;
	}
	CLEANUP(freep) char *rest = string_copy(parent + own + 1);
	CLEANUP(freep) char *where = string_copy(store->path);
	CLEANUP(closep) int above = -1;
	char *next = NULL;
	int result = 0;
	for (char *part = strtok_r(rest, "/", &next); result == 0 && part;
	     part = strtok_r(NULL, "/", &next)) {
		int fd = -1;
		result = directory_open_at(above < 0 ? store->fd : above, where, part, &fd, error);
		closep(&above);
		above = fd;
		char *deeper = string_format("%s/%s", where, part);
		free(where);
		where = deeper;
	}
	if (result == 0)
		*ret_fd = TAKE_FD(above);
	return result;
}

int prune_remove(const struct store *store, const struct prune *prune, struct error *error)
{
	for (size_t i = 0; i < prune->files.count; i++) {
		CLEANUP(freep) char *parent = string_copy(prune->files.items[i]);
		char *slash = strrchr(parent, '/');
		*slash = '\0';
		CLEANUP(closep) int directory = -1;
		int result = parent_open(store, parent, &directory, error);
		if (result == 0)
			result = file_remove_at(directory, parent, slash + 1, error);
		if (result == 0)
			result = directory_sync(directory, parent, error);
		if (result < 0)
			return result;
	}
	return 0;
}
