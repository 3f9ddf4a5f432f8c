/* Faults while generations are derived and held against what they should be. */
#define FIXTURE_BASE "/dev/shm"
#include "store_formats.h"

#include <sys/wait.h>

#include "store_faults.h"

/* Keystores take long, and their file is one like the others. */
static void quick_make(struct formats *formats)
{
	formats_make(formats);
	formats->files.formats &= ~(unsigned)FORMAT_P12;
}

static const int codes[] = {ENOSPC, EIO};

/* A generation of PEM files, from which all the others are to be derived. */
static void plain_make(struct formats *formats)
{
	quick_make(formats);
	struct generation_files plain = fixture_files(&formats->fixture);
	assert_int_equal(formats_issue(formats, &plain), 1);
}

static void plain_check(struct formats *formats)
{
	struct generation_files plain = fixture_files(&formats->fixture);
	assert_int_equal(fixture_recover(&formats->fixture), 0);
	assert_int_equal(formats_check(formats, 1, &plain, true), 0);
	size_t count = fixture_count(&formats->fixture);
	assert_true(count == 1 || count == 2);
	/* What has a number is whole, and nothing else is left. */
	if (count == 2)
		assert_int_equal(formats_check(formats, 2, &formats->files, true), 0);
	assert_int_equal(fixture_entries(&formats->fixture), count);
	unsigned derived = formats_derive(formats, 1, &formats->files);
	assert_int_equal(derived, count + 1);
	assert_int_equal(formats_check(formats, derived, &formats->files, true), 0);
}

static int derive_plain(struct formats *formats, unsigned *ret_number)
{
	struct fixture *fixture = &formats->fixture;
	return generation_derive(fixture->certificate, fixture->where, 1, 0, &formats->files,
				 ret_number, &fixture->error);
}

static void test_a_derivation_that_dies_at_any_call_leaves_whole_generations(void **state)
{
	(void)state;
	int at = 1;
	for (int status = DIED; status == DIED; at++) {
		struct formats formats;
		plain_make(&formats);
		pid_t child = fork();
		if (child == 0) {
			unsigned number = 0;
			fault_arm(FAULT_DIE, at, 0);
			_exit(derive_plain(&formats, &number) == 0 && number == 2 ? 0 : 1);
		}
		int waited = 0;
		assert_int_equal(waitpid(child, &waited, 0), child);
		status = WEXITSTATUS(waited);
		assert_true(WIFEXITED(waited) && (status == DIED || status == 0));
		if (status == 0)
			assert_int_equal(fixture_count(&formats.fixture), 2);
		plain_check(&formats);
		formats_free(&formats);
		assert_true(at < MOST_CALLS);
	}
	print_message("died before each of %d calls\n", at - 2);
	assert_true(at > 50);
}

static void test_a_derivation_that_fails_at_any_call_is_told_and_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		bool reached = true;
		for (int at = 1; reached; at++) {
			struct formats formats;
			unsigned number = 0;
			plain_make(&formats);
			fault_arm(FAULT_FAIL, at, codes[i]);
			int result = derive_plain(&formats, &number);
			armed = FAULT_NONE;
			reached = calls >= at;
			assert_true(result == 0 || result == -codes[i]);
			if (result < 0) {
				assert_int_equal(number, 0);
				assert_int_equal(formats.fixture.error.class, ERROR_LOCAL);
				assert_non_null(strstr(formats.fixture.error.message,
						       formats.fixture.path));
			}
			plain_check(&formats);
			formats_free(&formats);
			assert_true(at < MOST_CALLS);
		}
	}
}

static void test_what_cannot_be_read_now_is_neither_damaged_nor_another(void **state)
{
	(void)state;
	struct formats formats;
	quick_make(&formats);
	formats_issue(&formats, &formats.files);
	formats.files.root = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(codes) * 2; i++) {
		bool reached = true;
		for (int at = 1; reached; at++) {
			struct fixture *fixture = &formats.fixture;
			unsigned differences = 0;
			fault_arm(FAULT_FAIL, at, codes[i / 2]);
			int result = generation_files_check(fixture->certificate, fixture->where, 1,
							    &formats.files, i % 2, &differences,
							    &fixture->error);
			armed = FAULT_NONE;
			reached = calls >= at;
			assert_int_equal(result, reached ? -codes[i / 2] : 0);
			assert_int_equal(differences, 0);
			if (result < 0)
				assert_int_equal(fixture->error.code, result);
		}
	}
	formats_free(&formats);
}

static void test_a_placeholder_that_is_extended_at_any_fault_keeps_what_it_has(void **state)
{
	(void)state;
	bool reached = true;
	for (int at = 1; reached; at++) {
		struct formats formats;
		quick_make(&formats);
		struct fixture *fixture = &formats.fixture;
		assert_int_equal(fixture_placeholder(fixture, clock_now()), 0);
		CLEANUP(freep) char *key = formats_get(&formats, 0, GENERATION_KEY);
		fault_arm(FAULT_FAIL, at, EIO);
		int result = generation_placeholder(fixture->certificate, fixture->where,
						    &fixture->hostnames, &formats.files,
						    clock_now(), &fixture->error);
		armed = FAULT_NONE;
		reached = calls >= at;
		/* That no leftover could be looked for costs nothing. */
		assert_true(result == -EIO || result == 0);
		if (result == 0) {
			struct generation_files files = formats.files;
			files.root = NULL;
			assert_int_equal(formats_check(&formats, 0, &files, true), 0);
		}
		CLEANUP(freep) char *same = formats_get(&formats, 0, GENERATION_KEY);
		assert_string_equal(same, key);
		assert_int_equal(generation_placeholder(fixture->certificate, fixture->where,
							&fixture->hostnames, &formats.files,
							clock_now(), &fixture->error),
				 0);
		formats.files.root = NULL;
		assert_int_equal(formats_check(&formats, 0, &formats.files, true), 0);
		formats_free(&formats);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_derivation_that_dies_at_any_call_leaves_whole_generations),
		cmocka_unit_test(
			test_a_derivation_that_fails_at_any_call_is_told_and_leaves_nothing),
		cmocka_unit_test(test_what_cannot_be_read_now_is_neither_damaged_nor_another),
		cmocka_unit_test(
			test_a_placeholder_that_is_extended_at_any_fault_keeps_what_it_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
