#include "store/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/random.h"
#include "store/content.h"
#include "store/meta.h"
#include "store/state.h"

const char *generation_name(unsigned number, char text[static GENERATION_NAME_SIZE])
{
	snprintf(text, GENERATION_NAME_SIZE, "%04u", number);
	return text;
}

long generation_parse(const char *text, bool *ret_canonical)
{
	size_t length = strlen(text);
	if (length == 0 || length > 8 || strspn(text, "0123456789") != length)
		return -1;
	long number = strtol(text, NULL, 10);
	char canonical[GENERATION_NAME_SIZE];
	*ret_canonical = strcmp(generation_name((unsigned)number, canonical), text) == 0;
	return number;
}

/* The numbers of all numbered entries, whole or not; with `complete_only`, without those that
 * certainly are not whole. */
struct numbers {
	unsigned *items;
	size_t count;
	bool complete_only;
	long highest; /* -1: none */
};

static int number_visit(int directory, const char *name, void *context, struct error *error)
{
	(void)error;
	struct numbers *numbers = context;
	bool canonical;
	long number = generation_parse(name, &canonical);
	if (number < 0)
		return 0;
	if (number > numbers->highest)
		numbers->highest = number;
	if (!numbers->complete_only || !canonical)
		return 0;

	CLEANUP(closep)
	int fd = openat(directory, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int result = fd < 0 ? -errno : parts_complete(fd);
	/* One that cannot be looked at now counts: who reads it is told why. */
	if (result > 0 || (result < 0 && !part_is_lost(result))) {
		numbers->items =
			memory_resize(numbers->items, numbers->count + 1, sizeof(*numbers->items));
		numbers->items[numbers->count++] = (unsigned)number;
	}
	return 0;
}

int generation_any(int certificate, const char *where, bool *ret_any, struct error *error)
{
	struct numbers numbers = {.highest = -1};
	int result = directory_walk(certificate, where, number_visit, &numbers, error);
	if (result == 0)
		*ret_any = numbers.highest >= 0;
	return result;
}

/* What state.json says was once there: directories can have been removed by hand while a server's
 * configuration, or a backup of it, still names them. */
static unsigned state_highest(int certificate, const char *where)
{
	struct state state = {0};
	bool rebuilt;
	if (state_load(certificate, where, &state, &rebuilt, NULL) < 0)
		return 0;

	unsigned highest = state.active > state.newest ? state.active : state.newest;
	for (size_t i = 0; i < state.target_count; i++) {
		const struct state_target *target = &state.targets[i];
		const unsigned used[] = {target->generation, target->verified_generation,
					 target->refused_generation};
		for (size_t j = 0; j < ARRAY_SIZE(used); j++)
			if (used[j] > highest)
				highest = used[j];
	}
	state_free(&state);
	return highest;
}

int generation_next(int certificate, const char *where, unsigned at_least, unsigned *ret_number,
		    struct error *error)
{
	struct numbers numbers = {.highest = -1};
	int result = directory_walk(certificate, where, number_visit, &numbers, error);
	if (result < 0)
		return result;

	unsigned highest = numbers.highest > 0 ? (unsigned)numbers.highest : 0;
	unsigned recorded = state_highest(certificate, where);
	if (recorded > highest)
		highest = recorded;
	unsigned number = highest + 1 > at_least ? highest + 1 : at_least;
	if (number > GENERATION_MOST) {
		error_set(error, ERROR_LOCAL, -ERANGE, "no generation number is left in %s", where);
		return error_remedy(error,
				    "remove the directory with the highest number, if nothing "
				    "names it");
	}
	*ret_number = number;
	return 0;
}

static int number_compare(const void *one, const void *other)
{
	unsigned a = *(const unsigned *)one;
	unsigned b = *(const unsigned *)other;
	return (a > b) - (a < b);
}

int generation_list(int certificate, const char *where, unsigned **ret_numbers, size_t *ret_count,
		    struct error *error)
{
	struct numbers numbers = {.complete_only = true, .highest = -1};
	int result = directory_walk(certificate, where, number_visit, &numbers, error);
	if (result < 0) {
		free(numbers.items);
		return result;
	}
	if (numbers.count > 1)
		qsort(numbers.items, numbers.count, sizeof(*numbers.items), number_compare);
	*ret_numbers = numbers.items;
	*ret_count = numbers.count;
	return 0;
}

int generation_open(int certificate, const char *where, unsigned number, int *ret_fd,
		    char path[static PATH_MAX], struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	generation_name(number, name);
	snprintf(path, PATH_MAX, "%s/%s", where, name);
	return directory_open_at(certificate, where, name, ret_fd, error);
}

int generation_key(int certificate, const char *where, unsigned number, EVP_PKEY **ret_key,
		   struct error *error)
{
	CLEANUP(closep) int directory = -1;
	char path[PATH_MAX];
	int result = generation_open(certificate, where, number, &directory, path, error);
	return result < 0 ? result : key_load(directory, path, ret_key, error);
}

int generation_leaf(int certificate, const char *where, unsigned number, X509 **ret_leaf,
		    struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(buffer_free) struct buffer pem = BUFFER(FILE_LIMIT);
	char path[PATH_MAX];
	int result = generation_open(certificate, where, number, &directory, path, error);
	if (result == 0)
		result = part_read(directory, path, PART_CERT, &pem, error);
	return result < 0 ? result : leaf_read_pem(buffer_text(&pem), pem.length, ret_leaf, error);
}

int generation_describe(int certificate, const char *where, unsigned number,
			struct generation_meta *ret_meta, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	CLEANUP(buffer_free) struct buffer text = BUFFER(META_LIMIT);
	char path[PATH_MAX];
	struct generation_meta meta = {0};
	int result = generation_open(certificate, where, number, &directory, path, error);
	if (result < 0)
		return result;
	if (part_read(directory, path, PART_META, &text, NULL) < 0 ||
	    meta_parse(buffer_text(&text), text.length, &meta) < 0 || !meta.facts.serial[0]) {
		CLEANUP(X509_freep) X509 *leaf = NULL;
		CLEANUP(leaf_facts_free) struct leaf_facts facts = {0};
		generation_meta_free(&meta);
		result = generation_leaf(certificate, where, number, &leaf, error);
		if (result == 0)
			result = leaf_facts_read(leaf, &facts, error);
		if (result < 0)
			return result;
		meta_from_facts(&facts, &meta);
	}
	meta.number = number;
	meta.placeholder = number == 0;
	*ret_meta = meta;
	return 0;
}

void pair_free(struct generation_pair *pair)
{
	EVP_PKEY_free(pair->key);
	X509_free(pair->leaf);
	leaf_facts_free(&pair->facts);
	*pair = (struct generation_pair){0};
}

int pair_load(int directory, const char *path, struct generation_pair *ret_pair,
	      struct error *error)
{
	struct generation_pair pair = {0};
	CLEANUP(buffer_free) struct buffer leaf = BUFFER(FILE_LIMIT);
	int result = either_load(directory, path, &pair.key, &pair.keyless, error);
	if (result == 0)
		result = part_read(directory, path, PART_CERT, &leaf, error);
	if (result == 0)
		result = leaf_match(buffer_text(&leaf), leaf.length, pair.key, path, &pair.leaf,
				    &pair.facts, error);
	if (result < 0)
		pair_free(&pair);
	else
		*ret_pair = pair;
	return result;
}

int meta_join(int directory, const char *path, struct leaf_facts *facts,
	      struct generation_meta *ret_meta, struct error *error)
{
	CLEANUP(buffer_free) struct buffer text = BUFFER(META_LIMIT);
	int result = part_read(directory, path, PART_META, &text, error);
	if (result < 0 && result != -EFBIG)
		return result;
	/* meta.json of another leaf, or none that can be read: the leaf tells all that matters. */
	struct generation_meta meta = {0};
	if (result == -EFBIG || meta_parse(buffer_text(&text), text.length, &meta) < 0 ||
	    strcmp(meta.facts.sha256, facts->sha256) != 0) {
		generation_meta_free(&meta);
		meta_from_facts(facts, &meta);
	}
	leaf_facts_free(&meta.facts);
	meta.facts = *facts;
	*facts = (struct leaf_facts){0};
	*ret_meta = meta;
	return 0;
}

/*
 * The pass that made a generation can have been killed between the rename and the sync of the
 * directory above. Whoever reads it for the first time is about to point a server at it, and a
 * power cut must not leave that server's configuration pointing at nothing. After an hour the
 * kernel has long written a rename by itself: reading a thousand old ones costs no sync.
 */
static int place_settle(int certificate, const char *where, int directory, struct error *error)
{
	struct stat status;
	if (fstat(directory, &status) < 0)
		return error_errno(error, -errno, "cannot stat a generation of %s", where);
	int64_t age = clock_now() - status.st_ctim.tv_sec;
	if (age > CLOCK_HOUR)
		return 0;
	/* A file system mounted read-only has nothing left to sync. */
	if (fsync(certificate) < 0 && errno != EROFS && errno != EINVAL)
		return error_errno(error, -errno, "cannot sync directory %s", where);
	return 0;
}

int generation_read(int certificate, const char *where, unsigned number,
		    struct generation_meta *ret_meta, struct error *error)
{
	CLEANUP(closep) int directory = -1;
	char path[PATH_MAX];
	int result = generation_open(certificate, where, number, &directory, path, error);
	if (result < 0)
		return result;

	CLEANUP(pair_free) struct generation_pair pair = {0};
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	result = pair_load(directory, path, &pair, error);
	if (result == 0)
		result = meta_join(directory, path, &pair.facts, &meta, error);
	int whole = result < 0 ? result : parts_complete(directory);
	if (result == 0 && whole < 0)
		result = error_errno(error, whole, "cannot look at the files of %s", path);
	if (result == 0 && whole == 0)
		result = error_set(error, ERROR_LOCAL, -ENOENT, "%s is not complete", path);
	if (result < 0)
		return result;
	meta.number = number;
	meta.placeholder = number == 0;
	meta.keyless = pair.keyless;

	result = place_settle(certificate, where, directory, error);
	if (result < 0)
		return result;
	*ret_meta = meta;
	meta = (struct generation_meta){0};
	return 0;
}

bool generation_is_lost(int result)
{
	return part_is_lost(result);
}

/* Moves the directory out of sight, then removes it: a crash in between leaves a temporary name
 * for generation_recover(), never half a generation under its number. */
static int generation_remove(int certificate, const char *where, unsigned number,
			     struct error *error)
{
	char name[GENERATION_NAME_SIZE];
	char temporary[64];
	generation_name(number, name);
	snprintf(temporary, sizeof(temporary), ".%s.%08" PRIx32 ".tmp", name, random_u32());
	if (renameat(certificate, name, certificate, temporary) < 0)
		return error_errno(error, -errno, "cannot remove %s/%s", where, name);
	return file_remove_at(certificate, where, temporary, error);
}

int generation_prune(int certificate, const char *where, unsigned keep, const unsigned *in_use,
		     size_t in_use_count, struct error *error)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	int result = generation_list(certificate, where, &numbers, &count, error);

	/* The newest stays whatever was asked: it is what the next number is told by. */
	size_t kept = keep > 0 ? keep : 1;
	for (size_t i = 0; result == 0 && count > kept && i < count - kept; i++) {
		bool used = false;
		for (size_t j = 0; j < in_use_count; j++)
			used = used || in_use[j] == numbers[i];
		if (!used)
			result = generation_remove(certificate, where, numbers[i], error);
	}
	return result;
}

int generation_fingerprint(int certificate, unsigned number, char text[static SHA256_TEXT_SIZE])
{
	char name[GENERATION_NAME_SIZE];
	CLEANUP(closep)
	int directory = openat(certificate, generation_name(number, name),
			       O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		return -errno;

	/* The last one is the directory itself: "." of it. What is not there is all zeros. */
	uint64_t values[PART_COUNT + 1][7] = {{0}};
	int keyless = parts_keyless(directory);
	if (keyless < 0)
		return keyless;
	for (unsigned i = 0; i <= PART_COUNT; i++) {
		struct file_stamp stamp;
		if (i == (keyless ? PART_KEY : PART_CSR))
			continue;
		int result = file_stamp_at(directory, i < PART_COUNT ? part_name(i) : ".", &stamp);
		if (result == -ENOENT && i >= PART_EXPORTS && i < PART_COUNT)
			continue;
		if (result < 0)
			return result;
		const uint64_t words[] = {
			stamp.device, stamp.inode, (uint64_t)stamp.size, (uint64_t)stamp.ctime_ns,
			stamp.mode,   stamp.owner, stamp.group};
		memcpy(values[i], words, sizeof(words));
	}
	digest_sha256(values, sizeof(values), text);
	return 0;
}
