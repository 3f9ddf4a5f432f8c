#include "store_fixture.h"

static void meta_read(struct fixture *fixture, unsigned number, struct generation_meta *meta)
{
	assert_int_equal(generation_read(fixture->certificate, fixture->where, number, meta,
					 &fixture->error),
			 0);
}

static void test_names_have_four_digits_until_they_need_more(void **state)
{
	(void)state;
	char text[GENERATION_NAME_SIZE];
	assert_string_equal(generation_name(0, text), "0000");
	assert_string_equal(generation_name(7, text), "0007");
	assert_string_equal(generation_name(12345, text), "12345");
	assert_string_equal(generation_name(GENERATION_MOST, text), "99999999");
}

static void test_a_commit_is_whole_and_says_what_it_is(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	struct generation_meta meta = {.id = string_copy("1234567890"),
				       .validity_days = 90,
				       .adopted = true,
				       .created = 77};
	unsigned number = 0;
	const struct generation_files files = fixture_files(fixture);
	assert_int_equal(generation_commit(fixture->certificate, fixture->where, leaf, &meta,
					   &files, &number, NULL),
			 0);
	assert_int_equal(number, 1);
	assert_int_equal(meta.number, 1);
	assert_false(fixture_has(fixture, "pending"));

	struct generation_meta read = {0};
	meta_read(fixture, 1, &read);
	assert_int_equal(read.number, 1);
	assert_string_equal(read.id, "1234567890");
	assert_int_equal(read.validity_days, 90);
	assert_int_equal(read.created, 77);
	assert_true(read.adopted);
	assert_false(read.placeholder);
	assert_string_equal(read.facts.sha256, meta.facts.sha256);
	assert_true(string_list_same_set(&read.facts.hostnames, &fixture->hostnames));

	CLEANUP(freep) char *cert = fixture_get(fixture, "0001/cert.pem");
	CLEANUP(freep) char *fullchain = fixture_get(fixture, "0001/fullchain.pem");
	CLEANUP(freep) char *chain = fixture_get(fixture, "0001/chain.pem");
	assert_string_equal(cert, leaf);
	assert_string_equal(fullchain, leaf);
	assert_string_equal(chain, "");
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *stored = NULL;
	assert_int_equal(generation_key(fixture->certificate, fixture->where, 1, &stored, NULL), 0);
	assert_int_equal(EVP_PKEY_eq(stored, key), 1);
	CLEANUP(freep) char *description = fixture_get(fixture, "0001/meta.json");
	assert_null(strstr(description, "PRIVATE"));
	generation_meta_free(&read);
	generation_meta_free(&meta);
}

static void test_a_chain_follows_a_leaf_without_final_newline(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(freep) char *root = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	CLEANUP(X509_freep) X509 *authority = fixture_root(fixture, &root);
	CLEANUP(freep) char *expected = string_format("%s%s", leaf, root);
	leaf[strlen(leaf) - 1] = '\0';
	struct generation_meta meta = {0};
	unsigned number = 0;
	struct generation_files files = fixture_files(fixture);
	files.root = authority;
	files.chain_root = true;
	assert_int_equal(generation_commit(fixture->certificate, fixture->where, leaf, &meta,
					   &files, &number, NULL),
			 0);
	generation_meta_free(&meta);
	CLEANUP(freep) char *fullchain = fixture_get(fixture, "0001/fullchain.pem");
	assert_string_equal(fullchain, expected);
	meta_read(fixture, 1, &meta);
	assert_string_equal(meta.id, meta.facts.serial);
	generation_meta_free(&meta);

	/* A server reads fullchain.pem: there, too, nothing else may stand. That costs other files,
	 * not another certificate. */
	unsigned differences = 0;
	fixture_put(fixture, "0001/fullchain.pem", leaf);
	meta_read(fixture, 1, &meta);
	generation_meta_free(&meta);
	assert_int_equal(generation_files_check(fixture->certificate, fixture->where, 1, &files,
						true, &differences, NULL),
			 0);
	assert_int_equal(differences, GENERATION_DAMAGED);
}

static void test_a_leaf_of_another_key_is_refused_and_nothing_written(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	bool reused;
	unsigned number = 99;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_int_equal(key_generate(KEY_ECDSA_P256, &other, NULL), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, other);
	assert_int_equal(fixture_commit(fixture, leaf, &number), -EBADMSG);
	assert_int_equal(fixture_commit(fixture, "no leaf", &number), -EBADMSG);
	assert_int_equal(number, 99);
	assert_true(pending_exists(fixture->certificate));
	assert_int_equal(fixture_stat(fixture, "pending/cert.pem").st_size, 0);
	assert_int_equal(fixture_count(fixture), 0);
}

static void test_without_a_pending_key_nothing_is_committed(void **state)
{
	struct fixture *fixture = *state;
	unsigned number;
	assert_int_equal(fixture_commit(fixture, "", &number), -ENOENT);
}

static void test_a_pair_that_does_not_match_is_never_read_as_one(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	fixture_issue(fixture);
	CLEANUP(freep) char *other = fixture_get(fixture, "0002/key.pem");
	CLEANUP(freep) char *own = fixture_get(fixture, "0001/key.pem");
	struct generation_meta meta = {0};
	fixture_put(fixture, "0001/key.pem", other);
	assert_int_equal(
		generation_read(fixture->certificate, fixture->where, 1, &meta, &fixture->error),
		-EBADMSG);
	assert_int_equal(fixture->error.class, ERROR_LOCAL);
	assert_non_null(strstr(fixture->error.message, "0001"));

	static const char *const broken[] = {"", "-----BEGIN PRIVATE KEY-----\n", "x"};
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		fixture_put(fixture, "0001/key.pem", broken[i]);
		assert_int_equal(
			generation_read(fixture->certificate, fixture->where, 1, &meta, NULL),
			-EBADMSG);
	}
	fixture_put(fixture, "0001/key.pem", own);
	meta_read(fixture, 1, &meta);
	generation_meta_free(&meta);
}

static void test_a_missing_file_is_told_apart(void **state)
{
	struct fixture *fixture = *state;
	struct generation_meta meta = {0};
	static const char *const files[] = {"key.pem", "cert.pem", "chain.pem", "fullchain.pem",
					    "meta.json"};
	assert_int_equal(generation_read(fixture->certificate, fixture->where, 9, &meta, NULL),
			 -ENOENT);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		unsigned number = fixture_issue(fixture);
		char name[GENERATION_NAME_SIZE];
		char text[SHA256_TEXT_SIZE];
		CLEANUP(freep)
		char *path = string_format("%s/%s", generation_name(number, name), files[i]);
		assert_int_equal(unlinkat(fixture->certificate, path, 0), 0);
		assert_int_equal(
			generation_read(fixture->certificate, fixture->where, number, &meta, NULL),
			-ENOENT);
		assert_int_equal(generation_fingerprint(fixture->certificate, number, text),
				 -ENOENT);
		assert_int_equal(fixture_count(fixture), 0);
	}
}

static void test_a_lost_description_is_told_from_the_leaf(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	fixture_issue(fixture);
	CLEANUP(freep) char *others = fixture_get(fixture, "0002/meta.json");
	const char *const texts[] = {"", "{", "[]", "{\"version\":2}", others};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		fixture_put(fixture, "0001/meta.json", texts[i]);
		struct generation_meta meta = {0};
		meta_read(fixture, 1, &meta);
		assert_string_equal(meta.id, meta.facts.serial);
		assert_int_equal(meta.number, 1);
		assert_int_equal(meta.validity_days, 7);
		generation_meta_free(&meta);
	}
}

static void test_the_placeholder_is_generation_0_and_made_once(void **state)
{
	struct fixture *fixture = *state;
	int64_t now = clock_now();
	for (int i = 0; i < 2; i++)
		assert_int_equal(fixture_placeholder(fixture, now), 0);
	struct stat first = fixture_stat(fixture, "0000");
	struct generation_meta meta = {0};
	meta_read(fixture, 0, &meta);
	assert_true(meta.placeholder);
	assert_null(meta.id);
	assert_int_equal(meta.created, now);
	generation_meta_free(&meta);

	/* Half of one is made again; a pending key is none of its business. */
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_int_equal(unlinkat(fixture->certificate, "0000/cert.pem", 0), 0);
	assert_int_equal(fixture_placeholder(fixture, now), 0);
	assert_true(first.st_ctim.tv_nsec != fixture_stat(fixture, "0000").st_ctim.tv_nsec);
	meta_read(fixture, 0, &meta);
	generation_meta_free(&meta);
	assert_true(pending_exists(fixture->certificate));
	assert_int_equal(fixture_issue(fixture), 1);
}

static void test_a_number_is_never_used_twice(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(fixture_issue(fixture), 1);
	/* Incomplete, or not even a directory: somebody may name it. */
	fixture_mkdir(fixture, "0005");
	fixture_put(fixture, "0005/stray", "");
	assert_int_equal(fixture_issue(fixture), 6);
	fixture_put(fixture, "0010", "");
	assert_int_equal(fixture_issue(fixture), 11);
	/* A restored backup: state.json knows of more than there is. */
	struct state known = {.newest = 20, .facts.key_type = KEY_TYPE_COUNT};
	state_target_get(&known, "nginx")->generation = 30;
	assert_int_equal(state_save(fixture->certificate, fixture->where, &known, NULL), 0);
	state_free(&known);
	assert_int_equal(fixture_issue(fixture), 31);
	/* And the caller may know of a snippet. */
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number = 0;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	struct generation_meta meta = {.number = 41};
	const struct generation_files files = fixture_files(fixture);
	assert_int_equal(generation_commit(fixture->certificate, fixture->where, leaf, &meta,
					   &files, &number, NULL),
			 0);
	generation_meta_free(&meta);
	assert_int_equal(number, 41);

	fixture_mkdir(fixture, "99999999");
	EVP_PKEY_free(TAKE_PTR(key));
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *last = fixture_leaf(fixture, key);
	assert_int_equal(fixture_commit(fixture, last, &number), -ERANGE);
}

static void test_list_has_whole_generations_in_order(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	fixture_issue(fixture);
	fixture_mkdir(fixture, "0003");
	fixture_mkdir(fixture, "abcd");
	fixture_put(fixture, "0004", "");
	assert_int_equal(renameat(fixture->certificate, "0002", fixture->certificate, "12345"), 0);
	assert_int_equal(symlinkat("0001", fixture->certificate, "0002"), 0);
	assert_int_equal(symlinkat("0001", fixture->certificate, "1"), 0);
	CLEANUP(freep) unsigned *numbers = NULL;
	size_t count = 0;
	assert_int_equal(
		generation_list(fixture->certificate, fixture->where, &numbers, &count, NULL), 0);
	assert_int_equal(count, 2);
	assert_int_equal(numbers[0], 1);
	assert_int_equal(numbers[1], 12345);
}

static void test_prune_keeps_the_newest_and_what_is_in_use(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(fixture_placeholder(fixture, clock_now()), 0);
	for (int i = 0; i < 6; i++)
		fixture_issue(fixture);
	const unsigned in_use[] = {2, 0};
	assert_int_equal(generation_prune(fixture->certificate, fixture->where, 2, in_use, 2, NULL),
			 0);
	static const bool there[] = {true, false, true, false, false, true, true};
	for (unsigned i = 0; i < ARRAY_SIZE(there); i++) {
		char name[GENERATION_NAME_SIZE];
		assert_int_equal(fixture_has(fixture, generation_name(i, name)), there[i]);
	}
	assert_int_equal(generation_prune(fixture->certificate, fixture->where, 0, NULL, 0, NULL),
			 0);
	assert_int_equal(fixture_count(fixture), 1);
	assert_true(fixture_has(fixture, "0006"));
	assert_int_equal(fixture_issue(fixture), 7);
}

static void test_any_touch_of_any_file_changes_the_fingerprint(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	char before[SHA256_TEXT_SIZE];
	char after[SHA256_TEXT_SIZE];
	static const char *const files[] = {
		"0001",		  "0001/key.pem",	"0001/cert.pem",
		"0001/chain.pem", "0001/fullchain.pem", "0001/meta.json"};
	assert_int_equal(generation_fingerprint(fixture->certificate, 1, before), 0);
	assert_int_equal(generation_fingerprint(fixture->certificate, 1, after), 0);
	assert_string_equal(before, after);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		mode_t mode = fixture_stat(fixture, files[i]).st_mode & 0777;
		assert_int_equal(fchmodat(fixture->certificate, files[i], 0700, 0), 0);
		assert_int_equal(generation_fingerprint(fixture->certificate, 1, after), 0);
		assert_string_not_equal(before, after);
		assert_int_equal(fchmodat(fixture->certificate, files[i], mode, 0), 0);
		assert_int_equal(generation_fingerprint(fixture->certificate, 1, before), 0);
	}
	assert_int_equal(generation_fingerprint(fixture->certificate, 2, after), -ENOENT);
	assert_int_equal(symlinkat("0001", fixture->certificate, "0003"), 0);
	assert_true(generation_fingerprint(fixture->certificate, 3, after) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_have_four_digits_until_they_need_more),
		fixture_test(test_a_commit_is_whole_and_says_what_it_is),
		fixture_test(test_a_chain_follows_a_leaf_without_final_newline),
		fixture_test(test_a_leaf_of_another_key_is_refused_and_nothing_written),
		fixture_test(test_without_a_pending_key_nothing_is_committed),
		fixture_test(test_a_pair_that_does_not_match_is_never_read_as_one),
		fixture_test(test_a_missing_file_is_told_apart),
		fixture_test(test_a_lost_description_is_told_from_the_leaf),
		fixture_test(test_the_placeholder_is_generation_0_and_made_once),
		fixture_test(test_a_number_is_never_used_twice),
		fixture_test(test_list_has_whole_generations_in_order),
		fixture_test(test_prune_keeps_the_newest_and_what_is_in_use),
		fixture_test(test_any_touch_of_any_file_changes_the_fingerprint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
