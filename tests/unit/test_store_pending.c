#include "store_fixture.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

static void spki(EVP_PKEY *key, char text[static SHA256_TEXT_SIZE])
{
	assert_int_equal(key_spki_sha256(key, text, NULL), 0);
}

static void test_a_new_key_is_on_disk_with_its_access(void **state)
{
	struct fixture *fixture = *state;
	fixture->access = FILE_ACCESS(0640);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused = true;
	assert_false(pending_exists(fixture->certificate));
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_false(reused);
	assert_true(pending_exists(fixture->certificate));
	assert_int_equal(fixture_stat(fixture, "pending").st_mode, S_IFDIR | 0711);
	assert_int_equal(fixture_stat(fixture, "pending/key.pem").st_mode, S_IFREG | 0640);

	CLEANUP(freep) char *text = fixture_get(fixture, "pending/key.pem");
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *stored = NULL;
	assert_int_equal(key_read_pem(text, strlen(text), &stored, NULL), 0);
	assert_int_equal(EVP_PKEY_eq(stored, key), 1);
}

static void test_a_pending_key_is_used_again(void **state)
{
	struct fixture *fixture = *state;
	char first[SHA256_TEXT_SIZE];
	char second[SHA256_TEXT_SIZE];
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	bool reused = false;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_int_equal(fixture_prepare(fixture, &again, &reused), 0);
	assert_true(reused);
	spki(key, first);
	spki(again, second);
	assert_string_equal(first, second);
}

static void test_a_key_of_another_type_makes_way(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	CLEANUP(freep) char *csr = NULL;
	bool reused = false;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	struct pending_request request = fixture_request(fixture);
	request.key_type = KEY_ECDSA_P384;
	assert_int_equal(pending_prepare(fixture->certificate, fixture->where, &request, &other,
					 &csr, &reused, NULL),
			 0);
	assert_false(reused);
	enum key_type type;
	assert_int_equal(key_type_of(other, &type), 0);
	assert_int_equal(type, KEY_ECDSA_P384);
}

static void test_a_torn_key_is_replaced(void **state)
{
	struct fixture *fixture = *state;
	static const char *const torn[] = {"", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG", "x"};
	for (size_t i = 0; i < ARRAY_SIZE(torn); i++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
		bool reused = true;
		assert_int_equal(
			pending_discard(fixture->certificate, fixture->where, &fixture->error), 0);
		fixture_mkdir(fixture, "pending");
		fixture_put(fixture, "pending/key.pem", torn[i]);
		assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
		assert_false(reused);
	}
}

static void test_a_leaf_that_waits_is_not_given_up_by_preparing_again(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	fixture_put(fixture, "pending/cert.pem", leaf);
	assert_int_equal(fixture_prepare(fixture, &again, &reused), 0);
	assert_true(reused);
	CLEANUP(freep) char *kept = fixture_get(fixture, "pending/cert.pem");
	assert_string_equal(kept, leaf);
}

static void test_discard_takes_all_and_is_harmless_twice(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_int_equal(pending_discard(fixture->certificate, fixture->where, NULL), 0);
	assert_false(fixture_has(fixture, "pending"));
	assert_int_equal(pending_discard(fixture->certificate, fixture->where, NULL), 0);
}

static void test_planted_links_are_neither_followed_nor_written_through(void **state)
{
	struct fixture *fixture = *state;
	fixture_mkdir(fixture, "elsewhere");
	fixture_put(fixture, "elsewhere/victim", "precious");
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;

	/* pending itself */
	assert_int_equal(symlinkat("elsewhere", fixture->certificate, "pending"), 0);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_true(S_ISDIR(fixture_stat(fixture, "pending").st_mode));
	assert_false(fixture_has(fixture, "elsewhere/key.pem"));

	/* Every file that the answer will fill: as a symbolic link, and as a second name. */
	static const char *const files[] = {"cert.pem", "chain.pem", "fullchain.pem", "meta.json"};
	for (int hard = 0; hard < 2; hard++) {
		for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
			CLEANUP(freep) char *path = string_format("pending/%s", files[i]);
			unlinkat(fixture->certificate, path, 0);
			if (hard)
				assert_int_equal(linkat(fixture->certificate, "elsewhere/victim",
							fixture->certificate, path, 0),
						 0);
			else
				assert_int_equal(symlinkat("../elsewhere/victim",
							   fixture->certificate, path),
						 0);
		}
		CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
		unsigned number = 0;
		assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
		CLEANUP(freep) char *victim = fixture_get(fixture, "elsewhere/victim");
		assert_string_equal(victim, "precious");
		assert_int_equal(fixture_stat(fixture, "elsewhere/victim").st_mode & 0777, 0600);

		EVP_PKEY_free(TAKE_PTR(key));
		assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	}
	assert_int_equal(fixture_count(fixture), 2);
}

static void test_an_empty_file_with_a_second_name_is_not_filled(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number;
	fixture_put(fixture, "victim", "");
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	unlinkat(fixture->certificate, "pending/cert.pem", 0);
	assert_int_equal(
		linkat(fixture->certificate, "victim", fixture->certificate, "pending/cert.pem", 0),
		0);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
	CLEANUP(freep) char *victim = fixture_get(fixture, "victim");
	assert_string_equal(victim, "");
}

static void test_the_answers_room_is_taken_and_nothing_of_it_wasted(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number = 0;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	struct stat before = fixture_stat(fixture, "pending/cert.pem");
	assert_int_equal(before.st_size, 0);
	assert_true(before.st_blocks >= 8);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
	struct stat after = fixture_stat(fixture, "0001/cert.pem");
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_blocks, before.st_blocks);
}

/* A small disk of our own. False (and a word why) when this process may not mount one. */
static bool small_disk(const char *path, const char *options)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("small", path, "tmpfs", 0, options) < 0) {
		print_message("a full disk needs the right to mount one: %s\n", strerror(errno));
		return false;
	}
	return true;
}

static void fill(const char *directory)
{
	CLEANUP(freep) char *path = string_format("%s/filling", directory);
	CLEANUP(closep) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_true(fd >= 0);
	char block[4096] = {0};
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}

static void on_small_disk(void **state, const char *options,
			  void (*run)(struct fixture *fixture, const char *path))
{
	struct fixture *outer = *state;
	CLEANUP(freep) char *path = string_format("%s/disk", outer->path);
	assert_int_equal(mkdir(path, 0711), 0);
	if (!small_disk(path, options))
		skip();
	struct fixture inner = {.access = FILE_ACCESS(0600), .certificate = -1};
	assert_int_equal(store_open(path, true, &inner.store, NULL), 0);
	assert_int_equal(store_certificate_open(&inner.store, "a", true, &inner.certificate, NULL),
			 0);
	inner.where = string_format("%s/certificates/a", path);
	string_list_add(&inner.hostnames, "shop.example");
	run(&inner, path);
	close(inner.certificate);
	store_close(&inner.store);
	string_list_free(&inner.hostnames);
	free(inner.where);
	assert_int_equal(umount2(path, MNT_DETACH), 0);
}

static void full_before(struct fixture *fixture, const char *path)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	fill(path);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), -ENOSPC);
	assert_int_equal(fixture->error.class, ERROR_LOCAL);
	assert_non_null(strstr(fixture->error.remedy, path));
	assert_null(key);
	/* Nothing is left that could be taken for a request that was made. */
	assert_false(fixture_has(fixture, "pending"));

	/* One block is not enough for an answer, though it is for a key. */
	CLEANUP(freep) char *filling = string_format("%s/filling", path);
	struct stat status;
	assert_int_equal(stat(filling, &status), 0);
	assert_int_equal(truncate(filling, status.st_size - 4096), 0);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), -ENOSPC);
	assert_false(fixture_has(fixture, "pending"));
}

static void test_a_full_disk_is_found_before_the_api_is_asked(void **state)
{
	on_small_disk(state, "size=256k", full_before);
}

static void full_between(struct fixture *fixture, const char *path)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number = 0;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	fill(path);
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
	struct generation_meta meta = {0};
	assert_int_equal(generation_read(fixture->certificate, fixture->where, number, &meta, NULL),
			 0);
	generation_meta_free(&meta);
}

static void test_a_disk_that_fills_while_the_api_works_costs_no_certificate(void **state)
{
	on_small_disk(state, "size=256k", full_between);
}

static void inodes_before(struct fixture *fixture, const char *path)
{
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	struct statfs status;
	assert_int_equal(statfs(path, &status), 0);
	/* pending/, the key and one more */
	for (unsigned i = 0; i + 3 < status.f_ffree; i++) {
		CLEANUP(freep) char *file = string_format("%s/file-%u", path, i);
		int fd = open(file, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	assert_int_equal(fixture_prepare(fixture, &key, &reused), -ENOSPC);
	assert_non_null(strstr(fixture->error.remedy, "df -i"));
	assert_false(fixture_has(fixture, "pending"));
}

static void test_no_inodes_left_is_found_before_the_api_is_asked(void **state)
{
	on_small_disk(state, "size=1m,nr_inodes=64", inodes_before);
}

static void test_the_moment_of_asking_is_kept_until_the_key_goes(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *again = NULL;
	bool reused;
	assert_int_equal(pending_asked_at(fixture->certificate), 0);
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	assert_int_equal(pending_asked_at(fixture->certificate), 0);
	pending_asked_set(fixture->certificate, 1700000000);
	assert_int_equal(fixture_prepare(fixture, &again, &reused), 0);
	assert_true(reused);
	assert_int_equal(pending_asked_at(fixture->certificate), 1700000000);
	assert_int_equal(pending_discard(fixture->certificate, fixture->where, NULL), 0);
	assert_int_equal(pending_asked_at(fixture->certificate), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_a_new_key_is_on_disk_with_its_access),
		fixture_test(test_a_pending_key_is_used_again),
		fixture_test(test_a_key_of_another_type_makes_way),
		fixture_test(test_a_torn_key_is_replaced),
		fixture_test(test_a_leaf_that_waits_is_not_given_up_by_preparing_again),
		fixture_test(test_discard_takes_all_and_is_harmless_twice),
		fixture_test(test_planted_links_are_neither_followed_nor_written_through),
		fixture_test(test_an_empty_file_with_a_second_name_is_not_filled),
		fixture_test(test_the_answers_room_is_taken_and_nothing_of_it_wasted),
		fixture_test(test_a_full_disk_is_found_before_the_api_is_asked),
		fixture_test(test_a_disk_that_fills_while_the_api_works_costs_no_certificate),
		fixture_test(test_no_inodes_left_is_found_before_the_api_is_asked),
		fixture_test(test_the_moment_of_asking_is_kept_until_the_key_goes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
