/* Every system call of an issue is once the last one of a process, and once one that fails. */
#define FIXTURE_BASE "/dev/shm"
#include "store_fixture.h"

#include "store_faults.h"

#include <sys/mman.h>
#include <sys/wait.h>

/* Shared with a child that dies: what it was promised. */
struct promise {
	char prepared[SHA256_TEXT_SIZE]; /* key that pending_prepare() called durable */
	unsigned committed;
};

static struct promise *promise_make(void)
{
	struct promise *promise = mmap(NULL, sizeof(*promise), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(promise != MAP_FAILED);
	return promise;
}

/* One issue; with faults armed for the store's calls only. */
static int issue(struct fixture *fixture, struct promise *promise)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *csr = NULL;
	bool reused;
	const struct pending_request request = fixture_request(fixture);
	const struct generation_files files = fixture_files(fixture);
	int result = pending_prepare(fixture->certificate, fixture->where, &request, &key, &csr,
				     &reused, &fixture->error);
	if (result < 0)
		return result;
	key_spki_sha256(key, promise->prepared, NULL);
	struct buffer leaf = BUFFER(1 << 16);
	leaf_make_placeholder(key, &fixture->hostnames, clock_now(), &leaf, NULL);
	struct generation_meta meta = {.validity_days = 7};
	unsigned number = 0;
	result = generation_commit(fixture->certificate, fixture->where, buffer_text(&leaf), &meta,
				   &files, &number, &fixture->error);
	generation_meta_free(&meta);
	buffer_free(&leaf);
	if (result == 0)
		promise->committed = number;
	return result;
}

/* All generations whole, nothing temporary left, and the promised key still somewhere. */
static void promise_check(struct fixture *fixture, const struct promise *promise)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	assert_int_equal(
		generation_list(fixture->certificate, fixture->where, &numbers, &count, NULL), 0);
	bool found = promise->prepared[0] == '\0';
	bool committed = promise->committed == 0;
	for (size_t i = 0; i < count; i++) {
		struct generation_meta meta = {0};
		assert_int_equal(generation_read(fixture->certificate, fixture->where, numbers[i],
						 &meta, &fixture->error),
				 0);
		found = found || strcmp(meta.facts.spki_sha256, promise->prepared) == 0;
		committed = committed || numbers[i] == promise->committed;
		assert_int_equal(meta.validity_days, 7);
		assert_string_equal(meta.id, meta.facts.serial);
		generation_meta_free(&meta);
	}
	assert_true(committed);

	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused = false;
	bool pending = pending_exists(fixture->certificate);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_int_equal(reused, pending);
	char spki[SHA256_TEXT_SIZE];
	assert_int_equal(key_spki_sha256(key, spki, NULL), 0);
	assert_true(found || strcmp(spki, promise->prepared) == 0);
}

static void test_a_death_before_any_call_of_an_issue_is_recovered(void **state)
{
	(void)state;
	struct promise *promise = promise_make();
	int at = 1;
	for (int status = DIED; status == DIED; at++) {
		struct fixture fixture;
		fixture_make(&fixture);
		*promise = (struct promise){0};
		pid_t child = fork();
		if (child == 0) {
			fault_arm(FAULT_DIE, at, 0);
			_exit(issue(&fixture, promise) == 0 ? 0 : 1);
		}
		int waited = 0;
		assert_int_equal(waitpid(child, &waited, 0), child);
		assert_true(WIFEXITED(waited));
		status = WEXITSTATUS(waited);
		assert_true(status == DIED || status == 0);
		fixture_recover(&fixture);
		promise_check(&fixture, promise);
		fixture_free(&fixture);
		assert_true(at < MOST_CALLS);
	}
	print_message("died before each of %d calls\n", at - 2);
	assert_true(at > 30);
	munmap(promise, sizeof(*promise));
}

static const int codes[] = {ENOSPC, EIO, EACCES};

static void test_a_failure_of_any_call_of_an_issue_is_told_and_recovered(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		bool reached = true;
		for (int at = 1; reached; at++) {
			struct fixture fixture;
			struct promise promise = {0};
			fixture_make(&fixture);
			fault_arm(FAULT_FAIL, at, codes[i]);
			int result = issue(&fixture, &promise);
			armed = FAULT_NONE;
			reached = calls >= at;
			/* Some failures are survived (a hard link that cannot be made); none is
			 * silent about what it cost. */
			if (result < 0) {
				assert_int_equal(result, -codes[i]);
				assert_int_equal(fixture.error.class, ERROR_LOCAL);
				assert_non_null(strstr(fixture.error.message, fixture.path));
			} else {
				assert_int_equal(fixture_count(&fixture), 1);
			}
			fixture_recover(&fixture);
			promise_check(&fixture, &promise);
			fixture_free(&fixture);
			assert_true(at < MOST_CALLS);
		}
	}
}

/* A pending directory as a pass leaves it that dies just before the rename. */
static void answered_make(struct fixture *fixture, struct promise *promise)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	fixture_make(fixture);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	key_spki_sha256(key, promise->prepared, NULL);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	fixture_put(fixture, "pending/cert.pem", leaf);
	fixture_put(fixture, ".state.json.01234567.tmp", "{");
}

static void answered_check(struct fixture *fixture, const struct promise *promise)
{
	fixture_recover(fixture);
	assert_int_equal(fixture_count(fixture), 1);
	assert_false(fixture_has(fixture, "pending"));
	promise_check(fixture, promise);
	fixture_free(fixture);
}

static void test_a_recovery_that_dies_at_any_call_loses_no_leaf(void **state)
{
	(void)state;
	int at = 1;
	for (int status = DIED; status == DIED; at++) {
		struct fixture fixture;
		struct promise promise = {0};
		answered_make(&fixture, &promise);
		pid_t child = fork();
		if (child == 0) {
			unsigned number;
			fault_arm(FAULT_DIE, at, 0);
			_exit(generation_recover(fixture.certificate, fixture.where, &number,
						 NULL) == 0
				      ? 0
				      : 1);
		}
		int waited = 0;
		assert_int_equal(waitpid(child, &waited, 0), child);
		status = WEXITSTATUS(waited);
		assert_true(status == DIED || status == 0);
		answered_check(&fixture, &promise);
		assert_true(at < MOST_CALLS);
	}
	assert_true(at > 15);
}

static void test_a_recovery_that_fails_at_any_call_loses_no_leaf(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		bool reached = true;
		for (int at = 1; reached; at++) {
			struct fixture fixture;
			struct promise promise = {0};
			unsigned number;
			answered_make(&fixture, &promise);
			fault_arm(FAULT_FAIL, at, codes[i]);
			int result = generation_recover(fixture.certificate, fixture.where, &number,
							&fixture.error);
			armed = FAULT_NONE;
			reached = calls >= at;
			assert_true(result == 0 || result == -codes[i]);
			answered_check(&fixture, &promise);
			assert_true(at < MOST_CALLS);
		}
	}
}

static void test_a_prune_that_dies_at_any_call_leaves_whole_generations(void **state)
{
	(void)state;
	int at = 1;
	for (int status = DIED; status == DIED; at++) {
		struct fixture fixture;
		fixture_make(&fixture);
		for (int i = 0; i < 3; i++)
			fixture_issue(&fixture);
		pid_t child = fork();
		if (child == 0) {
			fault_arm(FAULT_DIE, at, 0);
			_exit(generation_prune(fixture.certificate, fixture.where, 1, NULL, 0,
					       NULL) == 0
				      ? 0
				      : 1);
		}
		int waited = 0;
		assert_int_equal(waitpid(child, &waited, 0), child);
		status = WEXITSTATUS(waited);
		fixture_recover(&fixture);
		/* What is left under a number is whole; the newest is there. */
		size_t count = fixture_count(&fixture);
		assert_int_equal(fixture_has(&fixture, "0001") + fixture_has(&fixture, "0002") + 1,
				 count);
		assert_true(fixture_has(&fixture, "0003"));
		promise_check(&fixture, &(struct promise){0});
		fixture_free(&fixture);
	}
	assert_true(at > 5);
}

static void test_a_generation_that_cannot_be_looked_at_is_not_taken_for_absent(void **state)
{
	(void)state;
	struct fixture fixture;
	fixture_make(&fixture);
	fixture_issue(&fixture);
	bool reached = true;
	for (int at = 1; reached; at++) {
		CLEANUP(freep) unsigned *numbers = NULL;
		size_t count = 0;
		fault_arm(FAULT_FAIL, at, EMFILE);
		int result = generation_list(fixture.certificate, fixture.where, &numbers, &count,
					     &fixture.error);
		armed = FAULT_NONE;
		reached = calls >= at;
		assert_true(result == -EMFILE || (result == 0 && count == 1 && numbers[0] == 1));
		assert_true(result == 0 || fixture.error.code == -EMFILE);

		struct generation_meta meta = {0};
		fault_arm(FAULT_FAIL, at, EMFILE);
		result = generation_read(fixture.certificate, fixture.where, 1, &meta, NULL);
		armed = FAULT_NONE;
		reached = reached || calls >= at;
		generation_meta_free(&meta);
		assert_true(result == 0 || !generation_is_lost(result));
		assert_true(at < MOST_CALLS);
	}
	fixture_free(&fixture);
}

static void test_a_placeholder_that_cannot_be_looked_at_is_left_alone(void **state)
{
	(void)state;
	struct fixture fixture;
	fixture_make(&fixture);
	assert_int_equal(fixture_placeholder(&fixture, clock_now()), 0);
	CLEANUP(freep) char *key = fixture_get(&fixture, "0000/key.pem");
	bool reached = true;
	for (int at = 1; reached; at++) {
		fault_arm(FAULT_FAIL, at, ENOMEM);
		int result = fixture_placeholder(&fixture, clock_now());
		armed = FAULT_NONE;
		reached = calls >= at;
		assert_int_equal(result, reached ? -ENOMEM : 0);
		CLEANUP(freep) char *now = fixture_get(&fixture, "0000/key.pem");
		assert_string_equal(now, key);
	}
	fixture_free(&fixture);
}

static void test_an_answer_that_cannot_be_read_is_not_given_up(void **state)
{
	(void)state;
	bool reached = true;
	for (int at = 1; reached; at++) {
		struct fixture fixture;
		struct promise promise = {0};
		answered_make(&fixture, &promise);
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		CLEANUP(freep) char *leaf = fixture_get(&fixture, "pending/cert.pem");
		bool reused;
		fault_arm(FAULT_FAIL, at, EIO);
		fixture_prepare(&fixture, &key, &reused);
		armed = FAULT_NONE;
		reached = calls >= at;
		CLEANUP(freep) char *now = fixture_get(&fixture, "pending/cert.pem");
		assert_string_equal(now, leaf);
		answered_check(&fixture, &promise);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_death_before_any_call_of_an_issue_is_recovered),
		cmocka_unit_test(test_a_failure_of_any_call_of_an_issue_is_told_and_recovered),
		cmocka_unit_test(test_a_recovery_that_dies_at_any_call_loses_no_leaf),
		cmocka_unit_test(test_a_recovery_that_fails_at_any_call_loses_no_leaf),
		cmocka_unit_test(test_a_prune_that_dies_at_any_call_leaves_whole_generations),
		cmocka_unit_test(
			test_a_generation_that_cannot_be_looked_at_is_not_taken_for_absent),
		cmocka_unit_test(test_a_placeholder_that_cannot_be_looked_at_is_left_alone),
		cmocka_unit_test(test_an_answer_that_cannot_be_read_is_not_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
