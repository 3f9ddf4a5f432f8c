#include "store_fixture.h"

static bool drifted(struct fixture *fixture, const struct file_access *access, bool repair)
{
	bool result = false;
	assert_int_equal(generation_access_check(fixture->certificate, fixture->where, 1, access,
						 repair, &result, &fixture->error),
			 0);
	return result;
}

static const char *const files[] = {"key.pem", "cert.pem", "chain.pem", "fullchain.pem",
				    "meta.json"};

static void test_files_are_made_with_the_access_that_was_asked(void **state)
{
	struct fixture *fixture = *state;
	fixture->access.mode = 0640;
	fixture_issue(fixture);
	assert_int_equal(fixture_stat(fixture, "0001").st_mode, S_IFDIR | 0711);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		CLEANUP(freep) char *path = string_format("0001/%s", files[i]);
		assert_int_equal(fixture_stat(fixture, path).st_mode,
				 S_IFREG | (i == 0 ? 0640 : 0644));
	}
	assert_false(drifted(fixture, &fixture->access, false));
}

static void test_a_drifted_mode_is_seen_and_put_right(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	for (size_t i = 0; i <= ARRAY_SIZE(files); i++) {
		CLEANUP(freep)
		char *path = i < ARRAY_SIZE(files) ? string_format("0001/%s", files[i])
						   : string_copy("0001");
		mode_t right = fixture_stat(fixture, path).st_mode;
		assert_int_equal(fchmodat(fixture->certificate, path, 0777, 0), 0);
		assert_true(drifted(fixture, &fixture->access, false));
		assert_int_equal(fixture_stat(fixture, path).st_mode & 0777, 0777);
		assert_true(drifted(fixture, &fixture->access, true));
		assert_int_equal(fixture_stat(fixture, path).st_mode, right);
		assert_false(drifted(fixture, &fixture->access, false));
	}
}

static void test_a_wrong_owner_is_seen_and_put_right(void **state)
{
	struct fixture *fixture = *state;
	if (geteuid() != 0)
		skip();
	fixture->access = (struct file_access){.owner = 0, .group = 1234, .mode = 0640};
	fixture_issue(fixture);
	assert_int_equal(fixture_stat(fixture, "0001/key.pem").st_gid, 1234);
	assert_int_equal(fixture_stat(fixture, "0001/cert.pem").st_gid, 1234);
	assert_int_equal(fchownat(fixture->certificate, "0001/key.pem", 4321, 1, 0), 0);
	assert_true(drifted(fixture, &fixture->access, true));
	struct stat status = fixture_stat(fixture, "0001/key.pem");
	assert_int_equal(status.st_uid, 0);
	assert_int_equal(status.st_gid, 1234);
	assert_int_equal(status.st_mode & 0777, 0640);
	/* What the administrator did not ask for is not changed. */
	assert_int_equal(fchownat(fixture->certificate, "0001/key.pem", 4321, 1, 0), 0);
	assert_false(drifted(fixture, &FILE_ACCESS(0640), true));
}

static void test_a_changed_configuration_reaches_a_waiting_key(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	bool reused;
	unsigned number;
	assert_int_equal(fixture_prepare(fixture, &key, &reused), 0);
	fixture->access.mode = 0640;
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, key);
	assert_int_equal(fixture_commit(fixture, leaf, &number), 0);
	assert_false(drifted(fixture, &fixture->access, false));
	assert_int_equal(fixture_stat(fixture, "0001/key.pem").st_mode & 0777, 0640);
}

static void test_repair_follows_no_link(void **state)
{
	struct fixture *fixture = *state;
	fixture_issue(fixture);
	fixture_put(fixture, "victim", "");
	assert_int_equal(unlinkat(fixture->certificate, "0001/chain.pem", 0), 0);
	assert_int_equal(symlinkat("../victim", fixture->certificate, "0001/chain.pem"), 0);
	bool result;
	assert_int_equal(generation_access_check(fixture->certificate, fixture->where, 1,
						 &FILE_ACCESS(0666), true, &result,
						 &fixture->error),
			 -EBADMSG);
	assert_int_equal(fixture_stat(fixture, "victim").st_mode & 0777, 0600);

	assert_int_equal(symlinkat("0001", fixture->certificate, "0002"), 0);
	assert_true(generation_access_check(fixture->certificate, fixture->where, 2,
					    &fixture->access, true, &result, NULL) < 0);
	assert_int_equal(generation_access_check(fixture->certificate, fixture->where, 3,
						 &fixture->access, true, &result, NULL),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fixture_test(test_files_are_made_with_the_access_that_was_asked),
		fixture_test(test_a_drifted_mode_is_seen_and_put_right),
		fixture_test(test_a_wrong_owner_is_seen_and_put_right),
		fixture_test(test_a_changed_configuration_reaches_a_waiting_key),
		fixture_test(test_repair_follows_no_link),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
