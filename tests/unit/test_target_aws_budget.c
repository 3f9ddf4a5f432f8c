/* How often ACM is imported into, and what it would refuse: both before anybody is asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "target/aws_budget.h"

/* A state directory with certificates/NAME, and an order for it. */
struct place {
	char *state, *where;
	struct config_certificate certificate;
	struct config_target target;
	struct leaf_facts facts;
	struct remote_order order;
};

static int place_make(void **state)
{
	struct place *place = memory_alloc(1, sizeof(*place));
	place->state = string_copy("/tmp/origin-ca-budget-XXXXXX");
	assert_non_null(mkdtemp(place->state));
	CLEANUP(freep) char *certificates = string_format("%s/certificates", place->state);
	place->where = string_format("%s/shop", certificates);
	assert_int_equal(mkdir(certificates, 0700), 0);
	assert_int_equal(mkdir(place->where, 0700), 0);
	place->certificate.name = string_copy("shop");
	place->target.name = string_copy("balancer");
	place->target.type = TARGET_AWS_ACM;
	place->target.remote.region = string_copy("eu-central-1");
	place->order = (struct remote_order){
		.target = &place->target,
		.certificate = &place->certificate,
		.generation = 1,
		.facts = &place->facts,
		.snippets = -1,
		.directory = open(place->where, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.where = place->where,
		.deadline_ms = clock_monotonic_ms() + 1000,
	};
	*state = place;
	return 0;
}

static int place_drop(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	close(place->order.directory);
	assert_int_equal(file_remove_at(AT_FDCWD, "", place->state, &error), 0);
	free(place->certificate.name);
	free(place->target.name);
	free(place->target.remote.region);
	free(place->where);
	free(place->state);
	free(place);
	return 0;
}

static void used(const struct place *place, const char *region, int64_t days_ago, int count)
{
	CLEANUP(freep) char *path = string_format("%s/acm-imports.json", place->state);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"%s\": {\"%lld\": %d}}", region,
		(long long)(clock_now() / CLOCK_DAY - days_ago), count);
	assert_int_equal(fclose(file), 0);
}

static void test_one_certificate_has_400_in_a_year_and_old_ones_do_not_count(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	CLEANUP(cJSON_Deletep) cJSON *note = json_object();
	cJSON *imports = json_add_array(note, "imports");
	for (int i = 0; i < AWS_IMPORTS_MOST; i++)
		json_append(imports, cJSON_CreateNumber((double)(clock_now() - 366 * CLOCK_DAY)));
	for (int i = 0; i < AWS_IMPORTS_MOST; i++)
		assert_int_equal(aws_budget_take(&place->order, note, &error), 0);
	assert_int_equal(aws_budget_take(&place->order, note, &error), -EDQUOT);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, "shop was imported 400 times"));
	assert_non_null(strstr(error.remedy, "certificates/shop/remote.balancer.json"));
	imports = cJSON_GetObjectItemCaseSensitive(note, "imports");
	assert_int_equal(cJSON_GetArraySize(imports), AWS_IMPORTS_MOST);
}

/* Each of them with a note of its own, as other certificates and targets have. */
static void test_all_certificates_of_a_region_share_what_the_account_has(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	used(place, "eu-central-1", 364, AWS_IMPORTS_REGION_MOST - 2);
	for (int i = 0; i < 3; i++) {
		CLEANUP(cJSON_Deletep) cJSON *note = json_object();
		assert_int_equal(aws_budget_take(&place->order, note, &error), i < 2 ? 0 : -EDQUOT);
	}
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, "4500 certificates to eu-central-1"));
	assert_non_null(strstr(error.remedy, "acm-imports.json"));
}

static void test_other_regions_and_other_years_are_not_counted(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	CLEANUP(cJSON_Deletep) cJSON *note = json_object();
	used(place, "us-east-1", 1, AWS_IMPORTS_REGION_MOST);
	assert_int_equal(aws_budget_take(&place->order, note, &error), 0);
	used(place, "eu-central-1", 366, AWS_IMPORTS_REGION_MOST);
	assert_int_equal(aws_budget_take(&place->order, note, &error), 0);
}

static void test_damaged_file_begins_anew(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	CLEANUP(cJSON_Deletep) cJSON *note = json_object();
	CLEANUP(freep) char *path = string_format("%s/acm-imports.json", place->state);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs("[{\"eu-central-1\": ", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(aws_budget_take(&place->order, note, &error), 0);
}

static void test_leaf_that_has_run_out_is_refused_before_anybody_is_asked(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	place->facts.not_after = clock_now() - 1;
	assert_int_equal(remote_deliver(&place->order, &error), -ETIME);
	assert_int_equal(error.class, ERROR_DEPLOY);
	assert_non_null(strstr(error.message, "has run out"));
	/* One that has not comes as far as the credentials. */
	place->facts.not_after = clock_now() + 60;
	place->target.remote.credentials_file = string_format("%s/none", place->state);
	assert_int_equal(remote_deliver(&place->order, &error), -ENOENT);
	assert_int_equal(error.class, ERROR_CONFIGURATION);
	assert_non_null(strstr(error.message, "/none"));
	free(place->target.remote.credentials_file);
}

/* Somebody puts another file in its place between the look and the reading. */
static void test_what_was_looked_at_is_what_is_read(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	CLEANUP(buffer_free) struct buffer text = BUFFER(64);
	CLEANUP(freep) char *path = string_format("%s/secret", place->state);
	assert_int_equal(file_write_at(place->order.directory, place->where, "one", "looked at", 9,
				       &FILE_ACCESS(0600), FILE_NO_SYNC, &error),
			 0);
	CLEANUP(closep) int fd = openat(place->order.directory, "one", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(file_write_at(place->order.directory, place->where, "one", "other", 5,
				       &FILE_ACCESS(0644), FILE_NO_SYNC, &error),
			 0);
	assert_int_equal(file_read_descriptor(fd, path, &text, &error), 0);
	assert_string_equal(buffer_text(&text), "looked at");
}

static void test_secrets_of_several_lines_are_for_one_user_alone(void **state)
{
	struct place *place = *state;
	struct error error = {0};
	CLEANUP(buffer_wipe) struct buffer text = BUFFER(64);
	CLEANUP(freep) char *path = string_format("%s/key", place->where);
	assert_int_equal(file_write_at(place->order.directory, place->where, "key",
				       "[default]\nx\n", 12, &FILE_ACCESS(0600), FILE_NO_SYNC,
				       &error),
			 0);
	assert_int_equal(remote_secret_file(path, "the key", &text, &error), 0);
	assert_string_equal(buffer_text(&text), "[default]\nx\n");
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(remote_secret_file(path, "the key", &text, &error), -EPERM);
	assert_non_null(strstr(error.message, "mode 0604"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
	const struct CMUnitTest tests[] = {
		TEST(test_one_certificate_has_400_in_a_year_and_old_ones_do_not_count),
		TEST(test_all_certificates_of_a_region_share_what_the_account_has),
		TEST(test_other_regions_and_other_years_are_not_counted),
		TEST(test_damaged_file_begins_anew),
		TEST(test_leaf_that_has_run_out_is_refused_before_anybody_is_asked),
		TEST(test_what_was_looked_at_is_what_is_read),
		TEST(test_secrets_of_several_lines_are_for_one_user_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
