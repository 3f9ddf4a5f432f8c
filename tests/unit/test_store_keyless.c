/* Keys that are given and not made: the user's own, an earlier one, and one that is elsewhere. */
#include "store_fixture.h"

#include "pki/csr.h"

/* A key, and a request that it signed, as the user would give them. */
struct own {
	struct fixture fixture;
	EVP_PKEY *key;
	char *csr;
};

static int own_setup(void **state)
{
	struct own *own = memory_alloc(1, sizeof(*own));
	struct buffer csr = BUFFER(1 << 16);
	fixture_make(&own->fixture);
	assert_int_equal(key_generate(KEY_ECDSA_P384, &own->key, NULL), 0);
	assert_int_equal(csr_make(own->key, &own->fixture.hostnames, &csr, NULL), 0);
	own->csr = buffer_take(&csr);
	*state = own;
	return 0;
}

static int own_teardown(void **state)
{
	struct own *own = *state;
	EVP_PKEY_free(own->key);
	free(own->csr);
	fixture_free(&own->fixture);
	free(own);
	return 0;
}

/* What was prepared. */
struct prepared {
	EVP_PKEY *key;
	char *csr;
	bool reused;
};

static void prepared_free(struct prepared *prepared)
{
	EVP_PKEY_free(prepared->key);
	free(prepared->csr);
}

static struct prepared prepare(struct own *own, EVP_PKEY *key, const char *csr)
{
	struct fixture *fixture = &own->fixture;
	struct prepared prepared = {0};
	struct pending_request request = fixture_request(fixture);
	request.key = key;
	request.csr_pem = csr;
	if (pending_prepare(fixture->certificate, fixture->where, &request, &prepared.key,
			    &prepared.csr, &prepared.reused, &fixture->error) < 0)
		fail_msg("%s", fixture->error.message);
	return prepared;
}

/* Leaves on disk what a pass that ended after preparing leaves. */
static void prepare_only(struct own *own, EVP_PKEY *key, const char *csr)
{
	struct prepared prepared = prepare(own, key, csr);
	prepared_free(&prepared);
}

static unsigned commit(struct own *own)
{
	struct fixture *fixture = &own->fixture;
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, own->key);
	unsigned number = 0;
	if (fixture_commit(fixture, leaf, &number) < 0)
		fail_msg("%s", fixture->error.message);
	return number;
}

static struct generation_meta read_meta(struct own *own, unsigned number)
{
	struct generation_meta meta = {0};
	if (generation_read(own->fixture.certificate, own->fixture.where, number, &meta,
			    &own->fixture.error) < 0)
		fail_msg("%s", own->fixture.error.message);
	return meta;
}

static void test_a_given_key_is_used_and_kept_as_any_other(void **state)
{
	struct own *own = *state;
	CLEANUP(prepared_free) struct prepared first = prepare(own, own->key, NULL);
	CLEANUP(prepared_free) struct prepared second = prepare(own, own->key, NULL);
	assert_int_equal(EVP_PKEY_eq(first.key, own->key), 1);
	assert_int_equal(EVP_PKEY_eq(second.key, own->key), 1);
	assert_false(first.reused);
	assert_true(second.reused);
	assert_string_not_equal(first.csr, own->csr);
	assert_int_equal(commit(own), 1);
	CLEANUP(generation_meta_free) struct generation_meta meta = read_meta(own, 1);
	assert_false(meta.keyless);
	assert_int_equal(meta.facts.key_type, KEY_ECDSA_P384);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	assert_int_equal(
		generation_key(own->fixture.certificate, own->fixture.where, 1, &key, NULL), 0);
	assert_true(key_is_private(key));
	assert_false(fixture_has(&own->fixture, "0001/given"));
	assert_int_equal(entries_of(own->fixture.certificate), 1);
}

static void test_a_given_request_is_sent_as_it_is(void **state)
{
	struct own *own = *state;
	CLEANUP(prepared_free) struct prepared prepared = prepare(own, own->key, own->csr);
	assert_string_equal(prepared.csr, own->csr);
	assert_true(key_is_private(prepared.key));
	assert_int_equal(commit(own), 1);
	assert_true(fixture_has(&own->fixture, "0001/key.pem"));
	assert_false(fixture_has(&own->fixture, "0001/csr.pem"));
}

static void test_a_generation_without_the_key_has_the_request_in_its_place(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	CLEANUP(prepared_free) struct prepared first = prepare(own, NULL, own->csr);
	CLEANUP(prepared_free) struct prepared prepared = prepare(own, NULL, own->csr);
	assert_true(pending_exists(fixture->certificate));
	assert_false(first.reused);
	assert_true(prepared.reused);
	assert_false(key_is_private(prepared.key));
	assert_string_equal(prepared.csr, own->csr);
	assert_false(fixture_has(fixture, "pending/key.pem"));
	assert_int_equal(commit(own), 1);

	assert_false(fixture_has(fixture, "0001/key.pem"));
	CLEANUP(freep) char *csr = fixture_get(fixture, "0001/csr.pem");
	assert_string_equal(csr, own->csr);
	assert_int_equal(fixture_stat(fixture, "0001/csr.pem").st_mode & 07777, 0644);
	assert_int_equal(fixture_count(fixture), 1);
	CLEANUP(generation_meta_free) struct generation_meta meta = read_meta(own, 1);
	assert_true(meta.keyless);
	EVP_PKEY *key = NULL;
	assert_int_equal(
		generation_key(fixture->certificate, fixture->where, 1, &key, &fixture->error),
		-ENOENT);
	assert_null(key);
	CLEANUP(freep) char *description = fixture_get(fixture, "0001/meta.json");
	assert_non_null(strstr(description, "\"keyless\":\ttrue"));

	char before[SHA256_TEXT_SIZE];
	char after[SHA256_TEXT_SIZE];
	bool drifted = false;
	assert_int_equal(generation_fingerprint(fixture->certificate, 1, before), 0);
	assert_int_equal(fchmodat(fixture->certificate, "0001/csr.pem", 0600, 0), 0);
	assert_int_equal(generation_fingerprint(fixture->certificate, 1, after), 0);
	assert_string_not_equal(before, after);
	assert_int_equal(generation_access_check(fixture->certificate, fixture->where, 1,
						 &fixture->access, true, &drifted, NULL),
			 0);
	assert_true(drifted);
	assert_int_equal(fixture_stat(fixture, "0001/csr.pem").st_mode & 07777, 0644);
}

static void test_a_keyless_generation_is_derived_and_asks_for_no_keystore(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	prepare_only(own, NULL, own->csr);
	commit(own);
	struct generation_files files = fixture_files(fixture);
	unsigned differences = 0;
	unsigned number = 0;
	files.formats = FORMAT_DER | GENERATION_KEY_FORMATS;
	files.password = "secret";
	assert_int_equal(generation_derive(fixture->certificate, fixture->where, 1, 0, &files,
					   &number, &fixture->error),
			 -EINVAL);
	assert_int_equal(fixture->error.class, ERROR_CONFIGURATION);
	assert_true(fixture->error.remedy[0] != '\0');
	files.formats = FORMAT_DER;
	assert_int_equal(generation_derive(fixture->certificate, fixture->where, 1, 0, &files,
					   &number, &fixture->error),
			 0);
	assert_int_equal(number, 2);
	CLEANUP(generation_meta_free) struct generation_meta meta = read_meta(own, 2);
	assert_true(meta.keyless);
	CLEANUP(freep) char *csr = fixture_get(fixture, "0002/csr.pem");
	assert_string_equal(csr, own->csr);
	files.formats |= GENERATION_KEY_FORMATS;
	for (int full = 0; full < 2; full++) {
		assert_int_equal(generation_files_check(fixture->certificate, fixture->where, 2,
							&files, full, &differences, NULL),
				 0);
		assert_int_equal(differences, 0);
	}
}

static void test_a_request_for_another_leaf_in_the_place_of_the_key_is_noticed(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	prepare_only(own, NULL, own->csr);
	commit(own);
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	CLEANUP(buffer_free) struct buffer csr = BUFFER(1 << 16);
	assert_int_equal(key_generate(KEY_ECDSA_P384, &other, NULL), 0);
	assert_int_equal(csr_make(other, &fixture->hostnames, &csr, NULL), 0);
	struct generation_meta meta = {0};
	fixture_put(fixture, "0001/csr.pem", buffer_text(&csr));
	assert_int_equal(
		generation_read(fixture->certificate, fixture->where, 1, &meta, &fixture->error),
		-EBADMSG);
	fixture_put(fixture, "0001/csr.pem", "junk");
	assert_int_equal(
		generation_read(fixture->certificate, fixture->where, 1, &meta, &fixture->error),
		-EBADMSG);
	assert_int_equal(fixture->error.class, ERROR_LOCAL);
	assert_int_equal(unlinkat(fixture->certificate, "0001/csr.pem", 0), 0);
	assert_int_equal(fixture_count(fixture), 0);
}

static void test_a_keyless_answer_is_recovered(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	prepare_only(own, NULL, own->csr);
	assert_int_equal(fixture_recover(fixture), 0);
	assert_true(pending_exists(fixture->certificate));
	CLEANUP(freep) char *leaf = fixture_leaf(fixture, own->key);
	fixture_put(fixture, "pending/cert.pem", leaf);
	assert_int_equal(fixture_recover(fixture), 1);
	CLEANUP(generation_meta_free) struct generation_meta meta = read_meta(own, 1);
	assert_true(meta.keyless);
	assert_false(fixture_has(fixture, "0001/given"));
}

static void test_a_request_for_another_key_or_a_keystore_without_one_is_refused(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	struct pending_request request = fixture_request(fixture);
	struct prepared prepared = {0};
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *other = NULL;
	assert_int_equal(key_generate(KEY_ECDSA_P256, &other, NULL), 0);
	const struct {
		EVP_PKEY *key;
		const char *csr;
		unsigned formats;
		int result;
	} bad[] = {
		{other, own->csr, 0, -EINVAL},
		{NULL, own->csr, FORMAT_P12, -EINVAL},
		{NULL, own->csr, FORMAT_COMBINED, -EINVAL},
		{NULL, "junk", 0, -EBADMSG},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		request.key = bad[i].key;
		request.csr_pem = bad[i].csr;
		request.formats = bad[i].formats;
		assert_int_equal(pending_prepare(fixture->certificate, fixture->where, &request,
						 &prepared.key, &prepared.csr, &prepared.reused,
						 &fixture->error),
				 bad[i].result);
		assert_int_equal(fixture->error.class, ERROR_CONFIGURATION);
		assert_true(fixture->error.remedy[0] != '\0');
		assert_false(fixture_has(fixture, "pending"));
		assert_null(prepared.key);
	}
}

static void test_another_key_than_the_given_one_is_emptied(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	CLEANUP(EVP_PKEY_freep) EVP_PKEY *made = NULL;
	bool reused = true;
	assert_int_equal(fixture_prepare(fixture, &made, &reused), 0);
	fixture_put(fixture, "pending/note", "of the first");
	CLEANUP(prepared_free) struct prepared prepared = prepare(own, own->key, NULL);
	assert_false(prepared.reused);
	assert_false(fixture_has(fixture, "pending/note"));
	assert_int_equal(commit(own), 1);
}

static void test_a_key_that_is_not_given_any_more_is_not_asked_with_again(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	for (int keyless = 0; keyless < 2; keyless++) {
		CLEANUP(EVP_PKEY_freep) EVP_PKEY *made = NULL;
		CLEANUP(freep) char *csr = NULL;
		bool reused = true;
		prepare_only(own, keyless ? NULL : own->key, keyless ? own->csr : NULL);
		struct pending_request request = fixture_request(fixture);
		request.key_type = KEY_ECDSA_P384; /* the given one's, too */
		assert_int_equal(pending_prepare(fixture->certificate, fixture->where, &request,
						 &made, &csr, &reused, NULL),
				 0);
		assert_false(reused);
		assert_int_equal(EVP_PKEY_eq(made, own->key), 0);
	}
}

static void test_a_key_that_is_given_later_or_taken_away_asks_no_second_time(void **state)
{
	struct own *own = *state;
	struct fixture *fixture = &own->fixture;
	prepare_only(own, NULL, own->csr);
	pending_asked_set(fixture->certificate, 4711);
	CLEANUP(prepared_free) struct prepared here = prepare(own, own->key, own->csr);
	assert_true(here.reused);
	assert_true(key_is_private(here.key));
	assert_true(fixture_has(fixture, "pending/key.pem"));
	assert_false(fixture_has(fixture, "pending/csr.pem"));
	CLEANUP(prepared_free) struct prepared again = prepare(own, NULL, own->csr);
	assert_true(again.reused);
	assert_false(fixture_has(fixture, "pending/key.pem"));
	assert_int_equal(pending_asked_at(fixture->certificate), 4711);
	commit(own);
	CLEANUP(generation_meta_free) struct generation_meta meta = read_meta(own, 1);
	assert_true(meta.keyless);
}

#define own_test(test) cmocka_unit_test_setup_teardown(test, own_setup, own_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		own_test(test_a_given_key_is_used_and_kept_as_any_other),
		own_test(test_a_given_request_is_sent_as_it_is),
		own_test(test_a_generation_without_the_key_has_the_request_in_its_place),
		own_test(test_a_keyless_generation_is_derived_and_asks_for_no_keystore),
		own_test(test_a_request_for_another_leaf_in_the_place_of_the_key_is_noticed),
		own_test(test_a_keyless_answer_is_recovered),
		own_test(test_a_request_for_another_key_or_a_keystore_without_one_is_refused),
		own_test(test_another_key_than_the_given_one_is_emptied),
		own_test(test_a_key_that_is_not_given_any_more_is_not_asked_with_again),
		own_test(test_a_key_that_is_given_later_or_taken_away_asks_no_second_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
