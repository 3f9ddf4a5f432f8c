/* pass/prune.c: what is removed, and what root cannot be led to. */
#include "store_fixture.h"

#include "pass/prune.h"

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool is_there(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0;
}

struct place {
	char *snippets; /* STATE/snippets/nginx */
	char *file;	/* in it */
	char *away;	/* somebody's directory outside */
	char *theirs;	/* in it, with the same name */
};

static void place_make(const struct fixture *fixture, struct place *place)
{
	place->snippets = string_format("%s/snippets/nginx", fixture->path);
	place->file = string_format("%s/" FIXTURE_NAME ".conf", place->snippets);
	place->away = string_format("%s.away", fixture->path);
	place->theirs = string_format("%s/" FIXTURE_NAME ".conf", place->away);
	assert_int_equal(mkdir(place->snippets, 0755), 0);
	assert_int_equal(mkdir(place->away, 0755), 0);
	make_file(place->file);
	make_file(place->theirs);
}

static void place_free(struct place *place)
{
	file_remove_at(AT_FDCWD, "", place->away, NULL);
	free(place->snippets);
	free(place->file);
	free(place->away);
	free(place->theirs);
}

static void test_files_and_directories_are_removed(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(place_free) struct place place = {0};
	struct prune prune = {.name = FIXTURE_NAME};
	place_make(fixture, &place);
	string_list_add(&prune.files, place.file);
	string_list_add(&prune.files, place.theirs); /* `snippet_dir` may be anywhere */
	string_list_add(&prune.files, fixture->where);
	assert_int_equal(prune_remove(&fixture->store, &prune, &fixture->error), 0);
	assert_false(is_there(place.file));
	assert_false(is_there(place.theirs));
	assert_false(is_there(fixture->where));
	prune_free(&prune);
}

/* Between the look and the removal the directory is swapped for a link. */
static void test_nothing_is_removed_through_a_link(void **context)
{
	struct fixture *fixture = *context;
	CLEANUP(place_free) struct place place = {0};
	struct prune prune = {.name = FIXTURE_NAME};
	place_make(fixture, &place);
	string_list_add(&prune.files, place.file);
	assert_int_equal(unlink(place.file), 0);
	assert_int_equal(rmdir(place.snippets), 0);
	assert_int_equal(symlink(place.away, place.snippets), 0);
	assert_true(prune_remove(&fixture->store, &prune, &fixture->error) < 0);
	assert_true(is_there(place.theirs));

	/* nor one that lies higher */
	CLEANUP(freep) char *all = string_format("%s/snippets", fixture->path);
	CLEANUP(freep) char *moved = string_format("%s/nginx", place.away);
	assert_int_equal(unlink(place.snippets), 0);
	assert_int_equal(rmdir(all), 0);
	assert_int_equal(mkdir(moved, 0755), 0);
	CLEANUP(freep) char *inner = string_format("%s/" FIXTURE_NAME ".conf", moved);
	make_file(inner);
	assert_int_equal(symlink(place.away, all), 0);
	error_clear(&fixture->error);
	assert_true(prune_remove(&fixture->store, &prune, &fixture->error) < 0);
	assert_true(is_there(inner));
	prune_free(&prune);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files_and_directories_are_removed,
						fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_removed_through_a_link,
						fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
