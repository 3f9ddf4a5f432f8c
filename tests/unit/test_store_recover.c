/* Every state that a crash can leave in certificates/NAME/, made by hand. */
#include "store_fixture.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static char *leaf_of(struct fixture *fixture, const char *key_file)
{
	CLEANUP(freep) char *text = fixture_get(fixture, key_file);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	assert_int_equal(key_read_pem(text, strlen(text), &key, NULL), 0);
	return fixture_leaf(fixture, key);
}

static void prepare(struct fixture *fixture)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
}

static void test_nothing_to_recover_changes_nothing(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(fixture_recover(fixture), 0);
	fixture_issue(fixture);
	struct stat before = fixture_stat(fixture, ".");
	assert_int_equal(fixture_recover(fixture), 0);
	struct stat after = fixture_stat(fixture, ".");
	assert_memory_equal(&before.st_ctim, &after.st_ctim, sizeof(after.st_ctim));
}

static void test_temporary_files_and_directories_go(void **state)
{
	struct fixture *fixture = *state;
	fixture_put(fixture, ".state.json.0000abcd.tmp", "{");
	fixture_mkdir(fixture, ".0003.12345678.tmp");
	fixture_put(fixture, ".0003.12345678.tmp/key.pem", "half");
	fixture_put(fixture, "notes.tmp", "not ours");
	assert_int_equal(fixture_recover(fixture), 0);
	assert_false(fixture_has(fixture, ".state.json.0000abcd.tmp"));
	assert_false(fixture_has(fixture, ".0003.12345678.tmp"));
	assert_true(fixture_has(fixture, "notes.tmp"));
}

static void test_pending_without_a_usable_key_goes(void **state)
{
	struct fixture *fixture = *state;
	static const char *const keys[] = {NULL, "", "-----BEGIN PRIVATE KEY-----\nMIGH"};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		fixture_mkdir(fixture, "pending");
		if (keys[i])
			fixture_put(fixture, "pending/key.pem", keys[i]);
		assert_int_equal(fixture_recover(fixture), 0);
		assert_false(fixture_has(fixture, "pending"));
	}
	fixture_put(fixture, "pending", "a file");
	assert_int_equal(fixture_recover(fixture), 0);
	assert_false(fixture_has(fixture, "pending"));
	fixture_issue(fixture);
	assert_int_equal(symlinkat("0001", fixture->certificate, "pending"), 0);
	assert_int_equal(fixture_recover(fixture), 0);
	assert_false(fixture_has(fixture, "pending"));
	assert_int_equal(fixture_count(fixture), 1);
}

static void test_a_pending_key_waits_for_its_answer(void **state)
{
	struct fixture *fixture = *state;
	prepare(fixture);
	CLEANUP(freep) char *before = fixture_get(fixture, "pending/key.pem");
	CLEANUP(freep) char *leaf = leaf_of(fixture, "pending/key.pem");
	/* No leaf, an empty one, a torn one. */
	for (size_t length = 0; length < strlen(leaf); length += 100) {
		CLEANUP(freep) char *torn = string_copy_n(leaf, length);
		fixture_put(fixture, "pending/cert.pem", torn);
		assert_int_equal(fixture_recover(fixture), 0);
		CLEANUP(freep) char *after = fixture_get(fixture, "pending/key.pem");
		assert_string_equal(before, after);
	}
	assert_int_equal(unlinkat(fixture->certificate, "pending/cert.pem", 0), 0);
	assert_int_equal(fixture_recover(fixture), 0);
	assert_true(pending_exists(fixture->certificate));
	assert_int_equal(fixture_count(fixture), 0);
}

static void test_a_leaf_of_another_key_is_not_committed(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	prepare(fixture);
	CLEANUP(freep) char *other = fixture_get(fixture, "0001/cert.pem");
	fixture_put(fixture, "pending/cert.pem", other);
	assert_int_equal(fixture_recover(fixture), 0);
	assert_true(pending_exists(fixture->certificate));
	assert_int_equal(fixture_count(fixture), 1);
}

static void recovered_is(struct fixture *fixture, unsigned number, const char *leaf, mode_t mode)
{
	assert_int_equal(fixture_recover(fixture), number);
	assert_false(fixture_has(fixture, "pending"));
	char name[GENERATION_NAME_SIZE];
	generation_name(number, name);
	struct generation_meta meta = {0};
	assert_int_equal(generation_read(fixture->certificate, fixture->where, number, &meta,
					 &fixture->error),
			 0);
	assert_string_equal(meta.id, meta.facts.serial);
	assert_int_equal(meta.validity_days, 7);
	generation_meta_free(&meta);
	CLEANUP(freep) char *cert = string_format("%s/cert.pem", name);
	CLEANUP(freep) char *text = fixture_get(fixture, cert);
	assert_string_equal(text, leaf);
	bool drifted = true;
	assert_int_equal(generation_access_check(fixture->certificate, fixture->where, number,
						 &FILE_ACCESS(mode), false, &drifted, NULL),
			 0);
	assert_false(drifted);
	assert_int_equal(fixture_recover(fixture), 0);
}

static void test_an_answer_is_finished_from_every_step_of_its_writing(void **state)
{
	struct fixture *fixture = *state;
	fixture->access = FILE_ACCESS(0640);
	/* Which files the pass had written when it died, beside key and leaf. */
	for (unsigned files = 0; files < 8; files++) {
		prepare(fixture);
		CLEANUP(freep) char *leaf = leaf_of(fixture, "pending/key.pem");
		fixture_put(fixture, "pending/cert.pem", leaf);
		if (!(files & 1))
			assert_int_equal(unlinkat(fixture->certificate, "pending/chain.pem", 0), 0);
		if (files & 2)
			fixture_put(fixture, "pending/meta.json", "{\"version\":1,\"num");
		if (files & 4)
			assert_int_equal(linkat(fixture->certificate, "pending/cert.pem",
						fixture->certificate, "pending/fullchain.pem", 0),
					 0);
		recovered_is(fixture, files + 1, leaf, 0640);
	}
}

static void test_a_recovered_answer_keeps_what_was_noted_and_its_chain(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *root = NULL;
	bool reused;
	unsigned number = 0;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	CLEANUP(X509_freep) X509 *authority = fixture_root(fixture, &root);
	struct generation_meta meta = {
		.id = string_copy("4711"), .validity_days = 90, .adopted = true};
	struct generation_files files = fixture_files(fixture);
	files.root = authority;
	files.chain_root = true;
	assert_int_equal(generation_commit(fixture->certificate, fixture->where, leaf, &meta,
					   &files, &number, NULL),
			 0);
	generation_meta_free(&meta);
	/* Back to the moment before the rename. */
	assert_int_equal(renameat(fixture->certificate, "0001", fixture->certificate, "pending"),
			 0);
	assert_int_equal(fixture_recover(fixture), 1);
	assert_int_equal(generation_read(fixture->certificate, fixture->where, 1, &meta, NULL), 0);
	assert_string_equal(meta.id, "4711");
	assert_int_equal(meta.validity_days, 90);
	assert_true(meta.adopted);
	generation_meta_free(&meta);
	CLEANUP(freep) char *chain = fixture_get(fixture, "0001/chain.pem");
	assert_string_equal(chain, root);
}

static void test_numbers_that_are_not_whole_stay_unless_empty(void **state)
{
	struct fixture *fixture = *state;
	fixture_mkdir(fixture, "0003");
	fixture_mkdir(fixture, "0004");
	fixture_put(fixture, "0004/key.pem", "of a restored backup");
	assert_int_equal(fixture_recover(fixture), 0);
	assert_false(fixture_has(fixture, "0003"));
	CLEANUP(freep) char *text = fixture_get(fixture, "0004/key.pem");
	assert_string_equal(text, "of a restored backup");
	assert_int_equal(fixture_count(fixture), 0);
}

static void test_a_key_that_cannot_be_read_now_is_not_thrown_away(void **state)
{
	struct fixture *fixture = *state;
	if (geteuid() != 0)
		skip();
	prepare(fixture);
	CLEANUP(freep) char *before = fixture_get(fixture, "pending/key.pem");
	/* Another user may list and remove, but not read: a sandbox that was set up wrongly. */
	assert_int_equal(fchmodat(fixture->certificate, "pending", 0777, 0), 0);
	pid_t child = fork();
	if (child == 0) {
		unsigned number;
		if (chmod(fixture->path, 0777) < 0 || fchmod(fixture->certificate, 0777) < 0 ||
		    setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		_exit(generation_recover(fixture->certificate, fixture->where, &number, NULL) ==
				      -EACCES
			      ? 0
			      : 2);
	}
	int status = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	CLEANUP(freep) char *after = fixture_get(fixture, "pending/key.pem");
	assert_string_equal(before, after);
}

/* What a child that issues in a loop has been promised so far. */
struct promise {
	char prepared[SHA256_TEXT_SIZE];
	unsigned committed;
	unsigned begun, rounds;
};

static void issue_for_ever(struct fixture *fixture, struct promise *promise)
{
	for (;;) {
		__atomic_add_fetch(&promise->begun, 1, __ATOMIC_RELEASE);
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		CLEANUP(freep) char *csr = NULL;
		bool reused;
		char spki[SHA256_TEXT_SIZE];
		unsigned number;
		const struct pending_request request = fixture_request(fixture);
		if (pending_prepare(fixture->certificate, fixture->where, &request, &key, &csr,
				    &reused, NULL) < 0 ||
		    key_spki_sha256(key, spki, NULL) < 0)
			_exit(1);
		memcpy(promise->prepared, spki, sizeof(spki));
		CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
		if (fixture_commit(fixture, leaf, &number) < 0)
			_exit(2);
		promise->committed = number;
		promise->prepared[0] = '\0';
		promise->rounds++;
		if (generation_prune(fixture->certificate, fixture->where, 3, NULL, 0, NULL) < 0)
			_exit(3);
	}
}

static void kept_check(struct fixture *fixture, const struct promise *promise)
{
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	assert_int_equal(
		generation_list(fixture->certificate, fixture->where, &numbers, &count, NULL), 0);
	/* Copied as it stood: a kill in the middle of the copy leaves half a word. */
	bool found = strlen(promise->prepared) != SHA256_TEXT_SIZE - 1;
	for (size_t i = 0; i < count; i++) {
		struct generation_meta meta = {0};
		assert_int_equal(generation_read(fixture->certificate, fixture->where, numbers[i],
						 &meta, &fixture->error),
				 0);
		found = found || strcmp(meta.facts.spki_sha256, promise->prepared) == 0;
		generation_meta_free(&meta);
	}
	if (promise->committed > 0) {
		assert_true(count > 0);
		assert_true(numbers[count - 1] >= promise->committed);
	}
	if (!found) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		bool reused = false;
		char spki[SHA256_TEXT_SIZE];
		assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
		assert_true(reused);
		assert_int_equal(key_spki_sha256(key, spki, NULL), 0);
		assert_string_equal(spki, promise->prepared);
	}
}

static void test_kills_at_random_moments_leave_whole_matching_generations(void **state)
{
	struct fixture *fixture = *state;
	struct promise *promise = mmap(NULL, sizeof(*promise), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(promise != MAP_FAILED);
	/* Moments spread over about one round, however quick this machine is today. */
	int64_t started = clock_monotonic_ms();
	for (int i = 0; i < 4; i++)
		fixture_issue(fixture);
	long most = (long)(clock_monotonic_ms() - started) * 1000 / 4 + 2000;
	unsigned recovered = 0;
	for (int i = 0; i < 200; i++) {
		memset(promise->prepared, 0, sizeof(promise->prepared));
		unsigned begun = promise->begun;
		pid_t child = fork();
		if (child == 0)
			issue_for_ever(fixture, promise);
		/* From the beginning of its first round, now and then of its second. */
		unsigned wanted = begun + (i % 4 == 0 ? 2 : 1);
		for (int waited = 0; waited < 100000; waited++) {
			if (__atomic_load_n(&promise->begun, __ATOMIC_ACQUIRE) >= wanted)
				break;
			usleep(200);
		}
		usleep((useconds_t)(random() % most));
		kill(child, SIGKILL);
		int status = 0;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		recovered += fixture_recover(fixture) > 0;
		kept_check(fixture, promise);
	}
	print_message("200 kills, %u generations committed, %u finished by recovery\n",
		      promise->rounds, recovered);
	assert_true(promise->rounds > 20);
	munmap(promise, sizeof(*promise));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_nothing_to_recover_changes_nothing),
		fixture_test(test_temporary_files_and_directories_go),
		fixture_test(test_pending_without_a_usable_key_goes),
		fixture_test(test_a_pending_key_waits_for_its_answer),
		fixture_test(test_a_leaf_of_another_key_is_not_committed),
		fixture_test(test_an_answer_is_finished_from_every_step_of_its_writing),
		fixture_test(test_a_recovered_answer_keeps_what_was_noted_and_its_chain),
		fixture_test(test_numbers_that_are_not_whole_stay_unless_empty),
		fixture_test(test_a_key_that_cannot_be_read_now_is_not_thrown_away),
		fixture_test(test_kills_at_random_moments_leave_whole_matching_generations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
