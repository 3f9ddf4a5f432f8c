/* Faults while keys are used that were given, and while roots are kept. */
#define FIXTURE_BASE "/dev/shm"
#include "store_fixture.h"

#include <sys/wait.h>

#include "pki/csr.h"
#include "store/roots.h"
#include "store_faults.h"

/* 1 when the RSA root is there and good. */
static int root_there(struct fixture *fixture, const struct string_list *pins)
{
	unsigned kinds = 0;
	CLEANUP(string_list_free) struct string_list warnings = {0};
	assert_int_equal(roots_present(&fixture->store, pins, &kinds, &warnings, NULL), 0);
	assert_int_equal(warnings.count, 0);
	assert_true(kinds == 0 || kinds == 1U << ROOT_ORIGIN_RSA);
	return kinds != 0;
}

static void test_a_root_is_kept_whole_or_not_at_all(void **state)
{
	(void)state;
	static const int codes[] = {ENOSPC, EACCES};
	struct fixture any;
	char digest[SHA256_TEXT_SIZE];
	CLEANUP(freep) char *pem = NULL;
	fixture_make(&any);
	CLEANUP(X509_freep) X509 *root = fixture_root(&any, &pem);
	fixture_free(&any);
	assert_int_equal(leaf_sha256(root, digest, NULL), 0);
	const struct string_list pins = {(char *[]){digest}, 1};
	for (size_t i = 0; i <= ARRAY_SIZE(codes); i++) {
		bool reached = true;
		for (int at = 1; reached; at++) {
			struct fixture fixture;
			fixture_make(&fixture);
			bool dies = i == ARRAY_SIZE(codes);
			pid_t child = dies ? fork() : -1;
			int result = 0;
			if (!dies || child == 0) {
				fault_arm(dies ? FAULT_DIE : FAULT_FAIL, at, dies ? 0 : codes[i]);
				result = roots_write(&fixture.store, ROOT_ORIGIN_RSA, root,
						     &fixture.error);
				armed = FAULT_NONE;
				reached = calls >= at;
			}
			if (child == 0)
				_exit(result == 0 ? 0 : 1);
			if (dies) {
				int waited = 0;
				assert_int_equal(waitpid(child, &waited, 0), child);
				reached = WEXITSTATUS(waited) == DIED;
				assert_true(reached || waited == 0);
			}
			assert_true(result == 0 || result == -codes[i]);
			assert_true(root_there(&fixture, &pins) || reached);
			/* The next one succeeds, and leaves nothing else there. */
			assert_int_equal(roots_write(&fixture.store, ROOT_ORIGIN_RSA, root, NULL),
					 0);
			assert_true(root_there(&fixture, &pins));
			CLEANUP(closep) int directory = -1;
			assert_int_equal(roots_open(&fixture.store, false, &directory, NULL), 0);
			assert_int_equal(entries_of(directory), 1);
			fixture_free(&fixture);
			assert_true(at < MOST_CALLS);
		}
	}
}

/* A key that is given, first as a request only; `here` with the key. */
static int own_prepare(struct fixture *fixture, EVP_PKEY *own, const char *csr, bool here,
		       bool *ret_reused)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *sent = NULL;
	struct pending_request request = fixture_request(fixture);
	request.key = here ? own : NULL;
	request.csr_pem = csr;
	return pending_prepare(fixture->certificate, fixture->where, &request, &key, &sent,
			       ret_reused, &fixture->error);
}

static char *own_request(const struct fixture *fixture, EVP_PKEY **ret_key)
{
	struct buffer csr = BUFFER(1 << 16);
	assert_int_equal(key_generate(KEY_ECDSA_P256, ret_key, NULL), 0);
	assert_int_equal(csr_make(*ret_key, &fixture->hostnames, &csr, NULL), 0);
	return buffer_take(&csr);
}

/* What was asked with stays what is asked with, wherever a fault comes: from a request alone to the
 * key (0), and back (1). */
static void convert_at(int direction, enum fault fault, int at, bool *ret_reached)
{
	struct fixture fixture;
	fixture_make(&fixture);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *own = NULL;
	CLEANUP(freep) char *csr = own_request(&fixture, &own);
	bool reused = true;
	assert_int_equal(own_prepare(&fixture, own, csr, direction, &reused), 0);
	assert_false(reused);
	pid_t child = fault == FAULT_DIE ? fork() : 0;
	if (child == 0) {
		fault_arm(fault, at, EIO);
		int result = own_prepare(&fixture, own, csr, !direction, &reused);
		armed = FAULT_NONE;
		*ret_reached = calls >= at;
		if (fault == FAULT_DIE)
			_exit(result == 0 ? 0 : 1);
		assert_true(result == -EIO || (result == 0 && reused));
	} else {
		int waited = 0;
		assert_int_equal(waitpid(child, &waited, 0), child);
		*ret_reached = WEXITSTATUS(waited) == DIED;
		assert_true(*ret_reached || waited == 0);
	}
	assert_true(pending_exists(fixture.certificate));
	assert_int_equal(fixture_recover(&fixture), 0);
	assert_int_equal(own_prepare(&fixture, own, csr, !direction, &reused), 0);
	assert_true(reused);
	assert_int_equal(fixture_has(&fixture, "pending/key.pem"), !direction);
	assert_int_equal(fixture_has(&fixture, "pending/csr.pem"), direction);

	CLEANUP(freep) char *leaf = fixture_leaf(&fixture, own);
	CLEANUP(generation_meta_free) struct generation_meta meta = {0};
	unsigned number = 0;
	assert_int_equal(fixture_commit(&fixture, leaf, &number), 0);
	assert_int_equal(generation_read(fixture.certificate, fixture.where, number, &meta, NULL),
			 0);
	assert_int_equal(meta.keyless, direction);
	fixture_free(&fixture);
	assert_true(at < MOST_CALLS);
}

static void test_a_key_that_comes_or_goes_at_any_fault_is_asked_with_once(void **state)
{
	(void)state;
	static const enum fault faults[] = {FAULT_FAIL, FAULT_DIE};
	for (size_t i = 0; i < ARRAY_SIZE(faults) * 2; i++) {
		bool reached = true;
		for (int at = 1; reached; at++)
			convert_at((int)i % 2, faults[i / 2], at, &reached);
	}
}

/* A whole issue without the key. */
static int keyless_issue(struct fixture *fixture, const char *csr, const char *leaf)
{
	bool reused;
	unsigned number = 0;
	int result = own_prepare(fixture, NULL, csr, false, &reused);
	return result < 0 ? result : fixture_commit(fixture, leaf, &number);
}

static void test_a_keyless_issue_that_dies_at_any_call_is_gone_on_with(void **state)
{
	(void)state;
	int at = 1;
	for (int status = DIED; status == DIED; at++) {
		struct fixture fixture;
		fixture_make(&fixture);
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *own = NULL;
		CLEANUP(freep) char *csr = own_request(&fixture, &own);
		CLEANUP(freep) char *leaf = fixture_leaf(&fixture, own);
		pid_t child = fork();
		if (child == 0) {
			fault_arm(FAULT_DIE, at, 0);
			_exit(keyless_issue(&fixture, csr, leaf) == 0 ? 0 : 1);
		}
		int waited = 0;
		assert_int_equal(waitpid(child, &waited, 0), child);
		status = WEXITSTATUS(waited);
		assert_true(WIFEXITED(waited) && (status == DIED || status == 0));
		fixture_recover(&fixture);
		if (fixture_count(&fixture) == 0)
			assert_int_equal(keyless_issue(&fixture, csr, leaf), 0);
		assert_int_equal(fixture_entries(&fixture), 1);
		CLEANUP(generation_meta_free) struct generation_meta meta = {0};
		assert_int_equal(
			generation_read(fixture.certificate, fixture.where, 1, &meta, NULL), 0);
		assert_true(meta.keyless);
		fixture_free(&fixture);
		assert_true(at < MOST_CALLS);
	}
	assert_true(at > 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_root_is_kept_whole_or_not_at_all),
		cmocka_unit_test(test_a_key_that_comes_or_goes_at_any_fault_is_asked_with_once),
		cmocka_unit_test(test_a_keyless_issue_that_dies_at_any_call_is_gone_on_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
